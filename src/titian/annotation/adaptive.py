"""Adaptive redundancy: ask for another label only where it can still change something.

After each label of a task the crowd's consensus is taken again (`auto`). A task is accepted
when its posterior reaches the stated confidence C. It also stops when all the labels that it
may still get can be expected to add hardly anything to its accuracy (a quarter of 1 - C):
then more of the same crowd does not help, and the task escalates. Whoever would tell most of
the task's class is asked next. Which tasks get more labels, and from whom, depends only on
labels already seen, so likelihood-based estimates stay valid (ignorable design; Rubin,
Biometrika 63, 1976). A task that was accepted is opened again when later labels of other tasks
make its workers less trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.annotation import prospects
from titian.annotation.consensus.auto import blend
from titian.annotation.consensus.result import Consensus, conclude, confusions_of, decide
from titian.annotation.consensus.votes import Floats, Ints, Votes, gather, tally
from titian.annotation.prospects import (
    evidence_of,
    expected_gain,
    information_for,
    usual_evidence,
)
from titian.errors import InputError, Problem
from titian.statistics.estimate import Estimate, intervals_of
from titian.statistics.proportions import proportion, quantile

# Fixed on simulated crowds; docs/decisions/0008-adaptive-redundancy.md says how.
CONFIDENCE = 0.98  # the one confidence of the published benchmarks
LEAST_VOTES = 3  # with two, a disagreement does not say who was wrong
GAIN_SHARE = 0.25  # of 1 - confidence: expected gain at which asking more is given up
LEAST_TO_GIVE_UP = 5  # votes of a task before that; a crowd seen twice is not yet known
STUDENT = "Student over tasks"
WORKERS_TRIED = 50  # the most informative workers among whom the next one is looked for


class Action(IntEnum):
    """What to do with a task next."""

    ACCEPT = 0
    ASK = 1
    ESCALATE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a task has enough labels.

    Attributes:
        confidence: posterior from which a task is accepted, in (0.5, 1).
        least_votes: votes that every task gets.
        most_votes: votes after which a task goes to an expert; None for no limit.
    """

    confidence: float = CONFIDENCE
    least_votes: int = LEAST_VOTES
    most_votes: int | None = None

    def __post_init__(self) -> None:
        problems = []
        if not 0.5 < self.confidence < 1.0:
            problems.append(
                Problem(
                    code="T-A030",
                    message=f"the confidence is {self.confidence}; it lies between 0.5 and 1, "
                    "both excluded.",
                    remedy="Give the accuracy that accepted labels should reach, such as 0.95.",
                )
            )
        most = self.most_votes
        if self.least_votes < 1 or (most is not None and most < self.least_votes):
            problems.append(
                Problem(
                    code="T-A031",
                    message=f"least_votes is {self.least_votes} and most_votes {most}; "
                    "at least one vote is needed, and the most is no less than the least.",
                    remedy="Correct the two numbers.",
                )
            )
        if problems:
            raise InputError(*problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What to do with each task, by what is known now.

    Attributes:
        action: shape (tasks,), an `Action` each.
        next_worker: shape (tasks,), whom to ask; -1 where nobody is to be asked, or everybody
            among the most informative has voted.
        consensus: the consensus that the decisions rest on.
    """

    action: Ints
    next_worker: Ints
    consensus: Consensus


def decide_next(
    votes: Votes, policy: Policy, *, available: NDArray[np.bool_] | None = None
) -> Decisions:
    """Decide for every task: accept, ask another worker, or escalate to an expert.

    A task that is not accepted escalates when the votes that it may still get can be expected
    to add no more than a quarter of 1 - confidence to its accuracy.

    Args:
        votes: every vote so far; state `tasks` so that tasks without a vote count.
        policy: when a task has enough.
        available: shape (workers,), who can be asked; None for everybody.
    """
    found = blend(votes)
    consensus = conclude(votes, found.fit, method="auto", why=found.why)
    cast = votes.per_task()
    left = np.full(votes.tasks, np.inf)
    if policy.most_votes is not None:
        left = np.maximum(policy.most_votes - cast, 0.0)
    posterior = found.fit.posterior
    sure = _sure(posterior, policy)
    idle = _given_up(posterior, usual_evidence(found, left), cast, policy)
    started = (cast >= policy.least_votes) | (left <= 0)
    action = np.full(votes.tasks, Action.ASK, dtype=np.int64)
    action[started & idle] = Action.ESCALATE
    action[started & sure] = Action.ACCEPT
    return Decisions(
        action=action,
        next_worker=_whom(votes, consensus, action == Action.ASK, available),
        consensus=consensus,
    )


def information(consensus: Consensus) -> Floats:
    """Return what a vote of each worker tells of the class, in nats, shape (workers,).

    The mutual information of label and class, under the class shares and the worker's table.
    """
    return prospects.information(consensus.prior[None, :], consensus.confusions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One replay of the stored labels, in one random order.

    Attributes:
        asked: labels asked for.
        stored: labels stored.
        saved: 1 - asked / stored, over all tasks.
        fixed_accuracy: accuracy of `auto` on all stored labels, over gold tasks.
        adaptive_accuracy: accuracy of `auto` on the labels asked for, over gold tasks.
        loss: fixed less adaptive, paired by task.
    """

    asked: int
    stored: int
    saved: float
    fixed_accuracy: Estimate
    adaptive_accuracy: Estimate
    loss: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Several replays and their mean.

    Attributes:
        orders: one per random order.
        saved: mean over orders.
        fixed_accuracy: the same in every order.
        adaptive_accuracy: mean over orders of each task, with an interval over tasks.
        loss: fixed less adaptive, paired by task, with an interval over tasks.
        confidence: the policy's.
    """

    orders: tuple[Order, ...]
    saved: float
    fixed_accuracy: Estimate
    adaptive_accuracy: Estimate
    loss: Estimate
    confidence: float


def replay(
    votes: Votes,
    gold: Ints,
    policy: Policy,
    *,
    rng: np.random.Generator,
    orders: int = 5,
    alpha: float = 0.05,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Replay:
    """Replay stored labels as if they were asked for one at a time.

    Every task first gets its least votes, in a random order. Each round then gives every open
    task one of its stored labels that was not asked for, that of the worker who would tell
    most of the task's class by what is known so far, and decides again. Nothing escalates: a
    task whose stored labels are used up keeps what it has. Gold is read for the accuracy alone.

    Args:
        votes: all stored votes.
        gold: shape (tasks,), the known class, or -1.
        policy: when a task has enough; `most_votes` is not used.
        rng: draws the orders.
        orders: number of random orders.
        alpha: one minus the coverage of the intervals.
        progress: told rounds done and about how many there will be, of all orders.

    Raises:
        InputError: T-A032 no task has gold or the shapes differ, T-A033 orders below 1.
    """
    _check_replay(votes, gold, orders)
    known = np.flatnonzero(gold >= 0)
    fixed = (decide(blend(votes).fit.posterior, votes.per_label()) == gold)[known]
    found, right = [], []
    for place in range(orders):

        def tell(done: int, rounds: int, place: int = place) -> None:
            progress(place * rounds + done, orders * rounds)

        asked, label = replay_once(votes, policy, rng=rng, progress=tell)
        now = (label == gold)[known]
        right.append(now)
        found.append(
            Order(
                asked=asked,
                stored=int(votes.total),
                saved=1.0 - asked / votes.total,
                fixed_accuracy=_share(fixed, alpha),
                adaptive_accuracy=_share(now, alpha),
                loss=_mean(fixed.astype(np.float64) - now, alpha, least=-1.0),
            )
        )
    per_task = np.mean(right, axis=0)
    return Replay(
        orders=tuple(found),
        saved=float(np.mean([order.saved for order in found])),
        fixed_accuracy=_share(fixed, alpha),
        adaptive_accuracy=_mean(per_task, alpha, least=0.0),
        loss=_mean(fixed - per_task, alpha, least=-1.0),
        confidence=policy.confidence,
    )


def replay_once(
    votes: Votes,
    policy: Policy,
    *,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[int, Ints]:
    """Return how many labels one order asks for, and the labels of the tasks at its end.

    Args:
        votes: all stored votes.
        policy: when a task has enough.
        rng: draws the order.
        progress: told rounds done and about how many there will be.
    """
    times = votes.count.astype(np.int64)
    task = np.repeat(votes.task, times).astype(np.int64)
    worker = np.repeat(votes.worker, times)
    label = np.repeat(votes.label, times)
    shuffled = np.lexsort((rng.random(len(task)), task))
    task, worker, label = task[shuffled], worker[shuffled], label[shuffled]
    stored = np.bincount(task, minlength=votes.tasks)
    place = np.arange(len(task)) - np.repeat(np.cumsum(stored) - stored, stored)
    asked = place < policy.least_votes
    rounds = max(int(stored.max()) - policy.least_votes, 0) + 2
    done = 0
    while True:
        seen = gather(
            task[asked],
            worker[asked],
            label[asked],
            tasks=votes.tasks,
            workers=votes.workers,
            classes=votes.classes,
        )
        found = blend(seen)
        posterior = found.fit.posterior
        done += 1
        confusions, _ = confusions_of(seen, posterior)
        rest = np.flatnonzero(~asked)
        brought = evidence_of(found, confusions, seen.per_worker(), task[rest], worker[rest])
        coming = tally(task[rest], brought, votes.tasks)
        cast = np.bincount(task[asked], minlength=votes.tasks)
        open_ = ~(_sure(posterior, policy) | _given_up(posterior, coming, cast, policy))
        rest = rest[open_[task[rest]]]
        if not len(rest):
            progress(rounds, rounds)
            return int(asked.sum()), decide(posterior, seen.per_label())
        # A task that is opened again makes more rounds; their number is not known before.
        progress(min(done, rounds - 1), rounds)
        told = information_for(posterior, confusions, task[rest], worker[rest])
        best = np.lexsort((-told, task[rest]))
        of_task = task[rest[best]]
        foremost = np.ones(len(best), dtype=bool)
        foremost[1:] = of_task[1:] != of_task[:-1]
        asked[rest[best[foremost]]] = True


def _sure(posterior: Floats, policy: Policy) -> NDArray[np.bool_]:
    sure: NDArray[np.bool_] = posterior.max(axis=1) >= policy.confidence
    return sure


def _given_up(
    posterior: Floats, coming: Floats, cast: NDArray[Any], policy: Policy
) -> NDArray[np.bool_]:
    gain = expected_gain(posterior, coming)
    known = (cast >= LEAST_TO_GIVE_UP) | (coming <= 0)
    idle: NDArray[np.bool_] = known & (gain <= GAIN_SHARE * (1.0 - policy.confidence))
    return idle


def _whom(
    votes: Votes,
    consensus: Consensus,
    asking: NDArray[np.bool_],
    available: NDArray[np.bool_] | None,
) -> Ints:
    """Return, for each task that asks, who would tell most of its class and has not voted."""
    told = information(consensus)
    if available is not None:
        told = np.where(available, told, -np.inf)
    ranked = np.argsort(-told, kind="stable")
    ranked = ranked[np.isfinite(told[ranked])][:WORKERS_TRIED]
    found = np.full(votes.tasks, -1, dtype=np.int64)
    most = np.full(votes.tasks, -np.inf)
    task, worker = votes.task, votes.worker
    tasks = np.flatnonzero(asking)
    for candidate in ranked:
        here = information_for(
            consensus.posterior, consensus.confusions, tasks, np.full(len(tasks), candidate)
        )
        would = np.full(votes.tasks, -np.inf)
        would[tasks] = here
        would[task[worker == candidate]] = -np.inf
        better = would > most
        found[better], most[better] = candidate, would[better]
    return found


def _share(right: NDArray[np.bool_], alpha: float) -> Estimate:
    return proportion(right, None, alphas=(alpha,), noun="tasks with gold")


def _mean(values: Floats, alpha: float, *, least: float) -> Estimate:
    """Return a mean over tasks of values in [least, 1], with Student's interval.

    One squared unit is added to the sum of squares, so that tasks which all came out alike
    still leave an interval of positive width.
    """
    n = len(values)
    value = float(values.mean())
    variance = (float(((values - value) ** 2).sum()) + 1.0) / n
    half = quantile((alpha,), float(max(n - 1, 1))) * np.sqrt(variance / n)
    low = np.clip(value - half, least, value)
    high = np.clip(value + half, value, 1.0)
    return Estimate(
        value=value, n=n, intervals=intervals_of((alpha,), low, high), method=STUDENT
    )


def _check_replay(votes: Votes, gold: Ints, orders: int) -> None:
    problems = []
    if gold.shape != (votes.tasks,) or not (gold >= 0).any():
        problems.append(
            Problem(
                code="T-A032",
                message=f"gold has the shape {gold.shape} and {int((gold >= 0).sum())} known "
                f"classes; a replay of {votes.tasks} tasks needs one entry per task and at "
                "least one known class.",
                remedy="Give gold for some of the tasks, -1 for the others.",
            )
        )
    if orders < 1:
        problems.append(
            Problem(
                code="T-A033",
                message=f"orders is {orders}; at least 1 is needed.",
                remedy="Leave it out for 5.",
            )
        )
    if problems:
        raise InputError(*problems)
