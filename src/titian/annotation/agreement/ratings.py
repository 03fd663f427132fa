"""Ratings: how many labels of each class a task got, each distinct row of counts once.

A coefficient of agreement that treats workers alike sees a task only through its counts. A
million labels of four classes, five a task, make at most 56 distinct rows, so that a bootstrap
over tasks draws how often each row comes up instead of counting labels again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from titian.annotation.consensus.votes import Floats
from titian.errors import InputError, Problem

CACHE_CELLS = 32_768  # 256 KiB
BLOCK_CELLS = 20_000_000  # tasks x classes counted at once: 160 MB
MOST_CELLS = 250_000_000  # 2 GB of distinct rows are refused
KEY_SEED = 20_26


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratings:
    """The counts of labels by task.

    Attributes:
        counts: shape (rows, classes), each distinct row of counts, as float64; every row has
            at least one label.
        times: shape (rows,), how many tasks have that row.
    """

    counts: Floats
    times: Floats

    @property
    def per_task(self) -> Floats:
        """Shape (rows,): the number of labels of a task with that row."""
        return row_sums(self.counts)

    @property
    def tasks(self) -> int:
        """The number of tasks with at least one label."""
        return int(self.times.sum())

    @property
    def pairable(self) -> int:
        """The number of tasks with at least two labels."""
        return int(self.times[self.per_task >= 2].sum())

    def against_rest(self, place: int) -> Ratings:
        """Return the ratings with one class against all others, shape (rows, 2)."""
        one = self.counts[:, place]
        both = np.stack([one, self.per_task - one], axis=1)
        return merged(both, self.times)


def tabulate(
    task: ArrayLike, label: ArrayLike, *, classes: int | None = None, merge: bool = True
) -> Ratings:
    """Count the labels of each task.

    Args:
        task: shape (n,), integers from 0; one row per label, in any order.
        label: shape (n,), integers from 0; a missing label has no row.
        classes: number of classes; None for the largest code plus one.
        merge: bring equal rows together; False leaves one row per task, which is faster where
            one value without an interval is wanted.

    Raises:
        InputError: T-A200 the arrays are no codes, T-A201 too many tasks x classes.
    """
    tasks_of, labels_of = np.asarray(task), np.asarray(label)
    size = _check(tasks_of, labels_of, classes)
    tasks = int(tasks_of.max()) + 1
    if tasks * size <= BLOCK_CELLS:
        counts = _counted(tasks_of, labels_of, tasks, size)
        return merged(counts, None) if merge else _single(counts)
    order = np.argsort(tasks_of, kind="stable")
    tasks_of, labels_of = tasks_of[order], labels_of[order]
    step = max(BLOCK_CELLS // size, 1)
    found: list[Ratings] = []
    cells = 0
    for first in range(0, tasks, step):
        begin, end = np.searchsorted(tasks_of, [first, min(first + step, tasks)])
        if begin == end:
            continue
        part = _counted(tasks_of[begin:end] - first, labels_of[begin:end], step, size)
        found.append(merged(part, None))
        cells += found[-1].counts.size
        if cells > MOST_CELLS:
            raise _too_large(tasks, size)
    return merged(
        np.concatenate([part.counts for part in found]),
        np.concatenate([part.times for part in found]),
    )


def counted_blocks(
    task: ArrayLike, label: ArrayLike, *, classes: int | None = None
) -> Iterator[tuple[Floats, Floats]]:
    """Yield rows of counts, shape (some, classes), and how many tasks have each.

    Blocks are small enough to stay in the processor's cache; rows may repeat, and hold no
    label.

    Raises:
        InputError: T-A200.
    """
    tasks_of, labels_of = np.asarray(task), np.asarray(label)
    size = _check(tasks_of, labels_of, classes)
    tasks = int(tasks_of.max()) + 1
    if tasks * size > BLOCK_CELLS:
        whole = tabulate(tasks_of, labels_of, classes=size)
        yield whole.counts, whole.times
        return
    cell = np.multiply(tasks_of, size, dtype=np.int64)
    cell += labels_of
    counts = np.bincount(cell, minlength=tasks * size).reshape(tasks, size)
    step = max(CACHE_CELLS // size, 1)
    for first in range(0, tasks, step):
        block = counts[first : first + step].astype(np.float64)
        yield block, np.ones(len(block))


def row_sums(values: Floats) -> Floats:
    """Return the sum of each row; a product with ones is several times faster than `sum`."""
    found: Floats = values @ np.ones(values.shape[1])
    return found


def merged(counts: Floats, times: Floats | None) -> Ratings:
    """Return each distinct row of counts once; rows without a label are left out."""
    many = np.ones(len(counts)) if times is None else times
    filled = row_sums(counts) > 0
    if not filled.all():
        counts, many = counts[filled], many[filled]
    key = _keys(counts)
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    if not np.array_equal(counts[first][place], counts):  # two rows with one key
        _, first, place = np.unique(counts, axis=0, return_index=True, return_inverse=True)
        place = place.reshape(-1)
    total: Floats = np.bincount(place, weights=many, minlength=len(first)).astype(np.float64)
    return Ratings(counts=counts[first], times=total)


def _keys(counts: Floats) -> NDArray[np.int64]:
    """Return a number per row: exact where the counts are small, else a random sum."""
    most = int(counts.max(initial=0)) + 1
    classes = counts.shape[1]
    if most**classes < 2**53:
        radix = np.asarray([most**k for k in range(classes)], dtype=np.float64)
        return (counts @ radix).astype(np.int64)
    factors = np.random.default_rng(KEY_SEED).integers(-(2**40), 2**40, size=classes)
    return counts.astype(np.int64) @ factors


def _single(counts: Floats) -> Ratings:
    return Ratings(counts=counts, times=np.ones(len(counts)))


def _counted(task: NDArray[Any], label: NDArray[Any], tasks: int, size: int) -> Floats:
    cell = task.astype(np.int64)
    cell *= size
    cell += label
    return np.bincount(cell, minlength=tasks * size).reshape(tasks, size).astype(np.float64)


def _check(task: NDArray[Any], label: NDArray[Any], classes: int | None) -> int:
    problems = []
    if task.ndim != 1 or task.shape != label.shape or not task.size:
        problems.append(
            f"task has the shape {task.shape} and label the shape {label.shape}; "
            "they are two arrays of one length, at least 1."
        )
    for name, codes in (("task", task), ("label", label)):
        if codes.size and codes.dtype.kind not in "iu":
            problems.append(f"{name} has the type {codes.dtype}; codes are integers from 0.")
        elif codes.size and int(codes.min()) < 0:
            problems.append(f"{name} holds {int(codes.min())}; codes are integers from 0.")
    if not problems and classes is not None and int(label.max()) >= classes:
        problems.append(f"label holds {int(label.max())}; codes are below {classes}.")
    if problems:
        raise InputError(
            *(
                Problem(
                    code="T-A200",
                    message=message,
                    remedy="Give one row of codes per label; a missing label has no row.",
                )
                for message in problems
            )
        )
    return int(label.max()) + 1 if classes is None else classes


def _too_large(tasks: int, classes: int) -> InputError:
    return InputError(
        Problem(
            code="T-A201",
            message=f"{tasks} tasks of {classes} classes have more than {MOST_CELLS} distinct "
            "counts, the most that are held.",
            remedy="Group rare classes, or take a sample of the tasks.",
        )
    )
