"""The other half of ``titian annotation consensus``: shapes, spans and segments merged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from titian.cli.annotation.label_sets import write_label_set
from titian.cli.annotation.tables import step, write_columns
from titian.cli.output import console
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from titian.annotation.fusion import Merged
    from titian.annotation.shapes import LabelSet
    from titian.pipeline.reporter import Reporter
    from titian.statistics import Estimate


def merge_sets(
    workers: Sequence[tuple[str, Path]],
    target: Path,
    *,
    from_format: str,
    to_format: str | None,
    media: Path | None,
    workers_out: Path | None,
    reporter: Reporter,
) -> dict[str, Any]:
    """Merge what each worker drew, write it to `target` and return what ``--json`` prints.

    Raises:
        InputError: T-A358 the target exists; all that is wrong with a worker's labels.
    """
    from titian.annotation.formats import format_named
    from titian.annotation.fusion import merge

    reading, writing = format_named(from_format), format_named(to_format or from_format)
    if target.exists() or target.is_symlink():
        raise InputError(
            Problem(
                code="T-A358",
                message=f"--out {target} exists already; merged shapes are written over "
                "nothing.",
                remedy="Name another target, or remove it.",
            )
        )
    sets: dict[str, LabelSet] = {}
    with step(reporter, "read", 1, 3) as tell:
        problems: list[Problem] = []
        for done, (name, path) in enumerate(workers, start=1):
            try:
                sets[name] = reading.read(path, media)
            except InputError as error:
                problems += error.problems
            tell(done, len(workers))
        if problems:
            raise InputError(*problems)
    with step(reporter, "merge", 2, 3):
        merged = merge(sets)
    with step(reporter, "write", 3, 3):
        losses = write_label_set(writing, merged.label_set, target, media)
        if workers_out is not None:
            write_columns(quality_columns(merged), workers_out)
    read_notes = [note for label_set in sets.values() for note in label_set.notes]
    return {
        "documents": len(merged.label_set.documents),
        "annotations": len(merged.label_set.annotations),
        "workers": quality_rows(merged),
        "notes": [*dict.fromkeys((*read_notes, *merged.notes))],
        "losses": [
            {"what": loss.what, "count": loss.count, "why": loss.why} for loss in losses
        ],
        "out": str(target),
        "workers_out": None if workers_out is None else str(workers_out),
    }


def named_workers(given: Sequence[str]) -> list[tuple[str, Path]]:
    """Return the names and paths of ``--worker NAME=PATH``.

    Raises:
        InputError: T-A357, an entry is not NAME=PATH, or a name stands twice.
    """
    found: list[tuple[str, Path]] = []
    problems = []
    for entry in given:
        name, equals, path = entry.partition("=")
        if not (name and equals and path):
            what, rule = "is not NAME=PATH", "a worker has a name and a file or folder"
        elif name in dict(found):
            what, rule = f"names the worker {name!r} again", "each worker is named once"
        else:
            found.append((name, Path(path)))
            continue
        problems.append(
            Problem(
                code="T-A357",
                message=f"--worker {entry} {what}; {rule}.",
                remedy="Write for example --worker ann=ann/labels.json.",
            )
        )
    if problems:
        raise InputError(*problems)
    return found


def quality_rows(merged: Merged) -> list[dict[str, Any]]:
    """Return a row per worker and kind of shape."""
    return [
        {
            "worker": each.worker,
            "kind": each.kind,
            "documents": each.documents,
            "n": each.shapes,
            **_numbers("accuracy", each.accuracy, ends=("low", "high")),
            **_numbers("recall", each.recall, ends=("recall_low", "recall_high")),
            **_numbers("precision", each.precision, ends=("precision_low", "precision_high")),
            "overlap": each.overlap,
        }
        for each in merged.workers
    ]


def quality_columns(merged: Merged) -> dict[str, list[Any]]:
    """Return the same rows as columns."""
    rows = quality_rows(merged)
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {"worker": []}


def print_merged(document: dict[str, Any]) -> None:
    """Print what a merge came to, for people."""
    out = console()
    lines = [
        f"{document['annotations']:,} annotations on {document['documents']:,} documents, "
        f"merged from {_count(len({row['worker'] for row in document['workers']}), 'worker')}."
    ]
    for row in document["workers"]:
        shown = {
            key: "-" if row[key] is None else f"{row[key]:.3f}"
            for key in ("recall", "precision", "accuracy", "overlap")
        }
        numbers = ", ".join(f"{key} {value}" for key, value in shown.items())
        lines.append(f"{row['worker']}: {row['n']:,} {row['kind']}, {numbers}")
    lines += [f"Note: {note}" for note in document["notes"]]
    lines += [
        f"Lost or changed: {loss['count']} {loss['what']}: {loss['why']}"
        for loss in document["losses"]
    ]
    lines.append(f"Labels: {document['out']}")
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def _numbers(name: str, estimate: Estimate, *, ends: tuple[str, str]) -> dict[str, Any]:
    interval = estimate.intervals[0] if estimate.intervals else None
    return {
        name: estimate.value,
        ends[0]: None if interval is None else interval.low,
        ends[1]: None if interval is None else interval.high,
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"
