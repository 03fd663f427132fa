"""What to label next: uncertainty, diversity and expected error, a batch at a time.

Pure functions of a model's probabilities and features. Ties are broken by the Generator, so
that the order of the pool decides nothing.

Sources: B. Settles, Active Learning Literature Survey (2009) for entropy, margin and density;
O. Sener and S. Savarese, ICLR 2018, for k-centres; N. Roy and A. McCallum, ICML 2001, for
expected error; G. Nemhauser, L. Wolsey and M. Fisher, Mathematical Programming 14 (1978), for
why greedy choice of a batch is within 1 - 1/e of the best.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from titian.annotation.consensus.crowdlab import probability_problems
from titian.annotation.consensus.votes import Floats, Ints
from titian.errors import InputError, Problem

Score = Literal["entropy", "margin", "least-confidence"]
SCORES: tuple[str, ...] = get_args(Score)
MOST_REFERENCES = 4_000  # cases that stand for the pool where similarities are needed
BLOCK_CELLS = 4_000_000
LEAST_GAIN = 1e-6  # how far a case's own error breaks ties of gain; its square, how far chance


def uncertainty(probabilities: ArrayLike, *, score: str = "entropy") -> Floats:
    """Return how unsure a model is of each case, in [0, 1], 1 for no idea.

    Args:
        probabilities: shape (n, classes), rows sum to 1.
        score: ``entropy`` over its largest value, ``margin`` (1 - the best two's distance) or
            ``least-confidence`` (1 - the best, over its largest value).

    Raises:
        InputError: T-A240 shape or score, T-A007 and T-A008 probabilities.
    """
    p = _probabilities(probabilities)
    classes = p.shape[1]
    found: Floats
    match score:
        case "entropy":
            logs = np.log(p, out=np.zeros_like(p), where=p > 0)
            found = -(p * logs).sum(axis=1) / np.log(classes)
        case "margin":
            top = np.partition(p, classes - 2, axis=1)
            found = 1.0 - (top[:, -1] - top[:, -2])
        case "least-confidence":
            found = (1.0 - p.max(axis=1)) / (1.0 - 1.0 / classes)
        case _:
            raise _refused(
                "T-A240",
                f"there is no score {score!r}; the scores are {', '.join(SCORES)}.",
                "Name one of them.",
            )
    np.clip(found, 0.0, 1.0, out=found)
    return found


def most_uncertain(
    probabilities: ArrayLike, size: int, *, rng: np.random.Generator, score: str = "entropy"
) -> Ints:
    """Return the `size` least certain cases, the least certain first."""
    unsure = uncertainty(probabilities, score=score)
    _check_size(size, len(unsure))
    order: Ints = np.lexsort((rng.random(len(unsure)), -unsure))
    return order[:size]


def most_diverse(
    features: ArrayLike,
    size: int,
    *,
    rng: np.random.Generator,
    labelled: ArrayLike | None = None,
) -> Ints:
    """Choose centres so that no case is far from one (greedy k-centres).

    Args:
        features: shape (n, d), finite, on comparable scales.
        size: cases to choose.
        rng: chooses the first where nothing is labelled, and breaks ties.
        labelled: shape (m, d), features of cases that have labels; centres already.

    Returns:
        Shape (size,), in order of choice: the largest distance left is at most twice the best
        possible (Gonzalez 1985).
    """
    x = _features(features)
    _check_size(size, len(x))
    nearest = np.full(len(x), np.inf)
    if labelled is not None:
        for centre in _features(labelled):
            np.minimum(nearest, _squared(x, centre), out=nearest)
    jitter = rng.random(len(x))
    chosen: list[int] = []
    free = np.ones(len(x), dtype=bool)
    for _ in range(size):
        far = np.where(free, nearest, -1.0)
        ties = np.flatnonzero(far >= far.max())
        place = int(ties[jitter[ties].argmax()])
        chosen.append(place)
        free[place] = False
        np.minimum(nearest, _squared(x, x[place]), out=nearest)
    return np.asarray(chosen, dtype=np.int64)


def most_representative(
    probabilities: ArrayLike,
    features: ArrayLike,
    size: int,
    *,
    rng: np.random.Generator,
    density_weight: float = 1.0,
    score: str = "entropy",
) -> Ints:
    """Choose uncertain cases in dense places: uncertainty x mean similarity ** weight.

    Outliers are uncertain too, and labelling them teaches a model little.
    """
    unsure = uncertainty(probabilities, score=score)
    x = _features(features)
    _check_lengths(unsure, x)
    _check_size(size, len(x))
    references = _references(len(x), rng)
    width = _bandwidth(x, references, rng)
    density = np.concatenate(
        [
            _similarity(x[block], x[references], width).mean(axis=1)
            for block in _blocks(len(x), len(references))
        ]
    )
    found: Ints = np.lexsort((rng.random(len(x)), -unsure * density**density_weight))
    return found[:size]


def least_expected_error(
    probabilities: ArrayLike, features: ArrayLike, size: int, *, rng: np.random.Generator
) -> Ints:
    """Choose the batch whose labels are expected to remove most error from the pool.

    The expected error of a case is 1 - its highest probability. A label removes its own
    case's error and, of every other case, the share that their similarity (a Gaussian of the
    features' distance) gives; several labels remove what the most similar one does. The batch
    is chosen greedily, which is within 1 - 1/e of the best batch under this model. A
    retrained model will differ from it: it is a way to choose, not a forecast.

    Args:
        probabilities: shape (n, classes).
        features: shape (n, d).
        size: cases to choose.
        rng: draws the cases that stand for a pool of more than 4,000, and breaks ties.

    Returns:
        Shape (size,), in order of choice.
    """
    p = _probabilities(probabilities)
    x = _features(features)
    _check_lengths(p, x)
    _check_size(size, len(x))
    references = _references(len(x), rng)
    width = _bandwidth(x, references, rng)
    error = 1.0 - p[references].max(axis=1)
    candidates = _references(len(x), rng, always=size)
    gain_of = _similarity(x[candidates], x[references], width)
    own = (1.0 - p[candidates].max(axis=1)) * LEAST_GAIN  # where similar cases cover all
    covered = np.zeros(len(references))
    jitter = rng.random(len(candidates)) * LEAST_GAIN**2
    free = np.ones(len(candidates), dtype=bool)
    chosen = []
    for _ in range(size):
        gain = np.concatenate(
            [
                np.maximum(gain_of[block] - covered, 0.0) @ error
                for block in _blocks(len(candidates), len(references))
            ]
        )
        gain = np.where(free, gain + own + jitter, -1.0)
        place = int(gain.argmax())
        chosen.append(int(candidates[place]))
        free[place] = False
        np.maximum(covered, gain_of[place], out=covered)
    return np.asarray(chosen, dtype=np.int64)


def _similarity(one: Floats, two: Floats, width: float) -> Floats:
    squared = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1) - 2.0 * one @ two.T
    found: Floats = np.exp(-np.maximum(squared, 0.0) / (2.0 * width**2))
    return found


def _bandwidth(x: Floats, references: Ints, rng: np.random.Generator) -> float:
    """Return half the median distance of random pairs; 1 where all cases are equal."""
    one, two = rng.choice(references, 1_000), rng.choice(references, 1_000)
    distance = np.sqrt(((x[one] - x[two]) ** 2).sum(axis=1))
    positive = distance[distance > 0]
    return float(np.median(positive)) / 2.0 if len(positive) else 1.0


def _references(n: int, rng: np.random.Generator, *, always: int = 0) -> Ints:
    most = max(MOST_REFERENCES, always)
    if n <= most:
        return np.arange(n)
    return np.sort(rng.choice(n, most, replace=False))


def _blocks(rows: int, columns: int) -> list[slice]:
    step = max(BLOCK_CELLS // max(columns, 1), 1)
    return [slice(first, first + step) for first in range(0, rows, step)]


def _squared(x: Floats, centre: Floats) -> Floats:
    away = x - centre
    found: Floats = np.einsum("nd,nd->n", away, away)
    return found


def _probabilities(probabilities: ArrayLike) -> Floats:
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or not len(p) or p.shape[1] < 2:
        raise _refused(
            "T-A240",
            f"probabilities have the shape {p.shape}; it is (n, classes), n at least 1, "
            "classes at least 2.",
            "Give one row per case.",
        )
    problems = probability_problems(p)
    if problems:
        raise InputError(*problems)
    return p


def _features(features: ArrayLike) -> Floats:
    x = np.asarray(features, dtype=np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise _refused(
            "T-A241",
            f"features have the shape {x.shape} and {int((~np.isfinite(x)).sum())} values that "
            "are not finite; the shape is (n, d), and all are finite.",
            "Give one row of numbers per case.",
        )
    return x


def _check_lengths(one: NDArray[np.float64], two: Floats) -> None:
    if len(one) != len(two):
        raise _refused(
            "T-A241",
            f"there are {len(one)} rows of probabilities and {len(two)} of features; "
            "there is one of each per case.",
            "Give both for the same cases, in one order.",
        )


def _check_size(size: int, n: int) -> None:
    if not 1 <= size <= n:
        raise _refused(
            "T-A242",
            f"a batch of {size} was asked for; the pool has {n} cases.",
            "Ask for 1 to all of them.",
        )


def _refused(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))
