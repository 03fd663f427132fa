"""The measures: what each means, its denominator, its interval and where it comes from.

With two classes every measure is about the positive one. With more, the measures of one
class (`Scope.CLASS`) give a row per class against the rest, with the class in the subgroup,
and those of the whole (`Scope.ALL`) one row over all classes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from titian import statistics
from titian.statistics.estimate import Estimate, ladder
from titian.validation.cases import Cases
from titian.values import Measurement


class Scope(StrEnum):
    """Whether a measure is about one class against the rest, or about all classes."""

    CLASS = "class"
    ALL = "all"


Compute = Callable[[Cases, int, Sequence[float], np.random.Generator], Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure.

    Attributes:
        id: its name in project files, JSON and pages.
        summary: one sentence.
        denominator: what its n counts.
        range: smallest and largest value.
        better: ``higher`` or ``lower``.
        method: how the interval is made.
        source: where the measure comes from.
        scope: about one class, or about all.
        compute: cases, number of the class, alphas, generator -> estimate.
        unit: of the value.
    """

    id: str
    summary: str
    denominator: str
    range: tuple[float, float]
    better: str
    method: str
    source: str
    scope: Scope
    compute: Compute
    unit: str = "1"


def measure_all(
    cases: Cases, *, positive: str | None, label: str, alpha: float, seed: int
) -> tuple[Measurement, ...]:
    """Measure everything overall and for each group of each column.

    Args:
        cases: the table.
        positive: name of the positive class; None for more than two classes.
        label: the label column, which names the class in a subgroup.
        alpha: one minus the coverage of the intervals to show.
        seed: of the simulated draws; each row has a generator of its own, so that a row
            does not depend on which others are measured.

    Returns:
        Rows in the order of `MEASURES`, each overall first. The intervals reach down to
        alpha / m, m being the measure's rows over all columns (or over the classes), which
        is the largest family that a requirement can form.
    """
    parts = list(cases.parts())
    rows: list[Measurement] = []
    for measure in MEASURES.values():
        classes = _classes_for(measure, cases, positive)
        named = measure.scope is Scope.CLASS and positive is None
        wide = ladder(alpha, max(len(parts) * len(classes), 1))
        overall = ladder(alpha, len(classes))
        for place in classes:
            of_class = {label: cases.classes[place]} if named else {}
            rows.append(_row(measure, cases, place, of_class, overall, seed))
        for column, name, mask in parts:
            if column == label and named:
                continue
            part = cases.take(mask)
            for place in classes:
                group = {column: name} | ({label: cases.classes[place]} if named else {})
                rows.append(_row(measure, part, place, group, wide, seed))
    return tuple(rows)


def _classes_for(measure: Measure, cases: Cases, positive: str | None) -> tuple[int, ...]:
    if positive is not None:
        return (cases.classes.index(positive),)
    return tuple(range(len(cases.classes))) if measure.scope is Scope.CLASS else (0,)


def _row(
    measure: Measure,
    cases: Cases,
    place: int,
    group: Mapping[str, str],
    alphas: Sequence[float],
    seed: int,
) -> Measurement:
    key = zlib.crc32(f"{measure.id} {sorted(group.items())}".encode())
    found = measure.compute(cases, place, alphas, np.random.default_rng([seed, key]))
    return Measurement(
        name=measure.id,
        value=found.value,
        n=found.n,
        unit=measure.unit,
        method=found.method,
        subgroup=dict(group) or None,
        intervals=found.intervals,
        reason=found.reason,
    )


# --- the measures ---------------------------------------------------------------------


def _sensitivity(
    cases: Cases, place: int, alphas: Sequence[float], _: np.random.Generator
) -> Estimate:
    chosen = cases.label == place
    return _share(cases, chosen, cases.prediction == place, alphas, "positives")


def _specificity(
    cases: Cases, place: int, alphas: Sequence[float], _: np.random.Generator
) -> Estimate:
    chosen = cases.label != place
    return _share(cases, chosen, cases.prediction != place, alphas, "negatives")


def _ppv(cases: Cases, place: int, alphas: Sequence[float], _: np.random.Generator) -> Estimate:
    chosen = cases.prediction == place
    return _share(cases, chosen, cases.label == place, alphas, "predicted positives")


def _npv(cases: Cases, place: int, alphas: Sequence[float], _: np.random.Generator) -> Estimate:
    chosen = cases.prediction != place
    return _share(cases, chosen, cases.label != place, alphas, "predicted negatives")


def _accuracy(
    cases: Cases, _: int, alphas: Sequence[float], __: np.random.Generator
) -> Estimate:
    chosen = np.ones(len(cases), dtype=np.bool_)
    return _share(cases, chosen, cases.label == cases.prediction, alphas, "cases")


def _balanced_accuracy(
    cases: Cases, _: int, alphas: Sequence[float], __: np.random.Generator
) -> Estimate:
    return statistics.balanced_accuracy(
        cases.label,
        cases.prediction,
        cases.subject,
        classes=len(cases.classes),
        alphas=alphas,
    )


def _f1(cases: Cases, place: int, alphas: Sequence[float], _: np.random.Generator) -> Estimate:
    return statistics.f1(
        cases.label == place, cases.prediction == place, cases.subject, alphas=alphas
    )


def _auc(cases: Cases, place: int, alphas: Sequence[float], _: np.random.Generator) -> Estimate:
    return statistics.auc(
        cases.scores[:, place], cases.label == place, cases.subject, alphas=alphas
    )


def _average_precision(
    cases: Cases, place: int, alphas: Sequence[float], _: np.random.Generator
) -> Estimate:
    return statistics.average_precision(
        cases.scores[:, place], cases.label == place, cases.subject, alphas=alphas
    )


