"""The one call: votes in, a consensus out, by a named method or by `auto`."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from titian.annotation.consensus.auto import blend
from titian.annotation.consensus.crowdlab import crowdlab
from titian.annotation.consensus.dawid_skene import dawid_skene, one_coin, pooled
from titian.annotation.consensus.glad import glad
from titian.annotation.consensus.mace import mace
from titian.annotation.consensus.majority import majority, wawa, zero_based_skill
from titian.annotation.consensus.result import Consensus, Fit, conclude
from titian.annotation.consensus.tilted import tilted
from titian.annotation.consensus.votes import Votes, gather
from titian.errors import InputError, Problem

Method = Literal[
    "auto",
    "majority",
    "wawa",
    "zero-based-skill",
    "dawid-skene",
    "one-coin",
    "pooled",
    "tilted",
    "glad",
    "mace",
    "crowdlab",
]
METHODS: tuple[str, ...] = get_args(Method)


def consensus(
    task: ArrayLike,
    worker: ArrayLike,
    label: ArrayLike,
    *,
    method: str = "auto",
    rng: np.random.Generator | None = None,
    tasks: int | None = None,
    workers: int | None = None,
    classes: int | None = None,
    probabilities: ArrayLike | None = None,
    iterations: int | None = None,
    tolerance: float | None = None,
) -> Consensus:
    """Bring the labels of a crowd together.

    Args:
        task: shape (n,), integers from 0; one row per vote, in any order.
        worker: shape (n,), integers from 0.
        label: shape (n,), integers from 0. A worker's repeated votes on one task count as
            separate votes, with a note.
        method: one of `METHODS`. ``auto`` blends without gold and says why.
        rng: draws MACE's starts; None for a fixed seed. No other method draws.
        tasks: number of tasks; None for the largest code plus one.
        workers: number of workers; None for the largest code plus one.
        classes: number of classes; None for the largest code plus one, at least 2.
        probabilities: shape (tasks, classes), a model's; for ``crowdlab`` alone.
        iterations: most iterations; None for the method's own default.
        tolerance: gain of log-likelihood per vote below which EM stops; None for the
            method's default, negative for never.

    Returns:
        Posterior, labels, confidence and the workers' records.

    Raises:
        InputError: T-A001 to T-A010, T-A014; all problems of one kind together.
    """
    _check(method, probabilities, iterations)
    votes = gather(task, worker, label, tasks=tasks, workers=workers, classes=classes)
    return consensus_of(
        votes,
        method=method,
        rng=rng,
        probabilities=probabilities,
        iterations=iterations,
        tolerance=tolerance,
    )


def consensus_of(
    votes: Votes,
    *,
    method: str = "auto",
    rng: np.random.Generator | None = None,
    probabilities: ArrayLike | None = None,
    iterations: int | None = None,
    tolerance: float | None = None,
) -> Consensus:
    """As `consensus`, of votes that were gathered before."""
    _check(method, probabilities, iterations)
    if method == "auto":
        found = blend(votes)
        return conclude(votes, found.fit, method="auto", why=found.why)
    limits: dict[str, Any] = {}
    if iterations is not None:
        limits["iterations"] = iterations
    if tolerance is not None and method != "mace":
        limits["tolerance"] = tolerance
    fit = _fit(votes, method, rng, probabilities, limits)
    return conclude(votes, fit, method=method, why="The caller named this method.")


def _fit(
    votes: Votes,
    method: str,
    rng: np.random.Generator | None,
    probabilities: ArrayLike | None,
    limits: dict[str, Any],
) -> Fit:
    match method:
        case "majority":
            return majority(votes)
        case "wawa":
            return wawa(votes)
        case "zero-based-skill":
            return zero_based_skill(votes)
        case "dawid-skene":
            return dawid_skene(votes, **limits)
        case "one-coin":
            return one_coin(votes, **limits)
        case "pooled":
            return pooled(votes, **limits)
        case "tilted":
            return tilted(votes, **limits).fit
        case "glad":
            return glad(votes, **limits)
        case "mace":
            return mace(votes, rng=rng or np.random.default_rng(0), **limits)
        case _:
            return crowdlab(votes, np.asarray(probabilities, dtype=np.float64))


def _check(method: str, probabilities: ArrayLike | None, iterations: int | None) -> None:
    problems = []
    if method not in METHODS:
        problems.append(
            Problem(
                code="T-A009",
                message=f"there is no method {method!r}; the methods are {', '.join(METHODS)}.",
                remedy="Name one of them, or leave it out for auto.",
            )
        )
    if (method == "crowdlab") != (probabilities is not None):
        problems.append(
            Problem(
                code="T-A010",
                message=f"the method {method!r} was called "
                f"{'without' if probabilities is None else 'with'} a model's probabilities; "
                "crowdlab needs them and no other method reads them.",
                remedy="Give probabilities with method='crowdlab', and only then.",
            )
        )
    if iterations is not None and iterations < 1:
        problems.append(
            Problem(
                code="T-A015",
                message=f"iterations is {iterations}; at least 1 is needed.",
                remedy="Leave it out for the method's default.",
            )
        )
    if problems:
        raise InputError(*problems)
