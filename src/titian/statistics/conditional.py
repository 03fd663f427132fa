"""Can a group be read off a score beyond what the label explains?

Within each label the score's ranks are compared between a group and the rest (van Elteren's
stratified rank sum, Bull. Inst. Int. Stat. 37, 1960, 351-361), so that a score which differs
only because the groups' labels do shows nothing. The null distribution is that of cases
shuffled within their label; where subjects have several cases, of subjects shuffled among
those with the same usual label, the statistic studentised by subject (Janssen, Stat. Probab.
Lett. 36, 1997, 9-21), so that subjects of unequal size do not mislead. All groups and scores
are shuffled together and the largest statistic is what each is held against (Westfall and
Young, Resampling-Based Multiple Testing, 1993), which corrects for their number and loses
nothing where groups go together.

The size is the stratified AUC: the chance that a member scores above a non-member of the same
label, ties counted half; 0.5 is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from titian.statistics.clusters import (
    clustering,
    degrees_of_freedom,
    effective_subjects,
    variance,
)
from titian.statistics.discrimination import modelled_variance, placements
from titian.statistics.estimate import Bools, Estimate, Floats, Ints, intervals_of, unknown
from titian.statistics.proportions import wilson

STRATIFIED = "stratified AUC, DeLong, Wilson form"
STRATIFIED_BY_SUBJECT = "stratified AUC, Obuchowski's DeLong by subject, Wilson form"

SHUFFLED_NUMBERS = 30_000_000
"""Cases times draws up to which shuffles are made; above, their normal limit is drawn."""

PRIOR_SUBJECTS = 6
"""Weight, in subjects of the smaller side, of the modelled variance beside the seen one."""

LEAST_ERROR = 1e-9

BLOCK_DRAWS = 100
"""Draws of an embedding's reader that are solved at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How well one group can be told from the rest, given the label.

    Attributes:
        size: the stratified AUC with its interval; unknown where no label has both sides.
        p_value: corrected for all readings made together; 1.0 where the size is unknown.
    """

    size: Estimate
    p_value: float


def conditional_readings(
    scores: Floats,
    stratum: Ints,
    member: Bools,
    subject: Ints | None = None,
    *,
    alphas: Sequence[float],
    draws: int,
    rng: np.random.Generator,
) -> list[list[Reading]]:
    """Return a reading of each group from each score, ``[score][group]``.

    Args:
        scores: shape (n, k), finite.
        stratum: shape (n,), the labels.
        member: shape (n, g), which groups each case belongs to.
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.
        draws: of the null distribution; the smallest p-value is 1 / (draws + 1).
        rng: where they come from.
    """
    n, k = scores.shape
    if n == 0 or not member.shape[1]:
        empty = Reading(size=unknown(n, "no cases"), p_value=1.0)
        return [[empty] * member.shape[1]] * k
    groups = clustering(subject, n)
    size = groups.sums(np.ones(n))
    place = _usual(stratum, groups.code, groups.subjects)
    ranks = np.stack([_centred_ranks(column, stratum) for column in scores.T], axis=1)
    inside = _centred(member.astype(np.float64), stratum)
    carried = _centred(_means(ranks, groups.code, size) * size[:, None], place)
    share = _centred(_means(inside, groups.code, size), place)
    observed = _studentised(carried, share)
    null = _shuffled(carried, share, place, draws, rng)
    largest = np.abs(null).max(axis=(1, 2))
    found = []
    for j in range(k):
        row = []
        for g in range(member.shape[1]):
            area = stratified_auc(scores[:, j], stratum, member[:, g], subject, alphas=alphas)
            beyond = int((largest >= abs(observed[j, g]) - 1e-12).sum())
            p = 1.0 if area.value is None else (1 + beyond) / (1 + draws)
            row.append(Reading(size=area, p_value=p))
        found.append(row)
    return found


def stratified_auc(
    score: Floats,
    stratum: Ints,
    member: Bools,
    subject: Ints | None = None,
    *,
    alphas: Sequence[float],
) -> Estimate:
    """Estimate the chance that a member scores above a non-member of the same label.

    Args:
        score: shape (n,), finite.
        stratum: shape (n,), the labels; each is weighted as van Elteren does.
        member: shape (n,).
        subject: shape (n,), or None when every case is its own subject.
        alphas: one minus the nominal coverage of each interval wanted.
    """
    n = int(member.sum())
    influence, value, total, modelled = np.zeros(len(score)), 0.0, 0.0, 0.0
    for label in np.unique(stratum):
        chosen = stratum == label
        side = member[chosen]
        inside, outside = int(side.sum()), int((~side).sum())
        if inside == 0 or outside == 0:
            continue
        weight = inside * outside / (inside + outside)
        area, placement = placements(score[chosen], side)
        influence[chosen] = weight * (placement - area) / np.where(side, inside, outside)
        # Kept off 0 and 1, where the modelled variance is 0 and shows no doubt.
        near = min(max(area, 0.5 / (inside * outside + 1)), 1 - 0.5 / (inside * outside + 1))
        modelled += weight**2 * modelled_variance(max(near, 1 - near), inside, outside)
        value, total = value + weight * area, total + weight
    if total == 0.0:
        return unknown(n, "no label has cases both inside and outside the group")
    value, influence, modelled = value / total, influence / total, modelled / total**2
    groups = clustering(subject, len(score))
    plain, seen = variance(influence), variance(groups.sums(influence))
    effect = max(seen / plain, 1.0) if plain > 0 else 1.0
    sizes = [groups.sums(side.astype(np.float64)) for side in (member, ~member)]
    # Few subjects show little of their own spread: the modelled one steadies it, as in `auc`.
    weight = PRIOR_SUBJECTS / (PRIOR_SUBJECTS + min(map(effective_subjects, sizes)))
    spread = (1 - weight) * max(seen, 0.0) + weight * effect * modelled
    df = min(degrees_of_freedom(size, effect) for size in sizes)
    near = min(max(value, 0.5 / (n + 1)), 1 - 0.5 / (n + 1))
    low, high = wilson(value, max(near * (1 - near) / spread, 1.0), alphas, df=df)
    return Estimate(
        value=value,
        n=n,
        intervals=intervals_of(alphas, low, high),
        method=STRATIFIED if groups.single else STRATIFIED_BY_SUBJECT,
    )


def _centred_ranks(score: Floats, stratum: Ints) -> Floats:
    """Return each case's rank among its label's, as a share, less its label's mean."""
    found = np.empty(len(score))
    for label in np.unique(stratum):
        chosen = stratum == label
        ordered = np.sort(score[chosen])
        below = np.searchsorted(ordered, score[chosen], "left")
        reached = np.searchsorted(ordered, score[chosen], "right")
        found[chosen] = (below + reached) / (2 * len(ordered))
    return _centred(found[:, None], stratum)[:, 0]


