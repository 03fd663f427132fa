"""Simulated crowds of many kinds, on which every constant of this package is fixed.

A vote is drawn from a softmax over classes: the worker's ability times the task's easiness
speaks for the truth; the crowd's and the worker's own confusions, habits, task-specific lures
and spam speak against it. A kind is a set of scales; the numbers within a kind are drawn anew
for each crowd, so that no rule can fit one table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a kind of crowd is like; spans are drawn from uniformly for each crowd.

    Attributes:
        classes: numbers of classes to draw from.
        tasks: number of tasks.
        votes_per_task: mean number of votes of a task.
        votes_per_worker: mean number of votes of a worker.
        tail: 0 for equally busy workers; 2 for a few who do nearly all.
        skew: 0 for equal classes; 2 for one that is nearly all.
        ability: mean of the workers' log-odds for the truth.
        ability_spread: standard deviation of the workers' abilities.
        habit: standard deviation of each worker's liking of each class.
        confusion: standard deviation of each worker's own table of confusions.
        crowd_confusion: standard deviation of the table that all workers share.
        difficulty: standard deviation of the logarithm of the tasks' easiness.
        lure: standard deviation of what each task whispers to everybody.
        spammers: share of workers who ignore the task.
        colluders: share of workers who copy one of a few leaders.
        crowd_habit: standard deviation of what all workers like of each class.
        hard: mean share of tasks whose evidence is weak or points to one wrong class; the
            classes share it unevenly, so that errors go mostly one way.
        ordinal: the classes are ordered, and near ones are confused.
    """

    classes: tuple[int, ...] = (2, 3, 4, 5)
    tasks: Span = (300, 2000)
    votes_per_task: Span = (3, 10)
    votes_per_worker: Span = (20, 150)
    tail: Span = (0.0, 1.5)
    skew: Span = (0.0, 0.8)
    ability: Span = (1.0, 2.5)
    ability_spread: Span = (0.3, 1.0)
    habit: Span = (0.0, 0.3)
    confusion: Span = (0.0, 0.3)
    crowd_confusion: Span = (0.0, 0.3)
    difficulty: Span = (0.0, 0.3)
    lure: Span = (0.0, 0.3)
    spammers: Span = (0.0, 0.1)
    colluders: Span = (0.0, 0.0)
    crowd_habit: Span = (0.0, 0.0)
    hard: Span = (0.0, 0.0)
    ordinal: bool = False


