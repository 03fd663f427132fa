"""Likely label errors, from a model's out-of-fold probabilities: confident learning.

C. G. Northcutt, L. Jiang and I. L. Chuang, JAIR 70 (2021) 1373-1411. A case counts as truly of
class j where its probability of j reaches the mean that cases labelled j have; the table of
given against so found classes, calibrated to the labels' counts, estimates the joint of given
and true labels. Per pair of classes, as many cases as the joint says are wrong are taken, those
with the largest margin first.

The probabilities must be out of fold: a model that saw a case's label agrees with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from titian.annotation.consensus.crowdlab import probability_problems
from titian.annotation.consensus.votes import Floats, Ints
from titian.errors import InputError, Problem

Rule = Literal["noise-rate", "confident-joint"]
RULES: tuple[str, ...] = get_args(Rule)
BLOCK_ROWS = 8_192  # rows worked on at once, so that they stay in the processor's cache
NEVER = 2.0  # threshold of a class without labels: no probability reaches it
SLACK = 1e-6  # a probability this little below a threshold still reaches it
TIE = 1e-8  # the given class wins against one that is less than this more probable
SUM_TOLERANCE = 1e-3
LEAST_KEPT = 1  # cases of a class that are never called wrong
CALIBRATED_ON = 5_000  # cases, evenly spaced, on which the probabilities are calibrated
NOISE_ON = 50_000  # cases, evenly spaced, among which the surest are looked for
STEPS = 1 << 15  # of a calibrated probability
LEAST_SURE = 30  # cases of a class that tell its noise
LEAST_PROBABILITY = 1e-3  # a forest's 0 is not certainty
LEAST_TRUE = 1e-9  # keeps the true class's probabilities from falling below 0
SOLVABLE = 1e6  # condition number of the noise beyond which it is not inverted


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelErrors:
    """Cases whose label is likely wrong, the likeliest first.

    Attributes:
        case: shape (found,), rows of the input.
        given: shape (found,), their labels.
        suggested: shape (found,), the model's most probable class.
        quality: shape (found,), the probability of the given label.
        chance: shape (found,), the estimated probability that the label is wrong.
        precision: shape (found,), the expected share of wrong labels among this case and
            those before it: the mean of `chance` so far.
        joint: shape (classes, classes), the estimated numbers of cases [given, true].
        noise: shape (classes, classes), the estimated probability of [given | true].
        thresholds: shape (classes,), the mean probability of a class among cases so labelled;
            2 for a class without labels.
        cases: how many were looked at.
        rule: one of `RULES`.
    """

    case: Ints
    given: Ints
    suggested: Ints
    quality: Floats
    chance: Floats
    precision: Floats
    joint: Ints
    noise: Floats
    thresholds: Floats
    cases: int
    rule: str

    @property
    def noise_rate(self) -> float:
        """The estimated share of all labels that are wrong, found or not.

        The joint would say more, for it takes the model's own mistakes for wrong labels.
        """
        return float(self.joint.sum(axis=0) @ (1.0 - self.noise.diagonal())) / self.cases


def find_label_errors(
    label: ArrayLike, probabilities: ArrayLike, *, rule: str = "noise-rate"
) -> LabelErrors:
    """Find likely label errors.

    Args:
        label: shape (n,), integers from 0 below the number of classes.
        probabilities: shape (n, classes), out of fold; rows sum to 1.
        rule: ``noise-rate`` takes as many cases per pair of classes as the joint says are
            wrong; ``confident-joint`` takes the cases that count off its diagonal.

    Returns:
        Cases where another class is the more probable one, by rising quality. The chance that
        a label is wrong follows from noise that depends on the class alone, as the surest
        cases show it, and from calibrated probabilities; it changes neither which cases are
        found nor their order.

    Raises:
        InputError: T-A210 shapes, T-A211 labels, T-A212 rule, T-A007 and T-A008 probabilities;
            all problems together.
    """
    given, p, best = _checked(label, probabilities, rule)
    n, classes = p.shape
    flat = p.reshape(-1)
    offset = np.arange(0, n * classes, classes)
    quality = flat.take(offset + given)
    highest = flat.take(offset + best)
    counts = np.bincount(given, minlength=classes)
    thresholds = np.full(classes, NEVER)
    present = counts > 0
    sums = np.bincount(given, weights=quality, minlength=classes)
    thresholds[present] = np.maximum(sums[present] / counts[present], SLACK)
    guess = _guess(p, best, highest, thresholds - SLACK)
    joint = _joint(given, guess, counts)
    doubted = quality + TIE < highest
    if rule == "confident-joint":
        found = np.flatnonzero(doubted & (guess >= 0) & (guess != given))
    else:
        found = _prune(p, given, np.flatnonzero(doubted), joint, counts)
    found = found[np.argsort(quality[found], kind="stable")]
    step = max(n // CALIBRATED_ON, 1)
    calibration = calibrate(given[::step], p[::step])
    step = max(n // NOISE_ON, 1)
    noise = noise_of(given[::step], best[::step], highest[::step], classes)
    chance = np.empty(len(found))
    for first in range(0, len(found), BLOCK_ROWS):
        some = found[first : first + BLOCK_ROWS]
        chance[first : first + BLOCK_ROWS] = chance_wrong(
            given[some], p[some], noise, calibration
        )
    return LabelErrors(
        case=found,
        given=given[found].astype(np.int64),
        suggested=best[found].astype(np.int64),
        quality=quality[found].astype(np.float64),
        chance=chance,
        precision=np.cumsum(chance) / np.arange(1, len(chance) + 1),
        joint=joint,
        noise=noise,
        thresholds=thresholds,
        cases=n,
        rule=rule,
    )


def noise_of(given: NDArray[Any], best: Ints, highest: Floats, classes: int) -> Floats:
    """Return the probability of each given label for each true class, from the surest cases.

    Where a model is surest of a class the classes hardly overlap, and labels that differ
    there are wrong ones (anchor points: Liu and Tao, IEEE TPAMI 38, 2016; Patrini et al.,
    CVPR 2017). The surest cases are found by halving: as long as labels differ less often in
    the surer half of them, that half is kept. The rate of a class is the geometric mean of
    its own and of the one over all classes, for a class that lies among others has no sure
    cases of its own.

    Args:
        given: shape (n,).
        best: shape (n,), the most probable class.
        highest: shape (n,), its probability.
        classes: number of classes.

    Returns:
        Shape (classes, classes), [given, true]; columns sum to 1.
    """
    differs = given != best

    def rate(rows: Ints) -> float:
        return float((differs[rows].sum() + 0.5) / (len(rows) + 1.0))

    whole = rate(_surest(np.arange(len(given)), differs, highest))
    found = np.zeros((classes, classes))
    for k in range(classes):
        rows = _surest(np.flatnonzero(best == k), differs, highest)
        wrong = float(np.sqrt(whole * rate(rows))) if len(rows) else whole
        others = np.bincount(given[rows], minlength=classes) + 0.5
        others[k] = 0.0
        found[:, k] = others / others.sum() * wrong
        found[k, k] = 1.0 - wrong
    return found


def _surest(rows: Ints, differs: NDArray[np.bool_], highest: Floats) -> Ints:
    """Halve some cases for as long as labels differ less often among the surer ones."""
    top: Ints = rows[np.argsort(-highest[rows], kind="stable")]
    while len(top) >= 2 * LEAST_SURE:
        halves = np.array_split(differs[top], 2)
        n = np.array([len(half) for half in halves])
        share = (np.array([half.sum() for half in halves]) + 0.5) / (n + 1.0)
        if share[1] - share[0] <= float(np.sqrt((share * (1.0 - share) / n).sum())):
            break
        top = top[: n[0]]
    return top


def chance_wrong(
    given: NDArray[Any], probabilities: Floats, noise: Floats, calibration: Calibration
) -> Floats:
    """Return the probability that each given label is wrong.

    Calibrated probabilities say how often a label is given; with noise that depends on the
    true class alone, p(given | x) = noise @ p(true | x). The labels of a class that are there
    because of noise, as a share of all that are there, are the wrong ones.

    Args:
        given: shape (n,).
        probabilities: shape (n, classes), of a model that did not see the label.
        noise: shape (classes, classes), as `noise_of` returns it.
        calibration: of the probabilities.
    """
    likely = calibration.of(probabilities)
    ones, rows = np.ones(len(noise)), np.arange(len(given))
    true = likely
    if np.linalg.cond(noise) < SOLVABLE:
        true = np.maximum(likely @ np.linalg.inv(noise).T, LEAST_TRUE)
    # Rows of both are divided by their sums, so that a row need not sum to 1 before.
    by_noise = np.einsum("nk,nk->n", true, (noise - np.diag(noise.diagonal()))[given])
    by_noise /= true @ ones
    by_noise /= likely[rows, given] / (likely @ ones)
    found: Floats = np.minimum(by_noise, 1.0)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How often a label is given where a model says some probability.

    Attributes:
        found: shape (STEPS + 1,), how often, for probabilities of 0, 1/STEPS ... 1; never
            falling (isotonic regression), and never 0.
    """

    found: Floats

    def of(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities; rows no longer sum to 1."""
        step = np.multiply(probabilities, STEPS)
        step += 0.5
        found: Floats = self.found.take(step.astype(np.int32), mode="clip")
        return found


def calibrate(given: NDArray[Any], probabilities: Floats) -> Calibration:
    """Hold the probabilities of all classes against whether the class was the label given."""
    said, place = np.unique(probabilities, return_inverse=True)
    place = place.reshape(probabilities.shape)
    count = np.bincount(place.reshape(-1), minlength=len(said))
    hits = np.bincount(place[np.arange(len(given)), given], minlength=len(said))
    often = isotonic_regression(hits / count, weights=count).x
    found = np.interp(np.arange(STEPS + 1) / STEPS, said, often)
    return Calibration(found=np.maximum(found, LEAST_PROBABILITY))


def _guess(
    p: Floats, best: NDArray[Any], highest: Floats, thresholds: Floats
) -> NDArray[np.int64]:
    """Return the class each case counts as, -1 where it reaches no threshold.

    A case that reaches several thresholds counts as its most probable class.
    """
    guess = best.astype(np.int64)
    short = np.flatnonzero(highest < thresholds[best])
    guess[short] = -1
    possible = short[highest[short] >= thresholds.min()]
    if len(possible):
        reached = p[possible] >= thresholds
        many = reached.sum(axis=1)
        guess[possible] = np.where(
            many == 0, -1, np.where(many == 1, reached.argmax(axis=1), best[possible])
        )
    return guess


def _joint(given: NDArray[Any], guess: NDArray[np.int64], counts: NDArray[Any]) -> Ints:
    """Count given against guessed classes, scaled to the counts of the given labels."""
    classes = len(counts)
    sure = np.flatnonzero(guess >= 0)
    cell = given[sure].astype(np.int64) * classes + guess[sure]
    table = np.bincount(cell, minlength=classes * classes).reshape(classes, classes)
    np.fill_diagonal(table, np.maximum(table.diagonal(), 1))
    scaled = table / table.sum(axis=1, keepdims=True) * counts[:, None]
    whole: Ints = np.floor(scaled).astype(np.int64)
    for row, exact in zip(whole, scaled, strict=True):  # largest remainders, sums kept
        left = round(float(exact.sum())) - int(row.sum())
        row[np.argsort(row - exact, kind="stable")[:left]] += 1
    return whole


def _prune(
    p: Floats, given: NDArray[Any], doubted: Ints, joint: Ints, counts: NDArray[Any]
) -> Ints:
    """Take the cases with the largest margins, as many per pair as the joint has.

    A positive margin makes a case a doubted one, so that the doubted cases are enough unless
    more are to be taken than have a positive margin.
    """
    classes = len(counts)
    wanted = joint.copy()
    short = np.maximum(LEAST_KEPT - joint.diagonal(), 0)
    if short.any():
        others = np.maximum((joint > 0).sum(axis=1) - 1, 1)
        wanted = np.maximum(joint - (short / others)[:, None], 0).astype(np.int64)
    labels = given[doubted]
    ends = np.cumsum(np.bincount(labels, minlength=classes))
    if classes < 2**16:
        labels = labels.astype(np.uint16)  # numpy sorts these by radix
    order = doubted[np.argsort(labels, kind="stable")]
    taken = np.zeros(len(given), dtype=bool)
    for k in range(classes):
        if counts[k] <= LEAST_KEPT:
            continue
        rows = order[ends[k - 1] if k else 0 : ends[k]]
        near = p[rows]
        every: tuple[Ints, Floats] | None = None
        for j in range(classes):
            many = int(wanted[k, j])
            if j == k or not many:
                continue
            margin = near[:, j] - near[:, k]
            place = rows
            if many > int((margin > 0).sum()):
                if every is None:
                    whole = np.flatnonzero(given == k)
                    every = whole, p[whole]
                place, margin = every[0], every[1][:, j] - every[1][:, k]
            if many >= len(place):
                taken[place] = True
            else:
                taken[place[np.argpartition(-margin, many - 1)[:many]]] = True
    found: Ints = doubted[taken[doubted]]
    return found


def _checked(
    label: ArrayLike, probabilities: ArrayLike, rule: str
) -> tuple[NDArray[Any], Floats, Ints]:
    """Return labels and probabilities, and each row's most probable class."""
    given, p = np.asarray(label), np.asarray(probabilities)
    problems: list[Problem] = []
    if rule not in RULES:
        problems.append(
            Problem(
                code="T-A212",
                message=f"there is no rule {rule!r}; the rules are {', '.join(RULES)}.",
                remedy="Name one of them.",
            )
        )
    if given.ndim != 1 or p.ndim != 2 or len(p) != len(given) or not p.size or p.shape[1] < 2:
        problems.append(
            Problem(
                code="T-A210",
                message=f"label has the shape {given.shape} and probabilities {p.shape}; they "
                "are (n,) and (n, classes), n at least 1, classes at least 2.",
                remedy="Give one row of probabilities per label.",
            )
        )
        raise InputError(*problems)
    if given.dtype.kind not in "iu" or int(given.min()) < 0 or int(given.max()) >= p.shape[1]:
        wrong = [value for value in np.unique(given) if value not in range(p.shape[1])]
        shown = ", ".join(map(str, wrong[:5])) or f"the type {given.dtype}"
        problems.append(
            Problem(
                code="T-A211",
                message=f"labels hold {shown}; they are integers from 0 to {p.shape[1] - 1}.",
                remedy="Number the classes as the columns of the probabilities.",
            )
        )
    if p.dtype not in (np.float64, np.float32):
        p = p.astype(np.float64)
    p = np.ascontiguousarray(p)
    best, fine = _scan(p)
    if not fine:
        problems += probability_problems(p.astype(np.float64))
    if problems:
        raise InputError(*problems)
    return given, p, best


def _scan(p: Floats) -> tuple[Ints, bool]:
    """Return each row's most probable class, and whether all rows are probabilities."""
    ones = np.ones(p.shape[1], dtype=p.dtype)
    best = np.empty(len(p), dtype=np.int64)
    fine = True
    for first in range(0, len(p), BLOCK_ROWS):
        block = p[first : first + BLOCK_ROWS]
        sums = block @ ones
        # One NaN makes its row's sum NaN, and every comparison with it false.
        fine &= bool(sums.min() >= 1.0 - SUM_TOLERANCE and sums.max() <= 1.0 + SUM_TOLERANCE)
        fine &= bool(block.min() >= 0.0)
        block.argmax(axis=1, out=best[first : first + BLOCK_ROWS])
    return best, fine