def _centred(values: Floats, stratum: Ints) -> Floats:
    """Subtract each label's mean from the columns of `values`, shape (n, c)."""
    code = np.unique(stratum, return_inverse=True)[1]
    count = np.bincount(code)
    means = np.stack([np.bincount(code, weights=column) / count for column in values.T], axis=1)
    return np.asarray(values - means[code])


def _studentised(carried: Floats, share: Floats) -> Floats:
    """Return the statistics, shape (k, g): sums of products over their own spread."""
    spread = np.sqrt((carried**2).T @ share**2)
    return np.asarray(carried.T @ share / np.where(spread > LEAST_ERROR, spread, np.inf))


def _shuffled(
    carried: Floats, share: Floats, place: Ints, draws: int, rng: np.random.Generator
) -> Floats:
    """Return the statistics of subjects shuffled within their label, shape (draws, k, g)."""
    strata = [np.flatnonzero(place == label) for label in np.unique(place)]
    null = np.empty((draws, carried.shape[1], share.shape[1]))
    if draws * len(carried) > SHUFFLED_NUMBERS:
        return _normal(carried, share, strata, null, rng)
    order = np.arange(len(carried))
    for draw in range(draws):
        for rows in strata:
            order[rows] = rng.permutation(rows)
        null[draw] = _studentised(carried[order], share)
    return null


