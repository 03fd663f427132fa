"""Agreement between two workers, and Cohen's kappa of any number of them.

J. Cohen, Educational and Psychological Measurement 20 (1960) 37-46 and Psychological Bulletin
70 (1968) 213-220 (weights). With more than two workers, kappa is pooled over pairs: observed
and expected agreement are each averaged over all pairs of labels that two workers gave to one
task. Where every worker labels every task this is Conger's kappa (Psychological Bulletin 88,
1980, 322-328).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import ndtri

from titian.annotation.agreement.bootstrap import METHOD_PERFECT, finish, share_unseen
from titian.annotation.agreement.coefficients import Statistic
from titian.annotation.agreement.ratings import Ratings, merged
from titian.annotation.agreement.scale import Scale
from titian.annotation.consensus.votes import Floats, Ints, Votes
from titian.statistics.estimate import Estimate, intervals_of, unknown

MANY_TASKS = 5_000  # from which the pooled kappa's spread is taken from fewer draws
FEWER_DRAWS = 200
METHOD_NORMAL = "normal interval, spread by bootstrap over tasks"
MOST_LEFT_OUT = 500  # tasks left out one at a time for the skewness of the pooled kappa
MOST_MEETINGS = 200_000_000  # sum over tasks of labels squared, beyond which no pairs are made


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two workers and how many tasks both labelled."""

    first: int
    second: int
    shared: int


def meeting_pairs(votes: Votes, *, least: int) -> tuple[Pair, ...]:
    """Return the pairs of workers who share `least` tasks or more, most shared first."""
    if float((np.diff(votes.starts).astype(np.float64) ** 2).sum()) > MOST_MEETINGS:
        return ()
    met = _incidence(votes)
    met.data[:] = 1.0
    shared = sparse.triu(met.T @ met, k=1).tocoo()
    chosen = np.flatnonzero(shared.data >= least)
    order = chosen[np.lexsort((shared.col[chosen], shared.row[chosen], -shared.data[chosen]))]
    return tuple(
        Pair(first=int(shared.row[i]), second=int(shared.col[i]), shared=int(shared.data[i]))
        for i in order
    )


def labels_by_worker(votes: Votes) -> sparse.csc_matrix:
    """Return tasks x (worker, label) by column, to take workers out of."""
    return votes.matrix().tocsc()


def shared_rows(columns: sparse.csc_matrix, pair: Pair, classes: int) -> tuple[Floats, Floats]:
    """Return the two workers' counts on the tasks both labelled, each (shared, classes)."""
    one = columns[:, pair.first * classes : (pair.first + 1) * classes].toarray()
    two = columns[:, pair.second * classes : (pair.second + 1) * classes].toarray()
    both = one.any(axis=1) & two.any(axis=1)
    return one[both], two[both]


def cohen_of_two(one: Floats, two: Floats) -> Ratings:
    """Return the tasks of two workers as ratings whose classes are the cells of their table.

    A task weighs one, whatever the number of repeated labels; it holds two labels.
    """
    one = one / one.sum(axis=1, keepdims=True)
    two = two / two.sum(axis=1, keepdims=True)
    cells = np.einsum("tk,tl->tkl", one, two).reshape(len(one), -1)
    return merged(2.0 * cells, None)


def opposed(ratings: Ratings) -> Floats:
    """Return the cells of a task on which two workers name the two commonest classes."""
    classes = round(ratings.counts.shape[1] ** 0.5)
    table = (ratings.times @ ratings.counts).reshape(classes, classes)
    first, second = np.argsort(-(table.sum(axis=0) + table.sum(axis=1)), kind="stable")[:2]
    row = np.zeros((classes, classes))
    row[first, second] = row[second, first] = 1.0
    return row.reshape(-1)


def cohen(ratings: Ratings, scale: Scale) -> Statistic:
    """Prepare Cohen's kappa of two workers, of ratings made by `cohen_of_two`."""
    weights = scale.weights()
    classes = scale.classes

    def statistic(weight: Floats) -> Floats:
        table = weight @ ratings.counts
        table /= table.sum(axis=1, keepdims=True)
        table = table.reshape(-1, classes, classes)
        observed = np.einsum("bkl,kl->b", table, weights)
        expected = np.einsum(
            "bk,kl,bl->b", table.sum(axis=2), weights, table.sum(axis=1), optimize=True
        )
        return _kappa(observed, expected)

    return statistic


