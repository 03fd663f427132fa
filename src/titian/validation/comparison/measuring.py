"""Both models' measures on the same cases, their difference, and a test of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from titian.statistics import influence
from titian.statistics.estimate import Bools, Estimate, Floats
from titian.statistics.paired import combined_difference, mcnemar, paired_difference, z_test
from titian.statistics.resampling import draw_counts, tail_probability
from titian.validation.cases import Cases
from titian.validation.comparison.pairing import Pair
from titian.validation.measures import MEASURES

DRAWS = 10_000
"""Bootstrap draws of counts: the smallest p-value is 2e-4, below Holm's level of 200 rows."""

OF_DECISIONS = (
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "f1",
)
OF_SCORES = ("auc", "average_precision", "brier", "expected_calibration_error")
OF_TWO_CLASSES = ("brier", "expected_calibration_error")
"""Measures that need the scores of all classes, of which only the positive's is given."""

McNEMAR = "McNemar's mid-p"
McNEMAR_BY_SUBJECT = "McNemar's mid-p, signs flipped by subject"
DELONG = "paired DeLong"
DELONG_BY_SUBJECT = "paired DeLong by subject (Obuchowski)"
BOOTSTRAP = "paired bootstrap"
BOOTSTRAP_BY_SUBJECT = "paired bootstrap by subject"
JACKKNIFE = "paired infinitesimal jackknife"
JACKKNIFE_BY_SUBJECT = "paired infinitesimal jackknife by subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test of the hypothesis that A and B do not differ.

    Attributes:
        name: which.
        p_value: two-sided.
        exact: McNemar's exact p-value; None for other tests.
        only_a: cases that A alone has right; None for other tests than McNemar's.
        only_b: cases that B alone has right; likewise.
    """

    name: str
    p_value: float
    exact: float | None = None
    only_a: int | None = None
    only_b: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One measure of both models on some cases.

    Attributes:
        name: the measure.
        subgroup: {column: value}; None for all cases.
        better: ``higher`` or ``lower``.
        a: A's measure.
        b: B's measure.
        difference: B minus A; its `n` counts what the measure counts, for the predictive
            values, whose denominators differ, the cases.
        test: None where there is none (calibration error, an unknown measure).
    """

    name: str
    subgroup: Mapping[str, str] | None
    better: str
    a: Estimate
    b: Estimate
    difference: Estimate
    test: Test | None


def available(pair: Pair) -> tuple[str, ...]:
    """Return the measures that the pair's columns allow, in the spine's order."""
    names = (OF_DECISIONS if pair.has_prediction else ()) + (
        OF_SCORES if pair.has_score else ()
    )
    if len(pair.a.classes) != 2:
        names = tuple(name for name in names if name not in OF_TWO_CLASSES)
    return names


def contrast(
    name: str,
    pair: Pair,
    mask: Bools | None,
    *,
    subgroup: Mapping[str, str] | None,
    alphas: Sequence[float],
    seed: int,
    draws: int = DRAWS,
) -> Contrast:
    """Measure both models on the cases of `mask` and compare them.

    Args:
        name: a measure of `available`.
        pair: the models.
        mask: shape (n,), or None for all cases.
        subgroup: what the mask stands for.
        alphas: one minus the nominal coverage of each interval wanted.
        seed: of the simulated draws; each row has generators of its own.
        draws: bootstrap draws.
    """
    a = pair.a if mask is None else pair.a.take(mask)
    b = pair.b if mask is None else pair.b.take(mask)
    key = zlib.crc32(f"{name} {sorted((subgroup or {}).items())}".encode())
    compute = MEASURES[name].compute
    # The same draws for both: two equal models then have equal values, simulated or not.
    of_a, of_b = (
        compute(cases, pair.place, alphas, np.random.default_rng([seed, key]))
        for cases in (a, b)
    )
    spread = INFLUENCE.get(name)
    if spread is None:
        difference = combined_difference(of_a, of_b, alphas=alphas)
        test = None
    else:
        spreads = spread(a, pair.place), spread(b, pair.place)
        difference = paired_difference(of_a, of_b, *spreads, a.subject, alphas=alphas)
        rng = np.random.default_rng([seed, key, 1])
        test = (
            None
            if difference.value is None or not difference.intervals
            else _test(name, (a, b), pair, difference.value, spreads, draws, rng)
        )
    if name in ("ppv", "npv"):
        difference = replace(difference, n=len(a))
    return Contrast(
        name=name,
        subgroup=subgroup,
        better=MEASURES[name].better,
        a=of_a,
        b=of_b,
        difference=difference,
        test=test,
    )


# --- influence values -----------------------------------------------------------------


def _all(cases: Cases) -> Bools:
    return np.ones(len(cases), dtype=np.bool_)


