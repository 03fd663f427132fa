"""Workers' answers to tasks whose label is known, in the order in which they were given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.annotation.consensus.votes import Floats, Ints
from titian.annotation.qualification import watch
from titian.annotation.readers import Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldAnswers:
    """Answers to gold, a worker's first answer to each task, in order.

    Attributes:
        worker: shape (n,), codes from 0.
        task: shape (n,), codes from 0.
        right: shape (n,), whether the answer is the known label.
        timed: whether the order is that of time; else that of the rows.
        repeated: answers left out because the worker had answered the task before.
    """

    worker: Ints
    task: Ints
    right: Bools
    timed: bool
    repeated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A worker whom the sequential test stops.

    Attributes:
        worker: code.
        after: gold answers after which the worker is stopped.
        right: right answers, of all that the worker gave.
        answers: all that the worker gave.
    """

    worker: int
    after: int
    right: int
    answers: int


def answers_to_gold(
    task: NDArray[Any],
    worker: NDArray[Any],
    label: NDArray[Any],
    *,
    gold: Ints,
    moment: Floats | None = None,
) -> GoldAnswers:
    """Pick the answers to gold out of the labels of a round.

    Args:
        task: shape (n,), codes from 0.
        worker: shape (n,), codes from 0.
        label: shape (n,), codes from 0.
        gold: shape (tasks,), the known label of each task, -1 where none is known; a code that
            no label has makes every answer wrong.
        moment: shape (n,), when each was given, NaN where it is not told; the rows' order
            counts where some answer to gold tells none.
    """
    rows = np.flatnonzero(gold[task] >= 0)
    timed = moment is not None and not np.isnan(moment[rows]).any()
    if moment is not None and timed:
        rows = rows[np.argsort(moment[rows], kind="stable")]
    pair = task[rows].astype(np.int64) * (int(worker.max(initial=0)) + 1) + worker[rows]
    first = np.sort(np.unique(pair, return_index=True)[1])
    kept = rows[first]
    return GoldAnswers(
        worker=worker[kept].astype(np.int64),
        task=task[kept].astype(np.int64),
        right=label[kept] == gold[task[kept]],
        timed=timed,
        repeated=len(rows) - len(kept),
    )


def find_failing(answers: GoldAnswers, *, good: float, level: float) -> tuple[Stopped, ...]:
    """Name workers whom the sequential test stops, those with the fewest answers first.

    Args:
        answers: to gold.
        good: accuracy from which a worker must not be stopped.
        level: most probability that any worker of at least that accuracy is ever stopped,
            over all workers together (Bonferroni's share for each).
    """
    workers = len(np.unique(answers.worker))
    if not workers:
        return ()
    seen = watch(answers.worker, answers.right, good=good, false_alarm=level / workers)
    found = [
        Stopped(
            worker=int(code),
            after=int(seen.stopped_at[code]),
            right=int(seen.right[code]),
            answers=int(seen.answers[code]),
        )
        for code in np.flatnonzero(seen.stopped_at)
    ]
    return tuple(sorted(found, key=lambda item: (item.after, item.worker)))
