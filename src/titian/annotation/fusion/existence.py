"""Whether a marked object is real: hit and false-alarm rates of workers, by EM.

Each group of matched shapes is a candidate object. A real one is marked by each worker who
read the document with the worker's hit rate; a false one (an artefact, a slip) with the
worker's rate of false alarms. Candidates that nobody marked are not seen, so their expected
number is filled in (the EM of a truncated mixture; Dempster, Laird and Rubin, JRSS B 39, 1977;
with hit and false-alarm rates as in Dawid and Skene 1979). Weak Beta priors settle what the
data leave open: with two workers a shape that only one of them drew is such a case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.annotation.fusion.result import Bools, Floats

ITERATIONS = 500
TOLERANCE = 1e-7
HIT_PRIOR = (4.0, 1.0)  # pseudo-counts: five objects, four of them marked
FALSE_PRIOR = (0.5, 9.5)  # one false candidate in twenty tempts a second worker too
REAL_PRIOR = (2.0, 1.0)  # candidates: more are real than not
UNSEEN = 0.95  # most of the false candidates that nobody marked, as a share


@dataclass(frozen=True, slots=True, kw_only=True)
class Existence:
    """Which candidates are real.

    Attributes:
        real: shape (candidates,), probability.
        hit: shape (workers,), probability that a worker marks a real object.
        false: shape (workers,), probability that a worker marks a false candidate.
        iterations: how many were made.
        converged: no probability moved by more than the tolerance.
    """

    real: Floats
    hit: Floats
    false: Floats
    iterations: int
    converged: bool


def existence(marked: Bools, read: Bools) -> Existence:
    """Estimate the probability that each candidate is real.

    Args:
        marked: shape (candidates, workers), who marked it; each row holds one mark or more.
        read: shape (candidates, workers), who read its document; a worker who skipped the
            document says nothing about its objects.

    Returns:
        Probabilities; where only one worker read a document, the worker's precision.
    """
    n, workers = marked.shape
    hit = np.full(workers, HIT_PRIOR[0] / sum(HIT_PRIOR))
    false = np.full(workers, 0.1)
    if n == 0:
        return Existence(real=np.zeros(0), hit=hit, false=false, iterations=0, converged=True)
    # Equal rows are one row with a count: there are few patterns of marks.
    both, where, times = np.unique(
        np.concatenate([marked, read], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    count = times.astype(np.float64)
    marks, reads = both[:, :workers].astype(np.float64), both[:, workers:].astype(np.float64)
    readers, group, _ = np.unique(reads, axis=0, return_inverse=True, return_counts=True)
    seen = np.bincount(group.ravel(), weights=count, minlength=len(readers))
    missed = reads - marks
    # A start that needs no rates: the share of the readers who marked it, drawn to one half.
    real = (marks.sum(axis=1) + 0.5) / (reads.sum(axis=1) + 1.0)
    unseen_real, unseen_false = np.zeros(len(readers)), np.zeros(len(readers))
    steps, converged = 0, False
    while steps < ITERATIONS and not converged:
        steps += 1
        share = _share(real, count, unseen_real, unseen_false)
        hit = _rate(HIT_PRIOR, real * count, marks, reads, unseen_real, readers)
        false = _rate(FALSE_PRIOR, (1.0 - real) * count, marks, reads, unseen_false, readers)
        like_real = np.log(share) + marks @ np.log(hit) + missed @ np.log1p(-hit)
        like_false = np.log1p(-share) + marks @ np.log(false) + missed @ np.log1p(-false)
        now = 1.0 / (1.0 + np.exp(np.clip(like_false - like_real, -700.0, 700.0)))
        none_real = share * np.exp(readers @ np.log1p(-hit))
        none_false = (1.0 - share) * np.minimum(np.exp(readers @ np.log1p(-false)), UNSEEN)
        observed = np.maximum(1.0 - none_real - none_false, 1e-9)
        unseen_real = seen * none_real / observed
        unseen_false = seen * none_false / observed
        converged = bool(np.abs(now - real).max() < TOLERANCE)
        real = now
    return Existence(
        real=real[where.ravel()], hit=hit, false=false, iterations=steps, converged=converged
    )


def _share(real: Floats, count: Floats, unseen_real: Floats, unseen_false: Floats) -> float:
    yes = REAL_PRIOR[0] + float((real * count).sum() + unseen_real.sum())
    no = REAL_PRIOR[1] + float(((1.0 - real) * count).sum() + unseen_false.sum())
    return yes / (yes + no)


def _rate(
    prior: tuple[float, float],
    weight: Floats,
    marks: Floats,
    reads: Floats,
    unseen: Floats,
    readers: Floats,
) -> Floats:
    """Return each worker's share of marks among the candidates of its documents."""
    yes = prior[0] + weight @ marks
    whole = prior[0] + prior[1] + weight @ reads + unseen @ readers
    found: Floats = np.clip(yes / whole, 1e-6, 1.0 - 1e-6)
    return found