KINDS: dict[str, Kind] = {
    "one coin": Kind(habit=(0, 0), confusion=(0, 0), crowd_confusion=(0, 0), lure=(0, 0)),
    "habits": Kind(habit=(0.5, 1.5), classes=(2, 2, 3, 4)),
    "confusions": Kind(confusion=(0.5, 1.2), crowd_confusion=(0.3, 1.0), classes=(3, 4, 5, 6)),
    "biased crowd": Kind(
        classes=(2,), crowd_confusion=(0.6, 1.2), habit=(0.4, 1.2), ability=(0.8, 1.8)
    ),
    "spammers": Kind(spammers=(0.25, 0.5), habit=(0.2, 0.8)),
    "hard tasks": Kind(difficulty=(0.6, 1.2), lure=(0.0, 0.5)),
    "lures": Kind(lure=(0.7, 1.5), difficulty=(0.2, 0.6), ability=(1.2, 2.5)),
    "few votes a worker": Kind(votes_per_worker=(3, 10), tail=(0.0, 1.0), habit=(0.2, 0.8)),
    "few votes a task": Kind(votes_per_task=(2, 3.5), habit=(0.2, 0.8)),
    "rare class": Kind(classes=(2, 2, 3), skew=(1.0, 2.0), habit=(0.2, 0.8)),
    "many classes": Kind(
        classes=(8, 10, 12), tasks=(400, 1500), confusion=(0.3, 0.8), crowd_confusion=(0.3, 0.8)
    ),
    "colluders": Kind(colluders=(0.1, 0.3), votes_per_task=(5, 10)),
    "ordinal": Kind(
        ordinal=True, classes=(4, 5), habit=(0.3, 0.9), lure=(0.2, 0.8), ability=(0.2, 1.0)
    ),
    "everything": Kind(
        classes=(2, 3, 4, 5, 8),
        skew=(0.0, 1.5),
        tail=(0.5, 2.0),
        habit=(0.3, 1.0),
        confusion=(0.2, 0.8),
        crowd_confusion=(0.2, 0.8),
        difficulty=(0.3, 0.8),
        lure=(0.3, 1.0),
        spammers=(0.0, 0.3),
    ),
    "one way": Kind(
        classes=(2,),
        skew=(0.3, 2.5),
        tail=(0.5, 2.0),
        ability=(1.5, 3.0),
        hard=(0.15, 0.45),
        difficulty=(0.0, 0.8),
        crowd_habit=(0.0, 0.8),
        habit=(0.0, 0.8),
    ),
    "wide": Kind(
        classes=(2, 2, 2, 3, 4, 5, 8),
        votes_per_task=(2.5, 11),
        votes_per_worker=(5, 200),
        tail=(0.0, 2.0),
        skew=(0.0, 1.5),
        ability=(1.2, 3.5),
        ability_spread=(0.2, 1.5),
        habit=(0.0, 1.2),
        confusion=(0.0, 0.9),
        crowd_confusion=(0.0, 0.6),
        crowd_habit=(0.0, 0.8),
        difficulty=(0.0, 1.0),
        lure=(0.0, 1.0),
        hard=(0.0, 0.4),
        spammers=(0.0, 0.4),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCrowd:
    """Votes whose truth is known because it was drawn.

    Attributes:
        kind: which kind.
        task: shape (n,), the task of each vote.
        worker: shape (n,), its worker; no worker votes twice on a task.
        label: shape (n,), the vote.
        truth: shape (tasks,), the true class.
        classes: number of classes.
        spammer: shape (workers,), who ignores the task.
        copies: shape (workers,), whom a colluder copies; -1 for the others.
    """

    kind: str
    task: Ints
    worker: Ints
    label: Ints
    truth: Ints
    classes: int
    spammer: NDArray[np.bool_]
    copies: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def accuracy(self, label: Ints) -> float:
        """Return the share of tasks whose label is the truth."""
        return float((label == self.truth).mean())


def simulate(
    kind: str, rng: np.random.Generator, *, votes_per_task: float | None = None
) -> SimulatedCrowd:
    """Draw a crowd of a kind.

    Args:
        kind: a name in `KINDS`.
        rng: draws everything.
        votes_per_task: instead of the kind's own span.
    """
    scales = KINDS[kind]
    if votes_per_task is not None:
        scales = replace(scales, votes_per_task=(votes_per_task, votes_per_task))

    def draw(span: Span) -> float:
        return float(rng.uniform(*span))

    classes = int(rng.choice(scales.classes))
    tasks = int(draw(scales.tasks))
    mean_votes = draw(scales.votes_per_task)
    workers = max(round(tasks * mean_votes / draw(scales.votes_per_worker)), 8)
    prior = rng.permutation(np.exp(-draw(scales.skew) * np.arange(classes)))
    truth = rng.choice(classes, tasks, p=prior / prior.sum())
    task, worker = _assign(rng, tasks, workers, mean_votes, draw(scales.tail))
    tables = _tables(rng, scales, workers, classes, draw)
    easiness = np.exp(rng.normal(0, draw(scales.difficulty), tasks))
    lure = rng.normal(0, draw(scales.lure), (tasks, classes))
    k = truth[task]
    if scales.crowd_habit[1] > 0.0:
        tables = tables + rng.normal(0, draw(scales.crowd_habit), classes)
    evidence = tables[worker, k]
    if scales.hard[1] > 0.0:
        evidence = _weakened(rng, evidence, truth, task, draw(scales.hard))
    pull = evidence * easiness[task][:, None] + lure[task]
    spammer = rng.random(workers) < draw(scales.spammers)
    habit = rng.normal(0, 2.0, (workers, classes))
    pull = np.where(spammer[worker][:, None], habit[worker], pull)
    label = (pull + rng.gumbel(size=pull.shape)).argmax(axis=1)
    copies = _collude(rng, workers, draw(scales.colluders))
    label = _copied(rng, task, worker, label, copies, tables, truth)
    return SimulatedCrowd(
        kind=kind,
        task=task,
        worker=worker,
        label=label.astype(np.int64),
        truth=truth.astype(np.int64),
        classes=classes,
        spammer=spammer,
        copies=copies,
    )


def _tables(
    rng: np.random.Generator,
    scales: Kind,
    workers: int,
    classes: int,
    draw: Callable[[Span], float],
) -> Floats:
    """Return each worker's log-odds, shape (workers, true, given)."""
    # More wrong classes to choose among need more log-odds for the same accuracy.
    ability = draw(scales.ability) + 0.5 * np.log(classes - 1)
    skill = rng.normal(ability, draw(scales.ability_spread), workers)
    tables = skill[:, None, None] * np.eye(classes)
    tables = tables + rng.normal(0, draw(scales.crowd_confusion), (classes, classes))
    tables += rng.normal(0, draw(scales.confusion), (workers, classes, classes))
    tables += rng.normal(0, draw(scales.habit), (workers, 1, classes))
    if scales.ordinal:
        places = np.arange(classes)
        shift = rng.normal(0, 0.4, workers)  # strict and lenient workers
        away = np.abs(places[None, :, None] + shift[:, None, None] - places)
        tables += (skill / 2)[:, None, None] * (1.0 - away)
    return np.asarray(tables, dtype=np.float64)


def _weakened(
    rng: np.random.Generator, evidence: Floats, truth: Ints, task: Ints, share: float
) -> Floats:
    """Return the votes' log-odds, those of hard tasks weak or pointing to one wrong class."""
    classes = evidence.shape[1]
    shares = np.clip(share * classes * rng.dirichlet(np.full(classes, 0.7)), 0.0, 0.6)
    hard = rng.random(len(truth)) < shares[truth]
    left = rng.uniform(-0.4, 0.3) + rng.uniform(0.0, 0.5, len(truth))
    # One wrong class for each class, never itself.
    other = (np.arange(classes) + rng.integers(1, classes, classes)) % classes
    at = np.flatnonzero(hard[task])
    k = truth[task[at]]
    wrong = other[k]
    middle = (evidence[at, k] + evidence[at, wrong]) / 2
    half = np.abs(evidence[at, k] - evidence[at, wrong]) / 2 * left[task[at]]
    weakened = evidence.copy()
    weakened[at, k], weakened[at, wrong] = middle + half, middle - half
    return weakened


def _assign(
    rng: np.random.Generator, tasks: int, workers: int, mean_votes: float, tail: float
) -> tuple[Ints, Ints]:
    """Return who votes on what: every task at least once, nobody twice on one."""
    busy = (1.0 + np.arange(workers)) ** -tail
    busy /= busy.sum()
    spread = rng.poisson(max(mean_votes - 1.0, 0.0) * 0.25, tasks)
    wanted = np.floor(mean_votes * 0.75 + spread + 0.5).astype(np.int64)
    wanted = np.clip(wanted, 1, workers)
    # The largest of log-weight + Gumbel noise draw without replacement.
    keys = np.log(busy) + rng.gumbel(size=(tasks, workers))
    order = np.argsort(-keys, axis=1)[:, : int(wanted.max())]
    chosen = np.arange(order.shape[1]) < wanted[:, None]
    task = np.repeat(np.arange(tasks), wanted)
    return task, order[chosen].astype(np.int64)


def _collude(rng: np.random.Generator, workers: int, share: float) -> Ints:
    copies = np.full(workers, -1, dtype=np.int64)
    count = round(share * workers)
    if count >= 2:
        chosen = rng.permutation(workers)[:count]
        leaders = chosen[: max(count // 6, 1)]
        copies[chosen] = rng.choice(leaders, count)
        copies[leaders] = -1
    return copies


def _copied(
    rng: np.random.Generator,
    task: Ints,
    worker: Ints,
    label: Ints,
    copies: Ints,
    tables: Floats,
    truth: Ints,
) -> Ints:
    """Give a colluder the answer its leader gave or would have given to that task."""
    followed = np.flatnonzero(copies[worker] >= 0)
    leader = copies[worker[followed]]
    key, first, which = np.unique(
        task[followed] * len(copies) + leader, return_index=True, return_inverse=True
    )
    pull = tables[leader[first], truth[task[followed[first]]]]
    answer = (pull + rng.gumbel(size=pull.shape)).argmax(axis=1)
    cast = task * len(copies) + worker
    order = np.argsort(cast)
    at = order[np.minimum(np.searchsorted(cast, key, sorter=order), len(cast) - 1)]
    answer = np.where(cast[at] == key, label[at], answer)  # the leader's own vote, if cast
    result = label.copy()
    result[followed] = answer[which]
    return result
