"""``titian annotation consensus``: many labels of one task become one, with a confidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from titian.cli.annotation.tables import require_targets, step, write_columns
from titian.cli.output import console, reserved_output, write_json
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    import numpy as np

    from titian.annotation import Consensus, Crowd, Gold
    from titian.pipeline.reporter import Reporter

ALPHA: Final = 0.05
"""One minus the coverage of the intervals."""


def consensus(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where task, label and confidence go.")
    ],
    labels: Annotated[
        Path | None,
        typer.Argument(metavar="LABELS", help="CSV or Parquet: task, worker, label."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help="auto, majority, wawa, zero-based-skill, dawid-skene, one-coin, pooled, "
            "tilted, glad, mace or crowdlab.",
        ),
    ] = "auto",
    workers_out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where one row per worker goes.")
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Known labels (task, label): reports accuracy only."),
    ] = None,
    probabilities: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A model's table: task, a column per label."),
    ] = None,
    from_format: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="Merge shapes of this format."),
    ] = None,
    worker: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PATH", help="What one worker drew; repeatable."),
    ] = None,
    to_format: Annotated[
        str | None,
        typer.Option("--to", metavar="FORMAT", help="Format of the merged shapes; as --from."),
    ] = None,
    media: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="What the shapes are drawn on (YOLO, DICOM)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the methods that draw.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Bring the labels of several workers together.

    LABELS may also have the columns site, seconds, cost and time. Task and label are text
    and come back verbatim. A file that ends in .parquet is written as Parquet. Gold is read
    for the report alone: no method sees it.

    With --from and --worker, boxes, polygons, masks, keypoints, text spans, segments and
    tracks are merged instead, each with the probability that it is real.

    \b
    Examples:
      titian annotation consensus labels.csv --out consensus.csv
      titian annotation consensus labels.csv --out consensus.csv \\
        --method dawid-skene --workers-out workers.csv --json
      titian annotation consensus --from coco --worker ann=ann.json \\
        --worker bob=bob.json --out merged.json
    """  # noqa: D301 - \b keeps the help from being rewrapped
    _require_one_kind(labels, from_format, worker, to_format or media, gold or probabilities)
    from titian.cli.annotation.merge import merge_sets, named_workers, print_merged
    from titian.cli.progress import open_reporter

    if labels is not None:
        inputs = [path for path in (labels, gold, probabilities) if path is not None]
        require_targets({"--out": out, "--workers-out": workers_out}, inputs)
        with reserved_output(wanted=json), open_reporter(plain=json) as reporter:
            document = _consense(
                labels,
                out,
                method=method,
                workers_out=workers_out,
                gold=gold,
                probabilities=probabilities,
                seed=seed,
                reporter=reporter,
            )
    else:
        workers = named_workers(worker or [])
        require_targets({"--workers-out": workers_out}, [path for _, path in workers])
        require_targets({"--out": None if out.is_dir() else out}, [])
        with reserved_output(wanted=json), open_reporter(plain=json) as reporter:
            document = merge_sets(
                workers,
                out,
                from_format=str(from_format),
                to_format=to_format,
                media=media,
                workers_out=workers_out,
                reporter=reporter,
            )
    if json:
        write_json(document)
    elif labels is not None:
        _print(document)
    else:
        print_merged(document)


def _require_one_kind(
    labels: Path | None,
    from_format: str | None,
    worker: list[str] | None,
    shapes_only: object,
    labels_only: object,
) -> None:
    """Refuse a call that is neither about a table of labels nor about shapes.

    Raises:
        InputError: T-A359.
    """
    if labels is not None and not (from_format or worker or shapes_only):
        return
    if labels is None and from_format and worker and not labels_only:
        return
    raise InputError(
        Problem(
            code="T-A359",
            message="the call is neither about a table of labels nor about shapes; it has "
            "LABELS (with --gold or --probabilities), or --from FORMAT and --worker NAME=PATH "
            "(with --to or --media), and never some of both.",
            remedy="See titian annotation consensus --help.",
        )
    )


