"""Reading what a crowd wrote: labels, gold and a model's probabilities.

Labels are CSV (UTF-8) or Parquet with the columns task, worker and label, and optionally
site, seconds, cost and time. Task, worker and label are text and come back verbatim: nothing
is trimmed, folded or read as a number. Ten million rows are read into codes and names, never
into ten million strings.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.annotation.consensus.crowdlab import probability_problems
from titian.annotation.consensus.votes import Votes, gather
from titian.annotation.crowd_tables import (
    NUMBERS,
    SHOWN,
    Column,
    Floats,
    more,
    need,
    number_column,
    open_table,
    place_of,
    refused,
    text_column,
)
from titian.errors import InputError, Problem

NEEDED = ("task", "worker", "label")
TEXT = ("site", "time")
GOLD_TEXT = ("skill", "language")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The labels of a crowd.

    Attributes:
        name: file name, for messages.
        task: tasks in order of first appearance.
        worker: workers in order of first appearance.
        label: classes, in numeric order when all are integers, else in order of text.
        text: the optional columns site and time, as far as the file has them.
        numbers: the optional columns seconds and cost, NaN where a cell is empty.
        notes: what a reader should know, one sentence each.
    """

    name: str
    task: Column
    worker: Column
    label: Column
    text: dict[str, Column]
    numbers: dict[str, Floats]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.task.code)

    def votes(self) -> Votes:
        """Sort the votes for the models of titian.annotation.consensus."""
        return gather(
            self.task.code,
            self.worker.code,
            self.label.code,
            tasks=len(self.task.names),
            workers=len(self.worker.names),
            classes=len(self.label.names),
        )

    def with_classes(self, names: tuple[str, ...]) -> Crowd:
        """Return the same crowd with its classes numbered as in `names`, which has them all."""
        place = {name: code for code, name in enumerate(names)}
        table = np.asarray([place[name] for name in self.label.names], dtype=np.int32)
        return replace(self, label=Column(code=table[self.label.code], names=names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Known labels of some tasks of a crowd.

    Attributes:
        code: shape (tasks,), the class of each task of the crowd; -1 where none is known. A
            class that nobody named has a code of len(crowd.label.names) or more: a consensus
            of this crowd is wrong there.
        names: the crowd's classes, then those that only gold names.
        skill: shape (tasks,), index into `skills`; -1 where there is no gold.
        skills: pairs of skill and language; empty texts where the file has no such column.
        notes: what a reader should know, one sentence each.
    """

    code: NDArray[np.int64]
    names: tuple[str, ...]
    skill: NDArray[np.int64]
    skills: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """A model's probabilities for the tasks of a crowd.

    Attributes:
        value: shape (tasks, classes), rows in the crowd's order of tasks.
        names: the classes, in order of column: the crowd's and those only the model knows.
        notes: what a reader should know, one sentence each.
    """

    value: Floats
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_crowd(path: Path) -> Crowd:
    """Read the labels of a crowd.

    Raises:
        InputError: the file cannot be read (T-A020), lacks a column (T-A021), has empty cells
            (T-A022), numbers that are none (T-A023), or is damaged (T-D002 to T-D009, T-A024).
            All problems of the cells together.
    """
    table = open_table(path)
    need(table, NEEDED, path.name)
    problems: list[Problem] = []
    columns = {name: text_column(table, name, path.name, problems) for name in NEEDED}
    text = {
        name: text_column(table, name, path.name, problems, empty=True)
        for name in TEXT
        if name in table.column_names
    }
    numbers = {
        name: number_column(table, name, path.name, problems)
        for name in NUMBERS
        if name in table.column_names
    }
    if problems:
        raise InputError(*problems)
    unread = [c for c in table.column_names if c not in (*NEEDED, *TEXT, *NUMBERS)]
    notes = [f"The columns {', '.join(unread)} of {path.name} are not read."] if unread else []
    label = _ordered(columns["label"])
    notes += _alike(label.names, path.name)
    return Crowd(
        name=path.name,
        task=columns["task"],
        worker=columns["worker"],
        label=label,
        text=text,
        numbers=numbers,
        notes=tuple(notes),
    )


def encode_labels(task: list[str], worker: list[str], label: list[str]) -> Crowd:
    """Encode three lists of text as `read_crowd` does.

    Raises:
        InputError: T-A001 the lengths differ, T-A002 there are no rows.
    """
    lengths = {"task": len(task), "worker": len(worker), "label": len(label)}
    if len(set(lengths.values())) > 1 or not task:
        shown = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise InputError(
            Problem(
                code="T-A001" if task or worker or label else "T-A002",
                message=f"task, worker and label have the lengths {shown}; "
                "they are three lists of one length, at least 1.",
                remedy="Give one row per vote.",
            )
        )
    encoded = [_encode(values) for values in (task, worker, label)]
    return Crowd(
        name="labels",
        task=encoded[0],
        worker=encoded[1],
        label=_ordered(encoded[2]),
        text={},
        numbers={},
    )


def read_gold(path: Path, crowd: Crowd) -> Gold:
    """Read the known labels of some tasks: task, label, and optionally skill and language.

    Gold of a task that the crowd never saw is left out, with a note; a class that nobody
    named stays, and every consensus is wrong there.

    Raises:
        InputError: as `read_crowd`; T-A025 a task has two golds, T-A026 the crowd has no task
            of gold.
    """
    table = open_table(path)
    need(table, ("task", "label"), path.name)
    problems: list[Problem] = []
    task = text_column(table, "task", path.name, problems)
    label = text_column(table, "label", path.name, problems)
    trained = [
        text_column(table, name, path.name, problems, empty=True)
        for name in GOLD_TEXT
        if name in table.column_names
    ]
    if problems:
        raise InputError(*problems)
    first = np.full(len(task.names), -1, dtype=np.int64)
    first[task.code[::-1]] = label.code[::-1]
    clash = np.flatnonzero(first[task.code] != label.code)
    if len(clash):
        row = int(clash[0])
        name = task.names[task.code[row]]
        other = label.names[first[task.code[row]]]
        raise refused(
            "T-A025",
            f"{path.name} gives {len(clash)} tasks a second gold label (first: task {name!r} "
            f"is {other!r}, and {label.names[label.code[row]]!r} at {place_of(row)}); "
            "a task has one.",
            "Remove all but the right one.",
        )
    known = {name: place for place, name in enumerate(crowd.task.names)}
    place = np.asarray([known.get(name, -1) for name in task.names], dtype=np.int64)
    if not (place >= 0).any():
        raise refused(
            "T-A026",
            f"none of the {len(place)} tasks of {path.name} has a label in {crowd.name} "
            f"(first: {task.names[0]!r}; there: {crowd.task.names[0]!r}).",
            "Check that both files name tasks alike.",
        )
    found = _placed_gold(crowd, label, first, place, path.name)
    skill, skills = _skills(table.column_names, trained, len(task.code))
    home = np.zeros(len(task.names), dtype=np.int64)
    home[task.code[::-1]] = np.arange(len(task.code))[::-1]  # a task's first row
    of_task = np.full(len(crowd.task.names), -1, dtype=np.int64)
    of_task[place[place >= 0]] = skill[home[place >= 0]]
    return replace(found, skill=of_task, skills=skills)


def _skills(
    columns: list[str], trained: list[Column], rows: int
) -> tuple[NDArray[np.int64], tuple[tuple[str, str], ...]]:
    """Return each row's pair of skill and language as a code, and the pairs."""
    given = iter(trained)
    empty = Column(code=np.zeros(rows, dtype=np.int32), names=("",))
    skill, language = (next(given) if name in columns else empty for name in GOLD_TEXT)
    many = len(language.names)
    used, code = np.unique(
        skill.code.astype(np.int64) * many + language.code, return_inverse=True
    )
    pairs = tuple((skill.names[i // many], language.names[i % many]) for i in used.tolist())
    return code.astype(np.int64), pairs


def read_probabilities(path: Path, crowd: Crowd) -> Probabilities:
    """Read a model's probabilities: a column task and one column per class.

    Raises:
        InputError: as `read_crowd`; T-A027 a class has no column, T-A028 a task has no row or
            two, T-A007 values that are no probability, T-A008 sums that are not 1.
    """
    table = open_table(path)
    need(table, ("task",), path.name)
    problems: list[Problem] = []
    task = text_column(table, "task", path.name, problems)
    columns = [name for name in table.column_names if name != "task"]
    absent = [name for name in crowd.label.names if name not in columns]
    if absent:
        problems.append(
            Problem(
                code="T-A027",
                message=f"{path.name} has no column for the classes "
                f"{', '.join(map(repr, absent[:SHOWN]))}{more(absent)}; "
                "there is one column per label.",
                remedy="Add the columns, named as the labels are written.",
            )
        )
    problems += _task_problems(task, crowd, path.name)
    names = _class_order([*crowd.label.names, *(c for c in columns if c not in absent)])
    if not problems:
        value = np.stack(
            [
                number_column(table, name, path.name, problems, probability=True)
                for name in names
            ],
            axis=1,
        )
        if not problems:
            row = {task.names[code]: i for i, code in enumerate(task.code)}
            value = value[[row[name] for name in crowd.task.names]]
            problems += probability_problems(value)
            if not problems:
                known = set(crowd.task.names)
                outside = [name for name in task.names if name not in known]
                note = (
                    f"{len(outside)} of {len(task.names)} tasks of {path.name} have no label "
                    f"in {crowd.name}: left out."
                )
                return Probabilities(value=value, names=names, notes=(note,) if outside else ())
    raise InputError(*problems)


def _task_problems(task: Column, crowd: Crowd, name: str) -> list[Problem]:
    times = np.bincount(task.code, minlength=len(task.names))
    twice = [task.names[i] for i in np.flatnonzero(times > 1)]
    have = set(task.names)
    absent = [other for other in crowd.task.names if other not in have]
    problems = []
    for what, which in (("no row", absent), ("two rows or more", twice)):
        if which:
            problems.append(
                Problem(
                    code="T-A028",
                    message=f"{len(which)} tasks have {what} in {name} "
                    f"({', '.join(map(repr, which[:SHOWN]))}{more(which)}); each task that "
                    "was labelled has one.",
                    remedy="Give each task one row.",
                )
            )
    return problems


def _placed_gold(
    crowd: Crowd, label: Column, first: NDArray[np.int64], place: NDArray[np.int64], name: str
) -> Gold:
    classes = {text: code for code, text in enumerate(crowd.label.names)}
    for text in sorted(set(label.names) - set(classes)):
        classes[text] = len(classes)
    table = np.asarray([classes[text] for text in label.names], dtype=np.int64)
    code = np.full(len(crowd.task.names), -1, dtype=np.int64)
    code[place[place >= 0]] = table[first[place >= 0]]
    notes = []
    outside = int((place < 0).sum())
    if outside:
        notes.append(f"{outside} tasks of {name} have no label in {crowd.name}: left out.")
    unnamed = list(classes)[len(crowd.label.names) :]
    if unnamed:
        notes.append(
            f"Nobody named {', '.join(map(repr, unnamed[:SHOWN]))}{more(unnamed)}, which "
            f"{name} holds: every consensus is wrong there."
        )
    return Gold(
        code=code,
        names=tuple(classes),
        skill=np.where(code >= 0, 0, -1),
        skills=(("", ""),),
        notes=tuple(notes),
    )


def _alike(names: tuple[str, ...], name: str) -> list[str]:
    folded: dict[str, list[str]] = {}
    for text in names:
        key = unicodedata.normalize("NFKC", text).strip().casefold()
        folded.setdefault(key, []).append(text)
    return [
        f"{name} has labels that differ only in spaces, case or Unicode form and count as "
        f"different classes: {', '.join(map(repr, group))}."
        for group in folded.values()
        if len(group) > 1
    ]


def _class_order(names: list[str]) -> tuple[str, ...]:
    unique = list(dict.fromkeys(names))
    if all(text.isascii() and text.lstrip("-").isdigit() for text in unique):
        return tuple(sorted(unique, key=lambda text: (int(text.lstrip("-") or 0), text)))
    return tuple(sorted(unique))


def _ordered(column: Column) -> Column:
    names = _class_order(list(column.names))
    place = {text: code for code, text in enumerate(names)}
    table = np.asarray([place[text] for text in column.names], dtype=np.int32)
    return Column(code=table[column.code], names=names)


def _encode(values: list[str]) -> Column:
    place: dict[str, int] = {}
    code = np.fromiter(
        (place.setdefault(text, len(place)) for text in values), np.int32, count=len(values)
    )
    return Column(code=code, names=tuple(place))