def _of_balanced_accuracy(cases: Cases, _: int) -> Floats:
    right = cases.prediction == cases.label
    places = range(len(cases.classes))
    recalls = [influence.of_proportion(cases.label == place, right) for place in places]
    return np.asarray(np.mean(recalls, axis=0))


INFLUENCE: Mapping[str, Callable[[Cases, int], Floats]] = {
    "sensitivity": lambda c, k: influence.of_proportion(c.label == k, c.prediction == k),
    "specificity": lambda c, k: influence.of_proportion(c.label != k, c.prediction != k),
    "ppv": lambda c, k: influence.of_proportion(c.prediction == k, c.label == k),
    "npv": lambda c, k: influence.of_proportion(c.prediction != k, c.label != k),
    "accuracy": lambda c, _: influence.of_proportion(_all(c), c.label == c.prediction),
    "balanced_accuracy": _of_balanced_accuracy,
    "f1": lambda c, k: influence.of_f1(c.label == k, c.prediction == k),
    "auc": lambda c, k: influence.of_auc(c.scores[:, k], c.label == k),
    "average_precision": lambda c, k: influence.of_average_precision(
        c.scores[:, k], c.label == k
    ),
    "brier": lambda c, k: influence.of_brier(c.scores[:, k], c.label == k),
}


# --- tests ----------------------------------------------------------------------------


def _test(
    name: str,
    models: tuple[Cases, Cases],
    pair: Pair,
    value: float,
    spreads: tuple[Floats, Floats],
    draws: int,
    rng: np.random.Generator,
) -> Test:
    a, b = models
    # Named by the whole table, so that a measure's rows bear one name.
    single = pair.a.subject is None or len(np.unique(pair.a.subject)) == len(pair.a)
    match name:
        case "sensitivity" | "specificity" | "accuracy":
            return _mcnemar(McNEMAR if single else McNEMAR_BY_SUBJECT, name, a, b, pair.place)
        case "auc":
            p = z_test(value, *spreads, a.subject)
            return Test(name=DELONG if single else DELONG_BY_SUBJECT, p_value=p)
        case "average_precision" | "brier":
            p = z_test(value, *spreads, a.subject)
            return Test(name=JACKKNIFE if single else JACKKNIFE_BY_SUBJECT, p_value=p)
        case _:
            p = tail_probability(_draw_differences(name, a, b, pair.place, draws, rng))
            return Test(name=BOOTSTRAP if single else BOOTSTRAP_BY_SUBJECT, p_value=p)


def _mcnemar(test: str, measure: str, a: Cases, b: Cases, place: int) -> Test:
    positive = a.label == place
    chosen = {"sensitivity": positive, "specificity": ~positive}.get(measure, _all(a))
    if measure == "accuracy":
        right = [cases.prediction == cases.label for cases in (a, b)]
    else:
        right = [(cases.prediction == place) == positive for cases in (a, b)]
    found = mcnemar(
        right[0][chosen],
        right[1][chosen],
        None if a.subject is None else a.subject[chosen],
    )
    return Test(
        name=test,
        p_value=found.mid_p,
        exact=found.exact,
        only_a=found.only_a,
        only_b=found.only_b,
    )


def _draw_differences(
    name: str, a: Cases, b: Cases, place: int, draws: int, rng: np.random.Generator
) -> Floats:
    """Return B's measure minus A's in bootstrap draws, shape (draws,); NaN where unknown."""
    if name == "balanced_accuracy":
        row, kinds, measure = a.label, len(a.classes), _recalls
        first, second = a.prediction == a.label, b.prediction == b.label
    else:
        row, kinds = (a.label == place).astype(np.int64), 2
        measure = {"ppv": _ppv, "npv": _npv, "f1": _f1}[name]
        first, second = a.prediction == place, b.prediction == place
    cell = row * 4 + first * 2 + second
    counts = draw_counts(cell, a.subject, cells=4 * kinds, draws=draws, rng=rng)
    table = counts.reshape(draws, kinds, 2, 2)  # draw, class, A, B
    with np.errstate(invalid="ignore"):
        return np.asarray(measure(table.sum(axis=2)) - measure(table.sum(axis=3)))


def _recalls(table: Floats) -> Floats:
    return np.asarray((table[:, :, 1] / table.sum(axis=2)).mean(axis=1))


def _ppv(table: Floats) -> Floats:
    return np.asarray(table[:, 1, 1] / table[:, :, 1].sum(axis=1))


def _npv(table: Floats) -> Floats:
    return np.asarray(table[:, 0, 0] / table[:, :, 0].sum(axis=1))


def _f1(table: Floats) -> Floats:
    called, positive = table[:, :, 1].sum(axis=1), table[:, 1].sum(axis=1)
    return np.asarray(2 * table[:, 1, 1] / (called + positive))
