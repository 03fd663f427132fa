"""Shortcuts: can an attribute be read off the model's score beyond what the label explains?

A model that has learnt who a case is from, or which device took it, gives scores that tell
the groups apart even among cases of one label. The check compares scores within each label
(`titian.statistics.conditional`); it cannot tell a shortcut from a true difference between
the groups, such as one group's disease being more advanced, and the finding says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from titian.statistics.conditional import Reading, conditional_readings, crossed_readings
from titian.statistics.estimate import Floats, ladder
from titian.validation.cases import Cases
from titian.validation.faults import simulate
from titian.values import Control, Finding, Measurement, Severity

SHORTCUT = "validation.shortcut"

DRAWS = 1_999
"""Shuffles: the smallest p-value is 1 in 2,000."""

LEVEL = 1e-3
"""Level of the control, and its false-alarm rate; 1e-4 would need ten times the shuffles."""

LEAST_DISTANCE = 0.02
"""Stratified AUCs within this of 0.5 are told as measurements, never as findings."""

LEAST_CASES = 10
"""Cases of a group, and of the rest, below which it is left out."""

PLANTED_SHIFT = 1.5
"""Logits by which the control lifts one group's scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """How well one group can be read off the score, or off the embedding.

    Attributes:
        column: attribute column.
        group: its value.
        of_class: the class whose score is read; empty with two classes or an embedding.
        reading: stratified AUC with its interval, and the corrected p-value.
    """

    column: str
    group: str
    of_class: str
    reading: Reading


def read_attributes(
    cases: Cases,
    *,
    positive: str | None,
    label: str,
    alpha: float,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> tuple[Shortcut, ...]:
    """Read each group of each column off the scores, all corrected together.

    Args:
        cases: the table.
        positive: the positive class; None reads each class's score.
        label: the label column, which is no attribute.
        alpha: one minus the coverage of the intervals.
        rng: where shuffles come from.
        draws: how many.
    """
    parts, member = _parts(cases, label)
    if not parts:
        return ()
    places = (
        list(range(len(cases.classes))) if positive is None else [cases.classes.index(positive)]
    )
    found = conditional_readings(
        cases.scores[:, places],
        cases.label,
        member,
        cases.subject,
        alphas=ladder(alpha, len(parts) * len(places)),
        draws=draws,
        rng=rng,
    )
    return tuple(
        Shortcut(
            column=column,
            group=group,
            of_class=cases.classes[place] if positive is None else "",
            reading=reading,
        )
        for place, row in zip(places, found, strict=True)
        for (column, group), reading in zip(parts, row, strict=True)
    )


def read_embedding(
    cases: Cases,
    embedding: Floats,
    *,
    label: str,
    alpha: float,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> tuple[Shortcut, ...]:
    """Read each group off the columns of an embedding with a linear reader, fitted crosswise.

    Args:
        cases: the table.
        embedding: shape (n, d), in the order of the cases; finite.
        label: the label column, which is no attribute.
        alpha: one minus the coverage of the intervals.
        rng: where folds and shuffles come from.
        draws: shuffles, each of which is fitted anew.
    """
    parts, member = _parts(cases, label)
    if not parts:
        return ()
    found = crossed_readings(
        embedding,
        cases.label,
        member,
        cases.subject,
        alphas=ladder(alpha, len(parts)),
        draws=draws,
        rng=rng,
    )
    return tuple(
        Shortcut(column=column, group=group, of_class="", reading=reading)
        for (column, group), reading in zip(parts, found, strict=True)
    )


def measurements(
    found: Sequence[Shortcut], *, label: str, name: str = "attribute_auc"
) -> tuple[Measurement, ...]:
    """Return the readings as measurements, in their order.

    Args:
        found: from `read_attributes` or `read_embedding`.
        label: the label column, which names the class in a subgroup.
        name: of the measure.
    """
    return tuple(
        Measurement(
            name=name,
            value=item.reading.size.value,
            n=item.reading.size.n,
            method=item.reading.size.method,
            subgroup={item.column: item.group}
            | ({label: item.of_class} if item.of_class else {}),
            intervals=item.reading.size.intervals,
            reason=item.reading.size.reason,
        )
        for item in found
    )


def standing_out(found: Sequence[Shortcut], alpha: float) -> tuple[Shortcut, ...]:
    """Return what is told as a finding, farthest from 0.5 first, one a column and class.

    Of a column's groups the one farthest from 0.5 is told: in a column of two groups the
    other is its mirror image.
    """
    told: dict[tuple[str, str], Shortcut] = {}
    for item in sorted(found, key=_distance, reverse=True):
        if item.reading.p_value < alpha and _distance(item) >= LEAST_DISTANCE:
            told.setdefault((item.column, item.of_class), item)
    return tuple(told.values())


def findings(
    found: Sequence[Shortcut], *, alpha: float, source: str = "score"
) -> tuple[Finding, ...]:
    """Say which attributes can be read off.

    Args:
        found: from `read_attributes` or `read_embedding`.
        alpha: the level at which the check speaks.
        source: what was read: ``score`` or ``embedding``.
    """
    return tuple(
        Finding(
            code=SHORTCUT,
            severity=Severity.WARNING,
            what=_sentence(item, source),
            where=f"{item.reading.size.n} cases of the test part",
            remedy="Look whether these cases differ in what the label means (severity, case "
            "mix); if not, the model reads the group itself: train without what gives it away "
            "and test on another site.",
        )
        for item in standing_out(found, alpha)
    )


def control(
    cases: Cases, *, positive: str | None, label: str, rng: np.random.Generator
) -> Control:
    """Run the check on scores of which one group's are lifted, in simulated cases.

    The run's own cases may hold a shortcut already, or too few cases; simulated ones hold
    exactly the planted one.
    """
    del cases, positive, label
    chosen = plant_shortcut(simulate(rng), "group", "b")
    found = read_attributes(chosen, positive="1", label="label", alpha=LEVEL, rng=rng)
    told = standing_out(found, LEVEL)
    named = any((item.column, item.group) == ("group", "b") for item in told)
    return Control(
        check=SHORTCUT,
        fault=f"scores of one group lifted by {PLANTED_SHIFT:g} logits whatever the label (in "
        f"{len(chosen)} simulated cases)",
        found=named,
        detail=f"{len(told)} attributes read off the score at {LEVEL:g}"
        + (", group=b first" if named else ""),
        false_alarm_rate=LEVEL,
    )


def plant_shortcut(
    cases: Cases, column: str, group: str, *, shift: float = PLANTED_SHIFT
) -> Cases:
    """Lift the last class's scores in one group, whatever the label is.

    Args:
        cases: the table.
        column: attribute column.
        group: its value.
        shift: in logits.
    """
    logs = np.log(np.clip(cases.scores, 1e-12, 1.0))
    logs[cases.groups[column] == group, -1] += shift
    scores: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
    return replace(cases, scores=scores / scores.sum(axis=1, keepdims=True))


def _parts(cases: Cases, label: str) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Return the groups that are large enough, and which cases belong to each."""
    names, masks = [], []
    for column, group, mask in cases.parts():
        inside = int(mask.sum())
        if column != label and LEAST_CASES <= inside <= len(cases) - LEAST_CASES:
            names.append((column, group))
            masks.append(mask)
    member = np.stack(masks, axis=1) if masks else np.zeros((len(cases), 0), dtype=np.bool_)
    return names, member


def _distance(item: Shortcut) -> float:
    value = item.reading.size.value
    return 0.0 if value is None else abs(value - 0.5)


def _sentence(item: Shortcut, source: str) -> str:
    size = item.reading.size
    interval = size.intervals[0]
    of_class = f" of class {item.of_class}" if item.of_class else ""
    return (
        f"{item.column}={item.group} can be read off the {source}{of_class} among cases of the "
        f"same label: stratified AUC {size.value:.3f} ({interval.low:.3f} to "
        f"{interval.high:.3f}), corrected p = {item.reading.p_value:.2g}."
    )