def pooled_kappa(
    votes: Votes, scale: Scale, *, rng: np.random.Generator, draws: int, alpha: float
) -> Estimate:
    """Estimate Cohen's kappa pooled over all pairs of workers, with an interval by task.

    Each draw costs a pass over the labels. From 5,000 tasks on, where the pooled kappa is as
    good as normal, at most 200 draws give its spread: about 7 s at 500,000 labels.

    Args:
        votes: the labels.
        scale: of the votes' classes.
        rng: draws the tasks.
        draws: how many times tasks are drawn; 0 for no interval.
        alpha: one minus the nominal coverage.
    """
    pool = _Pool(votes, scale)
    n = pool.tasks
    if not n:
        return unknown(0, "no task has labels of two workers")
    value = pool.kappa(np.ones(n))
    if not np.isfinite(value):
        return unknown(n, "all labels that can be compared name one class")
    if not draws:
        return Estimate(value=value, n=n)
    if value > 1.0 - 1e-12:
        low = 1.0 - share_unseen(n, alpha) / (1.0 - pool.agreement(np.ones(n))[1])
        interval = intervals_of((alpha,), np.asarray([max(low, -1.0)]), np.asarray([value]))
        return Estimate(value=value, n=n, intervals=interval, method=METHOD_PERFECT)
    many = n >= MANY_TASKS
    draws = min(draws, FEWER_DRAWS) if many else draws
    weights = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(draws))
    drawn = np.asarray([pool.kappa(weight.astype(np.float64)) for weight in weights])
    if many:
        half = float(np.abs(ndtri(alpha / 2)) * np.nanstd(drawn, ddof=1))
        ends = (max(value - half, -1.0), min(value + half, 1.0))
        interval = intervals_of((alpha,), np.asarray(ends[:1]), np.asarray(ends[1:]))
        return Estimate(value=value, n=n, intervals=interval, method=METHOD_NORMAL)
    left_out = None
    if n <= MOST_LEFT_OUT:
        without = [pool.kappa(weight) for weight in _without_one(n)]
        left_out = (np.asarray(without), np.ones(n))
    return finish(value, n, drawn, left_out, alpha=alpha)


class _Pool:
    """What the pooled kappa needs of the labels, for any weights of the tasks."""

    def __init__(self, votes: Votes, scale: Scale) -> None:
        worker_labels = _incidence(votes)
        several = np.flatnonzero(np.diff(worker_labels.indptr) >= 2)  # labels of two workers
        self.tasks = len(several)
        self._classes = votes.classes
        self._weights = scale.weights()
        self._table = votes.matrix()[several]
        self._met = worker_labels[several]
        own = self._met.copy()
        own.data **= 2
        size = np.asarray(self._met.sum(axis=1)).ravel()
        self._pairs = size**2 - np.asarray(own.sum(axis=1)).ravel()
        self._own = own
        self._agreed = self._agreeing(votes, several)

    def kappa(self, weight: Floats) -> float:
        """Return the pooled kappa of the tasks so weighted, NaN where undefined."""
        observed, expected = self.agreement(weight)
        return float(_kappa(np.asarray([observed]), np.asarray([expected]))[0])

    def agreement(self, weight: Floats) -> tuple[float, float]:
        """Return observed and expected agreement."""
        total = float(weight @ self._pairs)
        share = np.asarray(weight @ self._table).reshape(-1, self._classes)
        cast = share.sum(axis=1, keepdims=True)
        share = np.divide(share, cast, out=np.zeros_like(share), where=cast > 0)
        together = self._met @ share
        alone = self._own @ np.einsum("wk,kl,wl->w", share, self._weights, share)
        by_chance = np.einsum("tk,kl,tl->t", together, self._weights, together) - alone
        return float(weight @ self._agreed) / total, float(weight @ by_chance) / total

    def _agreeing(self, votes: Votes, several: Ints) -> Floats:
        """Return the agreement of each task's pairs of labels of two different workers."""
        counts = np.zeros((len(several), self._classes))
        place = self._table.indices % self._classes
        row = np.repeat(np.arange(len(several)), np.diff(self._table.indptr))
        np.add.at(counts, (row, place), self._table.data)
        every = np.einsum("tk,kl,tl->t", counts, self._weights, counts)
        pair = row.astype(np.int64) * votes.workers + self._table.indices // self._classes
        _, start = np.unique(pair, return_index=True)
        by_worker = sparse.csr_matrix(
            (self._table.data, place, np.append(start, len(pair))),
            shape=(len(start), self._classes),
        )
        own = np.asarray(by_worker.multiply(by_worker @ self._weights).sum(axis=1)).ravel()
        found: Floats = every - np.bincount(row[start], weights=own, minlength=len(several))
        return found


def _incidence(votes: Votes) -> sparse.csr_matrix:
    """Return tasks x workers, with the number of labels."""
    found = sparse.csr_matrix(
        (votes.count, votes.worker, votes.starts), shape=(votes.tasks, votes.workers), copy=True
    )
    found.sum_duplicates()
    return found


def _without_one(n: int) -> Iterator[Floats]:
    for place in range(n):
        weight = np.ones(n)
        weight[place] = 0.0
        yield weight


def _kappa(observed: Floats, expected: Floats) -> Floats:
    found = np.full_like(observed, np.nan)
    np.divide(observed - expected, 1.0 - expected, out=found, where=expected < 1.0 - 1e-12)
    return found
