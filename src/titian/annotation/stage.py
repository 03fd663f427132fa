"""The ``annotate`` stage: from raw labels to consensus labels and records of readers.

Names of readers stay in the artifact ``readers``, which stays at the site: measurements,
findings and figures know them by numbers, given in a random order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from titian.annotation.account import figures, measurements
from titian.annotation.consensus import METHODS, Consensus
from titian.annotation.faults import controls
from titian.annotation.readers import Others, say_of_others
from titian.annotation.readings import Round, read_round
from titian.annotation.suspicions import findings
from titian.dataset.labels import Labels, write_labels
from titian.dataset.parquet import text, write_columns
from titian.dataset.table import read_table
from titian.errors import InputError, Problem
from titian.stage import Context, Stage, StageResult
from titian.values import Project, Replay

CONFIDENCE = 0.95
TOLERANCE = 1e-6
"""Iterations stop at a gain, and sums round differently on another processor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateBlock:
    """The ``annotate`` block.

    Attributes:
        labels: CSV or Parquet of raw labels, relative to the data folder: task, worker,
            label, and optionally site, seconds, cost, time.
        task: column of the table that names tasks; the image column where it is left out.
        method: how labels are brought together; ``auto`` chooses and says why.
        confidence: a label below it is escalated, in (0.5, 1).
        gold: CSV or Parquet of known labels (task, label), for the report alone.
        pay_per_label: what one label costs, where the labels have no column cost.
        currency: of the costs, such as USD.
    """

    labels: str
    task: str | None = None
    method: str = "auto"
    confidence: float = CONFIDENCE
    gold: str | None = None
    pay_per_label: float | None = None
    currency: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """What it names in the data folder."""
        return (self.labels,) if self.gold is None else (self.labels, self.gold)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateSettings:
    """What the stage depends on besides the data; other attributes as in `AnnotateBlock`.

    Attributes:
        table: the project's table.
        class_column: its label column, which names the class in a subgroup.
        subject: its column of subjects, or None.
        alpha: one minus the coverage of the intervals.
    """

    labels: str
    task: str
    method: str
    confidence: float
    gold: str | None
    pay_per_label: float | None
    currency: str
    table: str
    class_column: str
    subject: str | None
    alpha: float


def configure(project: Project) -> AnnotateSettings | None:
    """Return the settings, or None when the project has no ``annotate`` block.

    Raises:
        InputError: T-A352 no column names tasks, T-A354 a value out of its range, T-A356 an
            unknown method; all found are raised together.
    """
    block = project.blocks.get("annotate")
    if block is None:
        return None
    if not isinstance(block, AnnotateBlock):
        raise TypeError(f"block 'annotate' is a {type(block).__name__}")
    task = block.task or project.data.image
    problems = _problems(block, task)
    if problems or task is None:
        raise InputError(*problems)
    return AnnotateSettings(
        labels=block.labels,
        task=task,
        method=block.method,
        confidence=block.confidence,
        gold=block.gold,
        pay_per_label=block.pay_per_label,
        currency=block.currency,
        table=project.data.table,
        class_column=project.data.label,
        subject=project.data.subject,
        alpha=project.alpha,
    )


def _problems(block: AnnotateBlock, task: str | None) -> list[Problem]:
    problems = []
    if task is None:
        problems.append(
            Problem(
                code="T-A352",
                message="$.annotate.task is missing and the data have no images; a column of "
                "the table says which task each label is about.",
                remedy="Name it, for example task: record_id.",
            )
        )
    if not 0.5 < block.confidence < 1.0:
        problems.append(
            Problem(
                code="T-A354",
                message=f"$.annotate.confidence is {block.confidence:g}; it lies between 0.5 "
                "and 1, both excluded.",
                remedy=f"Leave it out for {CONFIDENCE:g}.",
            )
        )
    if block.pay_per_label is not None and not 0.0 <= block.pay_per_label < np.inf:
        problems.append(
            Problem(
                code="T-A354",
                message=f"$.annotate.pay_per_label is {block.pay_per_label:g}; pay is a number "
                "of at least 0.",
                remedy="Give the pay for one label, such as 0.12.",
            )
        )
    methods = [name for name in METHODS if name != "crowdlab"]
    if block.method not in methods:
        problems.append(
            Problem(
                code="T-A356",
                message=f"$.annotate.method is {block.method!r}; here the methods are "
                f"{', '.join(methods)}.",
                remedy="Leave it out for auto.",
            )
        )
    return problems


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
    gold = None
    if settings.gold is not None:
        from titian.annotation.crowds import read_gold

        gold = read_gold(root / settings.gold, round_.crowd).code
    context.progress("consensus", 1, steps)
    found = round_.consensus(method=settings.method, rng=consensing)
    others = say_of_others(round_.readings, found)
    context.progress("measures", 2, steps)
    measured = measurements(
        round_,
        found,
        gold=gold,
        alpha=settings.alpha,
        confidence=settings.confidence,
        pay_per_label=settings.pay_per_label,
        currency=settings.currency,
        class_column=settings.class_column,
        rng=judging,
    )
    context.progress("findings", 3, steps)
    named = findings(
        round_, found, others, alpha=settings.alpha, confidence=settings.confidence
    )
    context.progress("controls", 4, steps)
    caught = controls(round_.readings, others, method=settings.method, rng=planting)
    drawn = figures(
        round_,
        found,
        others,
        alpha=settings.alpha,
        confidence=settings.confidence,
        pay_per_label=settings.pay_per_label,
        currency=settings.currency,
    )
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
