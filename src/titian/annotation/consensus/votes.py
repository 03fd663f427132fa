"""Votes: who gave which label to which task, sorted by task once.

Every model of the crowd needs two sums: over the votes of a task (E-step) and over the votes
of a worker (M-step). Both are products with one sparse matrix, tasks x (worker, label), so
that the votes are sorted once and no step loops over tasks or workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from titian.errors import InputError, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]

SHOWN = 5  # places named in one message; the rest are counted
CONFUSION_CELLS = 200_000_000  # 1.6 GB of float64: more workers x classes^2 are refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """The votes of a crowd, merged: n distinct (task, worker, label) with their counts.

    Attributes:
        tasks: number of tasks, those without a vote included.
        workers: number of workers, those without a vote included.
        classes: number of classes, at least 2 (a crowd of one class gets an empty second).
        starts: shape (tasks + 1,), where each task's votes start.
        column: shape (n,), worker * classes + label, in order of task, then of column.
        count: shape (n,), how often that vote was cast, as float64.
        repeated: how many votes repeat a (task, worker) pair that has an earlier vote.
    """

    tasks: int
    workers: int
    classes: int
    starts: Codes
    column: Codes
    count: Floats
    repeated: int

    @property
    def total(self) -> float:
        """The number of votes, repeated ones included."""
        return float(self.count.sum())

    @property
    def worker(self) -> Codes:
        """Shape (n,): the worker of each distinct vote."""
        found: Codes = self.column // self.classes
        return found

    @property
    def label(self) -> Codes:
        """Shape (n,): the label of each distinct vote."""
        found: Codes = self.column % self.classes
        return found

    @property
    def task(self) -> Codes:
        """Shape (n,): the task of each distinct vote."""
        found: Codes = np.repeat(
            np.arange(self.tasks, dtype=self.column.dtype), np.diff(self.starts)
        )
        return found

    @property
    def cell(self) -> Ints:
        """Shape (n,): task * classes + label, the place of each vote in a posterior."""
        found: Ints = self.task.astype(np.int64)
        found *= self.classes
        found += self.label
        return found

    def matrix(self) -> sparse.csr_matrix:
        """Return the sparse matrix of counts, shape (tasks, workers * classes)."""
        shape = (self.tasks, self.workers * self.classes)
        return sparse.csr_matrix(
            (self.count, self.column, self.starts), shape=shape, copy=False
        )

    def per_task(self) -> Floats:
        """Return the number of votes of each task, shape (tasks,)."""
        filled = np.flatnonzero(np.diff(self.starts))
        votes = np.zeros(self.tasks)
        if len(filled):
            votes[filled] = np.add.reduceat(self.count, self.starts[filled])
        return votes

    def per_worker(self) -> Floats:
        """Return the number of votes of each worker, shape (workers,)."""
        return tally(self.worker, self.count, self.workers)

    def per_label(self) -> Floats:
        """Return the number of votes for each class, shape (classes,)."""
        return tally(self.label, self.count, self.classes)

    def shares(self, weight: Floats | None = None) -> Floats:
        """Return the (weighted) share of votes for each class, shape (tasks, classes).

        Args:
            weight: shape (workers,), the weight of each worker's votes; None for ones.

        Returns:
            Rows sum to 1; a task whose votes weigh nothing gets the overall shares.
        """
        weights = np.ones(self.workers) if weight is None else weight
        each = weights[:, None, None] * np.eye(self.classes)
        found: Floats = self.matrix() @ each.reshape(-1, self.classes)
        whole = found @ np.ones(self.classes)  # numpy adds short rows slowly
        empty = whole <= 0
        if empty.any():
            found[empty] = self.per_label() / self.total
            whole[empty] = 1.0
        found /= whole[:, None]
        return found


def tally(place: Codes, weight: Floats, size: int) -> Floats:
    """Return the sum of the weights at each of `size` places."""
    found: Floats = np.bincount(place, weights=weight, minlength=size).astype(
        np.float64, copy=False
    )
    return found


def gather(
    task: ArrayLike,
    worker: ArrayLike,
    label: ArrayLike,
    *,
    tasks: int | None = None,
    workers: int | None = None,
    classes: int | None = None,
) -> Votes:
    """Check three arrays of codes and sort them by task.

    Args:
        task: shape (n,), integers from 0; order is free, pairs may repeat.
        worker: shape (n,), integers from 0.
        label: shape (n,), integers from 0; a missing label is a missing row, not a code.
        tasks: number of tasks; None for the largest code plus one.
        workers: number of workers; None for the largest code plus one.
        classes: number of classes; None for the largest code plus one.

    Raises:
        InputError: T-A001 to T-A005, T-A014; all problems together.
    """
    columns = {
        "task": np.asarray(task),
        "worker": np.asarray(worker),
        "label": np.asarray(label),
    }
    limits = {"task": tasks, "worker": workers, "label": classes}
    _check(columns, limits)
    sizes = {
        name: limits[name] if limits[name] is not None else int(codes.max()) + 1
        for name, codes in columns.items()
    }
    size = {name: int(n or 0) for name, n in sizes.items()}
    size["label"] = max(size["label"], 2)
    cells = size["worker"] * size["label"] ** 2
    if cells > CONFUSION_CELLS:
        raise InputError(
            Problem(
                code="T-A014",
                message=f"{size['worker']} workers and {size['label']} classes need confusion "
                f"tables of {cells} numbers; the limit is {CONFUSION_CELLS}.",
                remedy="Group rare classes, or split the labels by site.",
            )
        )
    return _sorted(columns, size)


def _check(columns: dict[str, NDArray[Any]], limits: dict[str, int | None]) -> None:
    problems: list[Problem] = []
    lengths = {name: codes.shape for name, codes in columns.items()}
    if any(codes.ndim != 1 for codes in columns.values()) or len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {shape}" for name, shape in lengths.items())
        problems.append(
            Problem(
                code="T-A001",
                message=f"task, worker and label have the shapes {shown}; "
                "they are three arrays of one length.",
                remedy="Give one row per vote.",
            )
        )
    elif not len(columns["task"]):
        problems.append(
            Problem(
                code="T-A002",
                message="there are no votes; a consensus needs at least one.",
                remedy="Give at least one row of task, worker and label.",
            )
        )
    for name, codes in columns.items():
        problems += _code_problems(name, codes, limits[name])
    if problems:
        raise InputError(*problems)


def _code_problems(name: str, codes: NDArray[Any], limit: int | None) -> list[Problem]:
    if codes.dtype.kind not in "iu":
        if not codes.size:
            return []  # an empty list is float64 to numpy; that it is empty was said
        return [
            Problem(
                code="T-A003",
                message=f"{name} has the type {codes.dtype}; codes are integers from 0.",
                remedy="Encode text with titian.annotation.encode_labels.",
            )
        ]
    if not codes.size or codes.ndim != 1:
        return []
    problems = []
    if int(codes.min()) < 0:
        below = np.flatnonzero(codes < 0)
        problems.append(
            Problem(
                code="T-A004",
                message=f"{name} is negative in {len(below)} rows "
                f"(first: {int(codes[below[0]])} at row {below[0]}); "
                "codes are integers from 0.",
                remedy="Leave out rows without a label; a missing vote has no row.",
            )
        )
    if limit is not None and int(codes.max()) >= limit:
        above = np.flatnonzero(codes >= limit)
        problems.append(
            Problem(
                code="T-A005",
                message=f"{name} has {len(above)} codes beyond the {limit} stated "
                f"(first: {int(codes[above[0]])} at row {above[0]}); "
                f"codes are below the number stated.",
                remedy="Correct the codes or the number.",
            )
        )
    return problems


def _sorted(columns: dict[str, NDArray[Any]], size: dict[str, int]) -> Votes:
    wide = size["worker"] * size["label"]
    dtype = np.int32 if max(wide, size["task"], len(columns["task"])) < 2**31 else np.int64
    column: Codes = columns["worker"].astype(dtype)
    np.multiply(column, size["label"], out=column)
    np.add(column, columns["label"], out=column, casting="unsafe")
    row = columns["task"].astype(dtype)
    matrix = sparse.coo_matrix(
        (np.ones(len(row)), (row, column)), shape=(size["task"], wide), copy=False
    ).tocsr()  # sums equal votes and sorts each task's columns
    starts, column = matrix.indptr, matrix.indices
    pair = column // dtype(size["label"])
    same = pair[1:] == pair[:-1]
    borders = starts[1:-1]
    same[borders[(borders > 0) & (borders < len(column))] - 1] = False
    distinct = len(column) - int(same.sum())
    return Votes(
        tasks=size["task"],
        workers=size["worker"],
        classes=size["label"],
        starts=starts,
        column=column,
        count=matrix.data,
        repeated=len(row) - distinct,
    )
