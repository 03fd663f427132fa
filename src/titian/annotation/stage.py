"""The ``annotate`` stage: from raw labels to consensus labels and records of readers.

Names of readers stay in the artifact ``readers``, which stays at the site: measurements,
findings and figures know them by numbers, given in a random order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from titian.annotation.account import figures, measurements, spending
from titian.annotation.block import AnnotateBlock, AnnotateSettings, configure
from titian.annotation.consensus import Consensus
from titian.annotation.faults import controls
from titian.annotation.gold_answers import answers_to_gold
from titian.annotation.readers import Others, say_of_others
from titian.annotation.readings import Round, read_round
from titian.annotation.suspicions import findings
from titian.dataset.labels import Labels, write_labels
from titian.dataset.parquet import text, write_columns
from titian.dataset.table import read_table
from titian.errors import InputError, Problem
from titian.stage import Context, Stage, StageResult
from titian.values import Replay

TOLERANCE = 1e-6
"""Iterations stop at a gain, and sums round differently on another processor."""


def run(
    settings: AnnotateSettings, inputs: Mapping[str, Path], context: Context
) -> StageResult:
    """Bring the labels together, and look at those who gave them.

    Raises:
        InputError: T-A352 the table lacks the column of tasks, T-A353 a task that the table
            does not hold, T-A355 a time that is none, and whatever is wrong with the files.
    """
    root = inputs["source"]
    reading, consensing, judging, planting = np.random.default_rng(context.seed).spawn(4)
    steps = 5
    context.progress("readings", 0, steps)
    table = read_table(root / settings.table)
    if settings.task not in table.columns:
        raise InputError(
            Problem(
                code="T-A352",
                message=f"$.annotate.task names the column {settings.task!r}, which "
                f"{table.name} lacks.",
                remedy=f"Name one of its columns: {', '.join(table.columns)}.",
            )
        )
    round_ = read_round(
        root / settings.labels,
        table,
        task=settings.task,
        subject=settings.subject if settings.subject in table.columns else None,
        rng=reading,
    )
    gold, answers = None, None
    if settings.gold is not None:
        from titian.annotation.crowds import read_gold

        gold = read_gold(root / settings.gold, round_.crowd).code
        readings = round_.readings
        answers = answers_to_gold(
            readings.task, readings.reader, readings.label, gold=gold, moment=readings.moment
        )
    context.progress("consensus", 1, steps)
    found = round_.consensus(method=settings.method, rng=consensing)
    others = say_of_others(round_.readings, found)
    context.progress("measures", 2, steps)
    paid = spending(round_, found, confidence=settings.confidence, terms=settings.terms)
    measured = measurements(
        round_,
        found,
        gold=gold,
        alpha=settings.alpha,
        confidence=settings.confidence,
        paid=paid,
        class_column=settings.class_column,
        rng=judging,
    )
    context.progress("findings", 3, steps)
    named = findings(
        round_,
        found,
        others,
        alpha=settings.alpha,
        confidence=settings.confidence,
        answers=answers,
        good=settings.good_reader,
    )
    context.progress("controls", 4, steps)
    caught = controls(
        round_.readings,
        others,
        method=settings.method,
        rng=planting,
        answers=answers,
        good=settings.good_reader,
    )
    drawn = figures(round_, others, alpha=settings.alpha, paid=paid)
    context.progress("figures", steps, steps)
    return StageResult(
        artifacts={
            "labels": _write_labels(round_, found, context.folder),
            "readers": _write_readers(round_, found, others, context.folder),
        },
        measurements=measured,
        findings=named,
        figures=drawn,
        controls=caught,
        replay=Replay(
            derivable=True,
            tolerance=TOLERANCE,
            reason="the same draws from the same seed; sums may round differently elsewhere",
        ),
    )


def _write_labels(round_: Round, found: Consensus, folder: Path) -> Path:
    names, tasks = round_.crowd.label.names, round_.crowd.task.names
    path = folder / "labels.parquet"
    write_labels(
        Labels(
            case=round_.case,
            task=text([tasks[code] for code in round_.task]),
            label=text([names[found.label[code]] for code in round_.task]),
            confidence=found.confidence[round_.task],
        ),
        path,
    )
    return path


def _write_readers(round_: Round, found: Consensus, others: Others, folder: Path) -> Path:
    """Write who is who: this table alone holds the readers' names."""
    count = round_.readings.readers
    named: list[str] = [""] * count
    for name, number in zip(round_.crowd.worker.names, round_.number.tolist(), strict=True):
        named[number - 1] = name
    told = others.told
    n = np.bincount(round_.readings.reader[told], minlength=count)
    agreed = np.bincount(
        round_.readings.reader[told], weights=others.agrees[told], minlength=count
    )
    path = folder / "readers.parquet"
    write_columns(
        {
            "reader": np.arange(1, count + 1),
            "name": text(named),
            "n": found.votes.astype(np.int64),
            "accuracy": found.accuracy,
            "agreement_with_others": np.where(n > 0, agreed / np.maximum(n, 1), np.nan),
            "spammer_score": found.spammer_score,
        },
        path,
    )
    return path


ANNOTATE: Stage[AnnotateSettings] = Stage(
    name="annotate",
    summary="Bring the labels of several readers together; look for careless ones.",
    reads=("source",),
    writes=("labels", "readers"),
    configure=configure,
    run=run,
    block="annotate",
    block_type=AnnotateBlock,
)
