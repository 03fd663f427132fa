"""From a project's raw labels to codes: which label is about which cases of the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from titian.annotation.consensus import Consensus, consensus
from titian.annotation.crowds import Crowd, read_crowd
from titian.annotation.readers import Floats, Ints, Readings
from titian.dataset.table import Table
from titian.errors import InputError, Problem

SHOWN = 5  # places named in one message; the rest are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """An annotation round: raw labels beside the cases that they are about.

    Attributes:
        crowd: the labels as written; workers keep their names here and nowhere else.
        readings: the same as codes; readers are renumbered in a random order, from 0.
        number: shape (workers,), the number of each worker of the crowd, from 1.
        case: shape (m,), rows of the table, counted from 0, that have a label.
        task: shape (m,), the task of each such row.
        cases: how many rows the table has.
    """

    crowd: Crowd
    readings: Readings
    number: Ints
    case: Ints
    task: Ints
    cases: int

    def consensus(self, *, method: str, rng: np.random.Generator) -> Consensus:
        """Bring the labels together; workers are the renumbered readers."""
        return consensus(
            self.readings.task,
            self.readings.reader,
            self.readings.label,
            method=method,
            rng=rng,
            tasks=self.readings.tasks,
            workers=self.readings.readers,
            classes=self.readings.classes,
        )

    def cases_of(self, tasks: Ints) -> Ints:
        """Return the sorted cases of some tasks."""
        return np.sort(self.case[np.isin(self.task, tasks)])


def read_round(
    path: Path, table: Table, *, task: str, subject: str | None, rng: np.random.Generator
) -> Round:
    """Read raw labels and find the cases that they are about.

    Args:
        path: CSV or Parquet with task, worker, label.
        table: the project's table.
        task: its column that names tasks; rows of one name share the label.
        subject: its column that says whose cases they are, or None.
        rng: draws the readers' numbers.

    Raises:
        InputError: T-A353 a task that the table does not hold, T-A355 a time that is none;
            as `read_crowd`.
    """
    crowd = read_crowd(path)
    rows: dict[str, list[int]] = {}
    for row, cell in enumerate(table.columns[task]):
        rows.setdefault(cell, []).append(row)
    problems = []
    strange = [name for name in crowd.task.names if name not in rows]
    if strange:
        shown = ", ".join(map(repr, strange[:SHOWN]))
        more = f" and {len(strange) - SHOWN} more" if len(strange) > SHOWN else ""
        problems.append(
            Problem(
                code="T-A353",
                message=f"{path.name} labels {len(strange)} tasks that column {task!r} of "
                f"{table.name} does not hold ({shown}{more}).",
                remedy="Name tasks as the table does, or take those labels out.",
            )
        )
    moment = moments(crowd, problems)
    if problems:
        raise InputError(*problems)
    places = [(row, code) for code, name in enumerate(crowd.task.names) for row in rows[name]]
    placed = np.asarray(sorted(places), dtype=np.int64)
    cluster = np.arange(len(crowd.task.names))
    if subject is not None:
        owners = [table.columns[subject][rows[name][0]] for name in crowd.task.names]
        cluster = np.unique(owners, return_inverse=True)[1]
    order = rng.permutation(len(crowd.worker.names))
    site = crowd.text.get("site")
    sites: tuple[str, ...] = ()
    where = None
    if site is not None:
        blank = np.asarray([not name.strip() for name in site.names])
        where = np.where(blank[site.code], -1, site.code).astype(np.int64)
        sites = site.names
    readings = Readings(
        task=crowd.task.code.astype(np.int64),
        reader=order[crowd.worker.code].astype(np.int64),
        label=crowd.label.code.astype(np.int64),
        tasks=len(crowd.task.names),
        readers=len(crowd.worker.names),
        classes=max(len(crowd.label.names), 2),
        cluster=cluster.astype(np.int64),
        site=where,
        sites=sites,
        moment=moment,
    )
    return Round(
        crowd=crowd,
        readings=readings,
        number=order + 1,
        case=placed[:, 0],
        task=placed[:, 1],
        cases=len(table),
    )


def moments(crowd: Crowd, problems: list[Problem]) -> Floats | None:
    """Return the column ``time`` on one scale: all numbers, or all dates of ISO 8601."""
    column = crowd.text.get("time")
    if column is None:
        return None
    named = [name for name in column.names if name.strip()]
    for reading in (float, _naive, _aware):
        try:
            value = {name: float(reading(name)) for name in named}
        except (ValueError, OverflowError):
            continue
        at = np.asarray([value.get(name, np.nan) for name in column.names], dtype=np.float64)
        return at[column.code]
    problems.append(
        Problem(
            code="T-A355",
            message=f"column 'time' of {crowd.name} holds {_odd(named)!r}; times are all "
            "numbers, or all of ISO 8601 (2026-03-04T10:30:00), all with a zone or all "
            "without.",
            remedy="Write all times in one way, or leave the column out.",
        )
    )
    return None


def _naive(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    return (moment - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 - no zone is told


def _aware(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()


def _odd(named: list[str]) -> str:
    """Return the first time that is not written as the first one is."""
    kinds = [
        next((i for i, r in enumerate((float, _naive, _aware)) if _reads(r, n)), -1)
        for n in named
    ]
    return next((n for n, k in zip(named, kinds, strict=True) if k < 0 or k != kinds[0]), "")


def _reads(reading: object, text: str) -> bool:
    try:
        reading(text)  # type: ignore[operator]  # one of three functions of text
    except (ValueError, OverflowError):
        return False
    return True