def _consense(
    labels: Path,
    out: Path,
    *,
    method: str,
    workers_out: Path | None,
    gold: Path | None,
    probabilities: Path | None,
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    import numpy as np

    from titian.annotation import consensus_of, read_crowd, read_gold, read_probabilities

    with step(reporter, "read", 1, 3):
        crowd, model = read_crowd(labels), None
        if probabilities is not None:
            told = read_probabilities(probabilities, crowd)
            crowd, model = crowd.with_classes(told.names), told.value
            crowd = replace(crowd, notes=(*crowd.notes, *told.notes))
        known = None if gold is None else read_gold(gold, crowd)
    with step(reporter, "consensus", 2, 3):
        rng = np.random.default_rng(seed)
        found = consensus_of(crowd.votes(), method=method, rng=rng, probabilities=model)
    with step(reporter, "write", 3, 3):
        write_columns(label_columns(crowd, found), out)
        if workers_out is not None:
            write_columns(worker_columns(crowd, found), workers_out)
    return consensus_document(crowd, found, known, rng=rng) | {
        "out": str(out),
        "workers_out": None if workers_out is None else str(workers_out),
    }


def label_columns(crowd: Crowd, found: Consensus) -> dict[str, list[Any]]:
    """Return the table of labels: a row per task, in order of first appearance."""
    names = crowd.label.names
    return {
        "task": list(crowd.task.names),
        "label": [names[code] for code in found.label.tolist()],
        "confidence": found.confidence.tolist(),
    }


def worker_columns(crowd: Crowd, found: Consensus) -> dict[str, list[Any]]:
    """Return the table of workers: expected accuracy with Wilson's interval, and cost.

    Accuracy is the share of the worker's labels that are right by the consensus, in which
    the worker's own vote counts. Cost is None where LABELS tells none.
    """
    from titian.statistics import wilson

    low, high = [], []
    for accuracy, votes in zip(found.accuracy.tolist(), found.votes.tolist(), strict=True):
        lows, highs = wilson(min(max(accuracy, 0.0), 1.0), votes, (ALPHA,))
        low.append(float(lows[0]))
        high.append(float(highs[0]))
    return {
        "worker": list(crowd.worker.names),
        "n": [int(votes) for votes in found.votes],
        "accuracy": found.accuracy.tolist(),
        "low": low,
        "high": high,
        "spammer_score": found.spammer_score.tolist(),
        "cost": worker_costs(crowd),
    }


def worker_costs(crowd: Crowd) -> list[float | None]:
    """Return what each worker's labels cost; None where no label of a worker has a cost."""
    import numpy as np

    if "cost" not in crowd.numbers:
        return [None] * len(crowd.worker.names)
    cost, worker = crowd.numbers["cost"], crowd.worker.code
    told = ~np.isnan(cost)
    size = len(crowd.worker.names)
    whole = np.bincount(worker[told], weights=cost[told], minlength=size)
    some = np.bincount(worker[told], minlength=size) > 0
    return [value if there else None for value, there in zip(whole.tolist(), some, strict=True)]


def consensus_document(
    crowd: Crowd, found: Consensus, gold: Gold | None, *, rng: np.random.Generator
) -> dict[str, Any]:
    """Return what ``--json`` prints, less the files."""
    names = crowd.label.names
    columns = worker_columns(crowd, found)
    tables = found.confusions.tolist()
    document: dict[str, Any] = {
        "method": found.method,
        "why": found.why,
        "notes": [*crowd.notes, *found.notes, *(() if gold is None else gold.notes)],
        "labels": len(crowd),
        "tasks": len(crowd.task.names),
        "classes": list(names),
        "prior": dict(zip(names, found.prior.tolist(), strict=False)),
        "expected_accuracy": float(found.confidence.mean()),
        "iterations": found.iterations,
        "converged": found.converged,
        "workers": [
            {
                **dict(zip(columns, row, strict=True)),
                # A crowd of one class has an empty second in memory; it is not told here.
                "confusion": {
                    true: dict(zip(names, cells, strict=False))
                    for true, cells in zip(names, table, strict=False)
                },
            }
            for row, table in zip(zip(*columns.values(), strict=True), tables, strict=True)
        ],
    }
    if gold is not None:
        document["reliability"] = reliability(found, gold, rng=rng)
    return document


def reliability(found: Consensus, gold: Gold, *, rng: np.random.Generator) -> dict[str, Any]:
    """Return how right the labels are on gold, and whether the confidences say so."""
    import numpy as np

    from titian.statistics import calibration_bins, expected_calibration_error, proportion

    known = np.flatnonzero(gold.code >= 0)
    right = found.label[known] == gold.code[known]
    score = np.clip(found.confidence[known], 0.0, 1.0)
    accuracy = proportion(right, None, alphas=(ALPHA,))
    error = expected_calibration_error(score, right, None, alphas=(ALPHA,), rng=rng).estimate
    return {
        "n": len(known),
        "accuracy": accuracy.value,
        "low": accuracy.intervals[0].low,
        "high": accuracy.intervals[0].high,
        "mean_confidence": float(score.mean()),
        "expected_calibration_error": {
            "value": error.value,
            "low": error.intervals[0].low if error.intervals else None,
            "high": error.intervals[0].high if error.intervals else None,
            "reason": error.reason,
        },
        "bins": [
            {
                "confidence": each.score,
                "accuracy": each.frequency,
                "low": each.interval.low,
                "high": each.interval.high,
                "n": each.n,
            }
            for each in calibration_bins(score, right, None, alpha=ALPHA)
        ],
    }


def _print(document: dict[str, Any]) -> None:
    out = console()
    workers = document["workers"]
    lines = [
        f"{document['labels']:,} labels of {document['tasks']:,} tasks by {len(workers):,} "
        f"workers, {len(document['classes'])} classes.",
        f"Method {document['method']}. {document['why']}",
        f"Expected accuracy {document['expected_accuracy']:.3f} (the mean confidence).",
    ]
    told = document.get("reliability")
    if told is not None:
        lines.append(
            f"Accuracy on {told['n']:,} gold tasks {told['accuracy']:.3f} "
            f"({told['low']:.3f} to {told['high']:.3f}), their mean confidence "
            f"{told['mean_confidence']:.3f}."
        )
    lines += [f"Note: {note}" for note in document["notes"]]
    lines.append(f"Labels: {document['out']}")
    if document["workers_out"] is not None:
        lines.append(f"Workers: {document['workers_out']}")
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