def _normal(
    carried: Floats,
    share: Floats,
    strata: Sequence[Ints],
    null: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Fill `null` with draws of the shuffles' normal limit."""
    covariance = np.zeros((null[0].size, null[0].size))
    for rows in strata:
        between = carried[rows].T @ carried[rows] / max(len(rows) - 1, 1)
        covariance += np.kron(between, share[rows].T @ share[rows])
    error = np.sqrt(np.diag(covariance))
    scaled = covariance / np.maximum(np.outer(error, error), LEAST_ERROR**2)
    values, vectors = np.linalg.eigh(scaled)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = rng.standard_normal((len(null), len(values))) @ root.T
    return np.asarray(drawn.reshape(null.shape))


# --- many columns: an embedding -------------------------------------------------------


def crossed_readings(
    columns: Floats,
    stratum: Ints,
    member: Bools,
    subject: Ints | None = None,
    *,
    alphas: Sequence[float],
    draws: int,
    rng: np.random.Generator,
    folds: int = 5,
) -> list[Reading]:
    """Return how well each group can be read off many columns by a linear reader.

    Columns and memberships are taken about their label's mean; a ridge regression of the one
    on the other is fitted on all folds but one and reads that one. Its correlation with the
    memberships is held against that of subjects shuffled within their label, each shuffle
    fitted anew, so that what a reader finds by overfitting is found in the shuffles too.

    Args:
        columns: shape (n, d), finite.
        stratum: shape (n,), the labels.
        member: shape (n, g).
        subject: shape (n,), or None; a subject's cases lie in one fold and are averaged for
            the fit.
        alphas: one minus the nominal coverage of each interval wanted; intervals are those
            of the fitted reader, not of a better one.
        draws: shuffles.
        rng: where shuffles and folds come from.
        folds: parts, at least 2.
    """
    n, d = columns.shape
    groups = clustering(subject, n)
    size = groups.sums(np.ones(n))
    scale = columns.std(axis=0)
    per_case = _centred(columns / np.where(scale > 0, scale, 1.0), stratum)
    unit = _centred(
        _means(per_case, groups.code, size), _usual(stratum, groups.code, groups.subjects)
    )
    place = _usual(stratum, groups.code, groups.subjects)
    inside = _centred(member.astype(np.float64), stratum)
    share = _centred(_means(inside, groups.code, size), place)
    fold = rng.permutation(groups.subjects) % folds
    readers = [
        np.linalg.solve(
            unit[fold != f].T @ unit[fold != f] + max(d, 0.01 * groups.subjects) * np.eye(d),
            unit[fold != f].T,
        )
        for f in range(folds)
    ]

    def read(shares: Floats) -> Floats:
        """Return the correlation with each column of `shares`, shape (c,)."""
        told = np.empty_like(shares)
        for f in range(folds):
            told[fold == f] = unit[fold == f] @ (readers[f] @ shares[fold != f])
        scale = np.sqrt((told**2).sum(axis=0) * (shares**2).sum(axis=0))
        return np.asarray((told * shares).sum(axis=0) / np.maximum(scale, LEAST_ERROR))

    observed = read(share)
    largest = np.empty(draws)
    strata = [np.flatnonzero(place == label) for label in np.unique(place)]
    g = member.shape[1]
    for start in range(0, draws, BLOCK_DRAWS):
        count = min(BLOCK_DRAWS, draws - start)
        shuffled = np.empty((groups.subjects, count, g))
        for draw in range(count):
            for rows in strata:
                shuffled[rows, draw] = share[rng.permutation(rows)]
        found = read(shuffled.reshape(groups.subjects, count * g)).reshape(count, g)
        largest[start : start + count] = found.max(axis=1)
    told = np.empty((n, g))
    for f in range(folds):
        own = fold[groups.code] == f
        told[own] = per_case[own] @ (readers[f] @ share[fold != f])
    readings = []
    for j in range(g):
        area = stratified_auc(told[:, j], stratum, member[:, j], subject, alphas=alphas)
        p = (1 + int((largest >= observed[j] - 1e-12).sum())) / (1 + draws)
        readings.append(Reading(size=area, p_value=1.0 if area.value is None else p))
    return readings


def _means(values: Floats, code: Ints, size: Floats) -> Floats:
    """Return each subject's means of the columns of `values`."""
    sums = [np.bincount(code, weights=column, minlength=len(size)) for column in values.T]
    return np.asarray(np.stack(sums, axis=1) / size[:, None])


def _usual(stratum: Ints, code: Ints, subjects: int) -> Ints:
    """Return the label that most of each subject's cases have."""
    values, place = np.unique(stratum, return_inverse=True)
    table = np.bincount(code * len(values) + place, minlength=subjects * len(values))
    return np.asarray(table.reshape(subjects, len(values)).argmax(axis=1), dtype=np.int64)
