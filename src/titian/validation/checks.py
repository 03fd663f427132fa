"""What a person should look at: disparity, poor discrimination, miscalibration.

Each check takes the level at which it speaks, so that the same code serves the run (at the
project's alpha) and its controls (at 1e-4, see `faults`). A finding says how many cases it
is about, never which: ids in the table of cases are random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian import statistics
from titian.validation.cases import Cases
from titian.validation.measures import claimed
from titian.values import Finding, Severity

DISPARITY = "validation.disparity"
POOR_DISCRIMINATION = "validation.poor_discrimination"
MISCALIBRATED = "validation.miscalibrated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disparity:
    """One group whose measure differs from the rest of its column.

    Attributes:
        measure: sensitivity or specificity.
        column: attribute column.
        group: its value.
        of_class: the class whose sensitivity it is, with more than two; else empty.
        difference: group, rest and p-value.
        adjusted: Holm's adjusted p-value over all groups, columns and measures.
        n: the measure's denominator in the group.
    """

    measure: str
    column: str
    group: str
    of_class: str
    difference: statistics.Difference
    adjusted: float
    n: int


def find_disparities(
    cases: Cases, *, positive: str | None, label: str, alpha: float
) -> tuple[Disparity, ...]:
    """Return the groups that differ from the rest of their column, worst first.

    Sensitivity and specificity are compared (with more than two classes: each class's
    sensitivity), all in one family. A column of two groups is one comparison, told of the
    worse group. Where a worse group stands out in a column, better ones go untold.
    """
    found: list[Disparity] = []
    parts = [part for part in cases.parts() if part[0] != label]
    groups_in = {column: sum(part[0] == column for part in parts) for column, _, _ in parts}
    for measure, of_class, chosen in _denominators(cases, positive):
        right = (cases.prediction == cases.label)[chosen]
        subject = None if cases.subject is None else cases.subject[chosen]
        for column, group, mask in parts:
            member = mask[chosen]
            difference = statistics.proportion_difference(right, member, subject)
            if difference.group is None or difference.rest is None:
                continue
            if groups_in[column] == 2 and _better(
                difference, column, group, found, measure, of_class
            ):
                continue
            found.append(
                Disparity(
                    measure=measure,
                    column=column,
                    group=group,
                    of_class=of_class,
                    difference=difference,
                    adjusted=1.0,
                    n=int(member.sum()),
                )
            )
    return _significant(found, alpha)


def poor_discrimination(
    cases: Cases, *, positive: str | None, alpha: float
) -> tuple[tuple[str, statistics.Estimate], ...]:
    """Return (class, AUC) where the AUC's interval reaches down to 0.5 or below."""
    places = range(len(cases.classes)) if positive is None else (cases.classes.index(positive),)
    poor = []
    for place in places:
        found = statistics.auc(
            cases.scores[:, place], cases.label == place, cases.subject, alphas=(alpha,)
        )
        if found.value is not None and found.intervals and found.intervals[0].low <= 0.5:
            poor.append((cases.classes[place], found))
    return tuple(poor)


def calibration(
    cases: Cases, *, positive: str | None, alpha: float, rng: np.random.Generator
) -> statistics.CalibrationError:
    """Return the calibration error with its test; `p_value < alpha` means miscalibrated."""
    place = 0 if positive is None else cases.classes.index(positive)
    score, outcome = claimed(cases, place)
    return statistics.expected_calibration_error(
        score, outcome, cases.subject, alphas=(alpha,), rng=rng
    )


def findings(
    cases: Cases, *, positive: str | None, label: str, alpha: float, rng: np.random.Generator
) -> tuple[Finding, ...]:
    """Run every check at `alpha` and say what stands out."""
    told = [
        Finding(
            code=DISPARITY,
            severity=Severity.WARNING,
            what=_sentence(item),
            where=f"{item.n} cases of the test part",
            remedy=f"Look at how cases of {item.column}={item.group} differ: acquisition, "
            "labels, case mix; collect more of them before release.",
        )
        for item in find_disparities(cases, positive=positive, label=label, alpha=alpha)
    ]
    for name, auc in poor_discrimination(cases, positive=positive, alpha=alpha):
        told.append(
            Finding(
                code=POOR_DISCRIMINATION,
                severity=Severity.WARNING,
                what=f"AUC of class {name} is {auc.value:.3f} with an interval from "
                f"{auc.intervals[0].low:.3f} to {auc.intervals[0].high:.3f}: not shown to be "
                "better than chance (0.5).",
                where=f"{auc.n} cases of the test part",
                remedy="Do not release on this evidence: improve the model or test on more "
                "cases.",
            )
        )
    error = calibration(cases, positive=positive, alpha=alpha, rng=rng)
    if error.p_value < alpha and error.estimate.value is not None:
        told.append(
            Finding(
                code=MISCALIBRATED,
                severity=Severity.WARNING,
                what=f"Scores do not match frequencies: calibration error "
                f"{error.estimate.value:.3f} over {error.bins} bins "
                f"(p = {error.p_value:.2g}).",
                where=f"{error.estimate.n} cases of the test part",
                remedy="Recalibrate on the tune part, and do not read scores as "
                "probabilities until then.",
            )
        )
    return tuple(told)


def _denominators(cases: Cases, positive: str | None) -> list[tuple[str, str, np.ndarray]]:
    if positive is None:
        return [
            ("sensitivity", name, cases.label == place)
            for place, name in enumerate(cases.classes)
        ]
    place = cases.classes.index(positive)
    return [
        ("sensitivity", "", cases.label == place),
        ("specificity", "", cases.label != place),
    ]


def _better(
    difference: statistics.Difference,
    column: str,
    group: str,
    found: list[Disparity],
    measure: str,
    of_class: str,
) -> bool:
    """Say whether this half of a two-group column is to be left to the other half."""
    if difference.group is None or difference.rest is None:
        return True
    if difference.group != difference.rest:
        return difference.group > difference.rest
    return any(
        (item.column, item.measure, item.of_class) == (column, measure, of_class)
        and item.group != group
        for item in found
    )


def _significant(found: list[Disparity], alpha: float) -> tuple[Disparity, ...]:
    adjusted = statistics.holm([item.difference.p_value for item in found])
    standing = [
        Disparity(
            measure=item.measure,
            column=item.column,
            group=item.group,
            of_class=item.of_class,
            difference=item.difference,
            adjusted=p,
            n=item.n,
        )
        for item, p in zip(found, adjusted, strict=True)
        if p < alpha
    ]
    worse = {_family(item) for item in standing if _gap(item) < 0}
    kept = [item for item in standing if _gap(item) < 0 or _family(item) not in worse]
    return tuple(sorted(kept, key=lambda item: (_gap(item), item.column, item.group)))


def _family(item: Disparity) -> tuple[str, str, str]:
    return (item.measure, item.column, item.of_class)


def _gap(item: Disparity) -> float:
    return (item.difference.group or 0.0) - (item.difference.rest or 0.0)


def _sentence(item: Disparity) -> str:
    of_class = f" of class {item.of_class}" if item.of_class else ""
    return (
        f"{item.measure.capitalize()}{of_class} is {item.difference.group:.3f} for "
        f"{item.column}={item.group} and {item.difference.rest:.3f} for the rest "
        f"(Holm-adjusted p = {item.adjusted:.2g})."
    )