def _brier(
    cases: Cases, place: int, alphas: Sequence[float], _: np.random.Generator
) -> Estimate:
    if len(cases.classes) == 2:
        label = (cases.label == place).astype(np.int64)
        return statistics.brier(cases.scores[:, place], label, cases.subject, alphas=alphas)
    return statistics.brier(cases.scores, cases.label, cases.subject, alphas=alphas)


def _calibration(
    cases: Cases, place: int, alphas: Sequence[float], rng: np.random.Generator
) -> Estimate:
    score, outcome = claimed(cases, place)
    return statistics.expected_calibration_error(
        score, outcome, cases.subject, alphas=alphas, rng=rng
    ).estimate


def claimed(cases: Cases, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities that the model claims and whether they came true.

    Two classes: the positive class's. More: the largest score, and whether its class is
    the true one (top-label calibration).
    """
    if len(cases.classes) == 2:
        return cases.scores[:, place], cases.label == place
    top = cases.scores.argmax(axis=1)
    return cases.scores.max(axis=1), top == cases.label


def _share(
    cases: Cases,
    chosen: np.ndarray,
    success: np.ndarray,
    alphas: Sequence[float],
    noun: str,
) -> Estimate:
    subject = None if cases.subject is None else cases.subject[chosen]
    return statistics.proportion(success[chosen], subject, alphas=alphas, noun=noun)


def _measures() -> Iterator[Measure]:
    wilson = "Wilson's interval; with an effective n where subjects have several cases"
    yield Measure(
        id="sensitivity",
        summary="Share of the positives that are called positive (recall).",
        denominator="positives",
        range=(0.0, 1.0),
        better="higher",
        method=wilson,
        source="Yerushalmy, Public Health Rep. 62 (1947) 1432-1449",
        scope=Scope.CLASS,
        compute=_sensitivity,
    )
    yield Measure(
        id="specificity",
        summary="Share of the negatives that are called negative.",
        denominator="negatives",
        range=(0.0, 1.0),
        better="higher",
        method=wilson,
        source="Yerushalmy, Public Health Rep. 62 (1947) 1432-1449",
        scope=Scope.CLASS,
        compute=_specificity,
    )
    yield Measure(
        id="ppv",
        summary="Share of those called positive that are positive (precision), at the test "
        "part's prevalence.",
        denominator="predicted positives",
        range=(0.0, 1.0),
        better="higher",
        method=wilson,
        source="Altman and Bland, BMJ 309 (1994) 102",
        scope=Scope.CLASS,
        compute=_ppv,
    )
    yield Measure(
        id="npv",
        summary="Share of those called negative that are negative, at the test part's "
        "prevalence.",
        denominator="predicted negatives",
        range=(0.0, 1.0),
        better="higher",
        method=wilson,
        source="Altman and Bland, BMJ 309 (1994) 102",
        scope=Scope.CLASS,
        compute=_npv,
    )
    yield Measure(
        id="accuracy",
        summary="Share of the cases whose decision is right.",
        denominator="cases",
        range=(0.0, 1.0),
        better="higher",
        method=wilson,
        source="proportion of agreement with the truth",
        scope=Scope.ALL,
        compute=_accuracy,
    )
    yield Measure(
        id="balanced_accuracy",
        summary="Mean over the classes of the share of their cases that are recognised.",
        denominator="cases",
        range=(0.0, 1.0),
        better="higher",
        method="the classes' Wilson intervals, combined by MOVER",
        source="Brodersen et al., ICPR (2010) 3121-3124",
        scope=Scope.ALL,
        compute=_balanced_accuracy,
    )
    yield Measure(
        id="f1",
        summary="Harmonic mean of sensitivity and ppv.",
        denominator="cases",
        range=(0.0, 1.0),
        better="higher",
        method="Wilson's interval of TP/(TP+FP+FN), carried over",
        source="van Rijsbergen, Information Retrieval, 2nd ed. (1979) ch. 7",
        scope=Scope.CLASS,
        compute=_f1,
    )
    yield Measure(
        id="auc",
        summary="Chance that a positive scores above a negative, ties counted half.",
        denominator="cases",
        range=(0.0, 1.0),
        better="higher",
        method="DeLong's variance (Obuchowski's by subject) in Wilson's form",
        source="Hanley and McNeil, Radiology 143 (1982) 29-36",
        scope=Scope.CLASS,
        compute=_auc,
    )
    yield Measure(
        id="average_precision",
        summary="Precision averaged over the thresholds, weighted by the recall gained.",
        denominator="cases",
        range=(0.0, 1.0),
        better="higher",
        method="infinitesimal jackknife by subject on the logit scale",
        source="Su, Yuan and Zhu, ICTIR (2015) 349-352",
        scope=Scope.CLASS,
        compute=_average_precision,
    )
    yield Measure(
        id="brier",
        summary="Mean squared error of the scores: of the positive class's with two classes, "
        "summed over the classes (at most 2) with more.",
        denominator="cases",
        range=(0.0, 2.0),
        better="lower",
        method="Wilson's form with the variance by subject, floored by the scores' own",
        source="Brier, Mon. Weather Rev. 78 (1950) 1-3",
        scope=Scope.ALL,
        compute=_brier,
    )
    yield Measure(
        id="expected_calibration_error",
        summary="How far scores are from frequencies, over bins of equal mass; of the largest "
        "score with more than two classes. Debiased.",
        denominator="cases",
        range=(0.0, 1.0),
        better="lower",
        method="inversion of a simulated test",
        source="Naeini, Cooper and Hauskrecht, AAAI (2015) 2901-2907",
        scope=Scope.ALL,
        compute=_calibration,
    )


MEASURES: Mapping[str, Measure] = {measure.id: measure for measure in _measures()}
