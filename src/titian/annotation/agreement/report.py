"""How far the workers agree: overall, by class, by site and by pair of workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from titian.annotation.agreement.bootstrap import estimate
from titian.annotation.agreement.coefficients import fleiss, gwet, krippendorff, nominal_alpha
from titian.annotation.agreement.pairs import (
    Pair,
    cohen,
    cohen_of_two,
    labels_by_worker,
    meeting_pairs,
    opposed,
    pooled_kappa,
    shared_rows,
)
from titian.annotation.agreement.ratings import Ratings, merged, tabulate
from titian.annotation.agreement.scale import Scale, at_least_two, scale_of
from titian.annotation.consensus.votes import Floats, Votes, gather
from titian.errors import InputError, Problem
from titian.statistics.estimate import Estimate, unknown

Coefficient = Literal["krippendorff", "fleiss", "cohen", "gwet"]
COEFFICIENTS: tuple[str, ...] = get_args(Coefficient)
DRAWS = 1_000
LEAST_SHARED = 10  # tasks that two workers share before their agreement is reported
MOST_PAIRS = 100
MOST_CLASSES = 50  # classes reported one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The agreement on one class, at one site or between two workers."""

    name: tuple[str, ...]
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far the workers agree.

    Attributes:
        coefficient: one of `COEFFICIENTS`.
        level: one of `titian.annotation.agreement.scale.LEVELS`.
        estimate: over all labels; n counts tasks with two labels or more.
        labels: how many labels were read.
        tasks: how many tasks have a label.
        workers: how many workers gave one.
        by_class: each class against all others, nominal.
        by_site: among the labels of one site.
        by_pair: between two workers who share `LEAST_SHARED` tasks, most shared first.
        notes: what a reader should know, one sentence each.
    """

    coefficient: str
    level: str
    estimate: Estimate
    labels: int
    tasks: int
    workers: int
    by_class: tuple[Part, ...]
    by_site: tuple[Part, ...]
    by_pair: tuple[Part, ...]
    notes: tuple[str, ...] = ()


def krippendorff_alpha(
    task: ArrayLike, label: ArrayLike, *, level: str = "nominal", values: ArrayLike = ()
) -> float:
    """Return Krippendorff's alpha alone, without an interval.

    Args:
        task: shape (n,), integers from 0; one row per label.
        label: shape (n,), integers from 0.
        level: nominal, ordinal (by code), interval or ratio.
        values: shape (classes,), the number each code stands for; the codes where empty.

    Returns:
        NaN where no task has two labels, or all labels name one class.
    """
    numbers = np.asarray(values, dtype=np.float64)
    codes = np.asarray(label)
    if level == "nominal":
        return nominal_alpha(task, codes, classes=len(numbers) or None)
    if not len(numbers):
        numbers = np.arange(int(codes.max(initial=0)) + 1, dtype=np.float64)
    scale = at_least_two(scale_of([repr(float(value)) for value in numbers], level))
    if not np.array_equal(scale.place, np.arange(len(scale.place))):
        codes = scale.place[codes]
    ratings = tabulate(task, codes, classes=scale.classes, merge=False)
    return float(krippendorff(ratings, scale)(ratings.times[None])[0])


def agreement(
    task: ArrayLike,
    worker: ArrayLike,
    label: ArrayLike,
    *,
    names: Sequence[str],
    rng: np.random.Generator,
    coefficient: str = "krippendorff",
    level: str = "nominal",
    order: Sequence[str] | None = None,
    workers: Sequence[str] = (),
    site: ArrayLike | None = None,
    sites: Sequence[str] = (),
    draws: int = DRAWS,
    alpha: float = 0.05,
    parts: bool = True,
) -> Agreement:
    """Measure how far workers agree.

    Args:
        task: shape (n,), integers from 0; one row per label, missing labels have none.
        worker: shape (n,), integers from 0.
        label: shape (n,), index into `names`. A worker's repeated labels of one task count as
            separate votes, with a note; two workers are compared on a task that weighs one.
        names: the labels as written.
        rng: draws the tasks of the bootstrap.
        coefficient: one of `COEFFICIENTS`; ``cohen`` is pooled over pairs of workers.
        level: nominal, ordinal, interval or ratio.
        order: labels from low to high, for the ordinal level where they are no numbers.
        workers: the workers' names; numbers where empty.
        site: shape (n,), index into `sites`, or None.
        sites: the sites' names.
        draws: how many times tasks are drawn; 0 for no intervals.
        alpha: one minus the nominal coverage of the intervals.
        parts: also by class, site and pair of workers.

    Raises:
        InputError: T-A200 to T-A207, T-A001 to T-A005.
    """
    if coefficient not in COEFFICIENTS:
        raise _refused(
            "T-A206",
            f"there is no coefficient {coefficient!r}; they are {', '.join(COEFFICIENTS)}.",
            "Name one of them.",
        )
    scale = at_least_two(scale_of(names, level, order=order))
    tasks, labels = np.asarray(task), np.asarray(label)
    votes = gather(tasks, worker, labels, classes=max(len(names), 2))
    if not np.array_equal(scale.place, np.arange(len(scale.place))):
        labels = scale.place[labels]
        votes = gather(tasks, worker, labels, classes=scale.classes)
    _check_workers(votes)
    one = _Measure(
        coefficient=coefficient, scale=scale, rng=rng, draws=draws, alpha=alpha, votes=votes
    )
    whole = tabulate(tasks, labels, classes=scale.classes)
    found = one.overall(whole)
    by_class: tuple[Part, ...] = ()
    by_site: tuple[Part, ...] = ()
    by_pair: tuple[Part, ...] = ()
    notes = _notes(votes, whole, scale, names)
    if parts:
        by_class = one.by_class(whole)
        if site is not None:
            by_site = one.by_site(tasks, np.asarray(worker), labels, np.asarray(site), sites)
        pairs = meeting_pairs(votes, least=LEAST_SHARED)
        by_pair = one.by_pair(pairs[:MOST_PAIRS], workers)
        if len(pairs) > MOST_PAIRS:
            notes.append(
                f"{len(pairs)} pairs of workers share {LEAST_SHARED} tasks or more; the "
                f"{MOST_PAIRS} that share most are given."
            )
    return Agreement(
        coefficient=coefficient,
        level=level,
        estimate=found,
        labels=len(labels),
        tasks=whole.tasks,
        workers=int((votes.per_worker() > 0).sum()),
        by_class=by_class,
        by_site=by_site,
        by_pair=by_pair,
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    coefficient: str
    scale: Scale
    rng: np.random.Generator
    draws: int
    alpha: float
    votes: Votes

    def overall(self, ratings: Ratings, votes: Votes | None = None) -> Estimate:
        if self.coefficient != "cohen":
            return self._estimate(ratings, self.scale)
        crowd = self.votes if votes is None else votes
        present = np.flatnonzero(crowd.per_worker() > 0)
        if len(present) == 2:
            pair = Pair(first=int(present[0]), second=int(present[1]), shared=0)
            one, two = shared_rows(labels_by_worker(crowd), pair, crowd.classes)
            return self._cohen(one, two)
        return pooled_kappa(crowd, self.scale, rng=self.rng, draws=self.draws, alpha=self.alpha)

    def by_class(self, ratings: Ratings) -> tuple[Part, ...]:
        """Return each class against the rest; Cohen's kappa has none (it needs workers)."""
        if self.coefficient == "cohen" or self.scale.classes > MOST_CLASSES:
            return ()
        binary = scale_of(("this", "rest"))
        return tuple(
            Part(name=(name,), estimate=self._estimate(ratings.against_rest(place), binary))
            for place, name in enumerate(self.scale.names)
            if name  # the empty class beside a single one
        )

    def by_site(
        self,
        task: NDArray[Any],
        worker: NDArray[Any],
        label: NDArray[Any],
        site: NDArray[Any],
        sites: Sequence[str],
    ) -> tuple[Part, ...]:
        found = []
        for code, name in enumerate(sites):
            here = site == code
            if not here.any():
                continue
            ratings = tabulate(task[here], label[here], classes=self.scale.classes)
            votes = gather(task[here], worker[here], label[here], classes=self.votes.classes)
            found.append(Part(name=(name,), estimate=self.overall(ratings, votes)))
        return tuple(found)

    def by_pair(self, pairs: Sequence[Pair], workers: Sequence[str]) -> tuple[Part, ...]:
        columns = labels_by_worker(self.votes)
        found = []
        for pair in pairs:
            one, two = shared_rows(columns, pair, self.votes.classes)
            if self.coefficient == "cohen":
                result = self._cohen(one, two)
            else:
                result = self._estimate(merged(one + two, None), self.scale)
            names = tuple(
                workers[code] if len(workers) else str(code)
                for code in (pair.first, pair.second)
            )
            found.append(Part(name=names, estimate=result))
        return tuple(found)

    def _cohen(self, one: Floats, two: Floats) -> Estimate:
        if not len(one):
            return unknown(0, "no task has labels of two workers")
        return estimate(
            cohen_of_two(one, two),
            partial(cohen, scale=self.scale),
            rng=self.rng,
            draws=self.draws,
            alpha=self.alpha,
            split=opposed,
        )

    def _estimate(self, ratings: Ratings, scale: Scale) -> Estimate:
        prepare = {"krippendorff": krippendorff, "fleiss": fleiss, "gwet": gwet}[
            self.coefficient
        ]
        return estimate(
            ratings,
            partial(prepare, scale=scale),
            rng=self.rng,
            draws=self.draws,
            alpha=self.alpha,
        )


def _check_workers(votes: Votes) -> None:
    seen = int((votes.per_worker() > 0).sum())
    if seen < 2:
        raise _refused(
            "T-A207",
            f"all {int(votes.total)} labels are of one worker; agreement needs two.",
            "Give the labels of several workers, each with its own name.",
        )


def _notes(votes: Votes, whole: Ratings, scale: Scale, names: Sequence[str]) -> list[str]:
    notes = []
    alone = whole.tasks - whole.pairable
    if alone:
        notes.append(f"{alone} of {whole.tasks} tasks have one label: they show no agreement.")
    if votes.repeated:
        notes.append(
            f"{votes.repeated} labels repeat a worker's label of the same task; each counts as "
            "a separate vote."
        )
    values = len(set(scale.place.tolist()))
    if len(scale.place) > values:
        notes.append(
            f"{len(names)} labels have {values} values; labels of equal value are one class."
        )
    return notes


def _refused(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))
