"""Faults planted where a check must catch them: proof that validation can fail.

Every control runs its check at `LEVEL`. A run in which nothing is wrong with the checks
therefore loses a control by chance at most once in ten thousand runs; and the check, at
that level, accuses honest cases as rarely. Where the run's own cases are too few or too
hard for the check to have power at that level, the fault is planted in simulated cases,
and the control says so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from titian.dataset.faults import PlantedFault
from titian.dataset.phantom import SCANNERS, PhantomStudy
from titian.dataset.ultrasound import draw_picture
from titian.statistics.estimate import Floats
from titian.validation.cases import Cases
from titian.validation.checks import (
    DISPARITY,
    MISCALIBRATED,
    POOR_DISCRIMINATION,
    calibration,
    find_disparities,
    poor_discrimination,
)
from titian.values import Control

LEVEL = 1e-4
"""Level of every statistical control, and its stated false-alarm rate."""

ENOUGH_CASES = 400
ENOUGH_IN_GROUP = 50
SIMULATED_CASES = 2_000


def controls(
    cases: Cases, *, positive: str | None, label: str, rng: np.random.Generator
) -> tuple[Control, ...]:
    """Run each check against its planted fault, in the run's cases where they suffice."""
    return (
        _shuffled(cases, positive, rng),
        _swapped(cases, positive, rng),
        _flipped(cases, positive, label, rng),
        _sharpened(cases, positive, rng),
    )


def simulate(rng: np.random.Generator, *, n: int = SIMULATED_CASES) -> Cases:
    """Draw honest cases: two classes, calibrated scores (AUC about 0.92), four equal groups."""
    label = (rng.random(n) < 0.4).astype(np.int64)
    reading = rng.standard_normal(n) + 2.0 * label
    logit = np.log(0.4 / 0.6) + 2.0 * reading - 2.0
    score = 1 / (1 + np.exp(-logit))
    groups = np.array(["a", "b", "c", "d"])[rng.integers(0, 4, size=n)]
    return Cases(
        id=np.arange(n).astype(np.str_),
        label=label,
        prediction=(score > 0.5).astype(np.int64),
        scores=np.stack([1 - score, score], axis=1),
        classes=("0", "1"),
        groups={"group": groups},
    )


def shuffle_scores(cases: Cases, rng: np.random.Generator) -> Cases:
    """Give every case another case's scores and decision."""
    order = rng.permutation(len(cases))
    return replace(cases, scores=cases.scores[order], prediction=cases.prediction[order])


def swap_labels(cases: Cases) -> Cases:
    """Call every case the next class, as a mix-up of the label column would."""
    return replace(cases, label=(cases.label + 1) % len(cases.classes))


def miss_group(cases: Cases, column: str, group: str, place: int) -> Cases:
    """Let the model miss every case of class `place` in one group."""
    missed = (cases.groups[column] == group) & (cases.label == place)
    other = (place + 1) % len(cases.classes)
    return replace(cases, prediction=np.where(missed, other, cases.prediction))


def sharpen_scores(cases: Cases, *, power: float = 4.0) -> Cases:
    """Make the scores overconfident: each to a power, rescaled to sum to 1."""
    logs = power * np.log(np.clip(cases.scores, 1e-12, 1.0))
    sharp: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
    return replace(cases, scores=sharp / sharp.sum(axis=1, keepdims=True))


def plant_site_shift(
    study: PhantomStudy, *, rng: np.random.Generator, site: str = "south"
) -> PlantedFault:
    """Redraw the malignant test pictures of one site faint, smooth and without a shadow.

    A scanner setting that washes lesions out would do this. Training pictures stay as they
    are, so that the model has never seen such lesions and sensitivity falls at that site.
    """
    touched = tuple(
        number
        for number, case in enumerate(study.cases)
        if case.malignant and case.fold == "test" and case.site == site
    )
    cases = list(study.cases)
    for number in touched:
        case = cases[number]
        faint = replace(case.lesion, echo=0.7, behind=1.15, raggedness=0.05, flatness=1.4)
        pixels = draw_picture(faint, SCANNERS[site], rng=rng)
        cases[number] = replace(case, lesion=faint, pixels=pixels)
    return PlantedFault(
        study=replace(study, cases=tuple(cases)),
        fault=f"a site where sensitivity falls ({site})",
        check=DISPARITY,
        cases=touched,
    )


def _shuffled(cases: Cases, positive: str | None, rng: np.random.Generator) -> Control:
    able = len(cases) >= ENOUGH_CASES and not poor_discrimination(
        cases, positive=positive, alpha=LEVEL
    )
    where, chosen, name = _where(cases, positive, able, rng)
    found = poor_discrimination(shuffle_scores(chosen, rng), positive=name, alpha=LEVEL)
    return Control(
        check=POOR_DISCRIMINATION,
        fault=f"scores shuffled among the cases ({where})",
        found=bool(found),
        detail=_aucs(found),
        false_alarm_rate=LEVEL,
    )


def _swapped(cases: Cases, positive: str | None, rng: np.random.Generator) -> Control:
    able = len(cases) >= ENOUGH_CASES and not poor_discrimination(
        cases, positive=positive, alpha=LEVEL
    )
    where, chosen, name = _where(cases, positive, able, rng)
    found = poor_discrimination(swap_labels(chosen), positive=name, alpha=LEVEL)
    return Control(
        check=POOR_DISCRIMINATION,
        fault=f"labels swapped ({where})",
        found=bool(found),
        detail=_aucs(found),
        false_alarm_rate=LEVEL,
    )


def _flipped(
    cases: Cases, positive: str | None, label: str, rng: np.random.Generator
) -> Control:
    target = _powered_group(cases, positive, label)
    where, chosen, name = _where(cases, positive, target is not None, rng)
    column, group = target or ("group", "b")
    place = 0 if name is None else chosen.classes.index(name)
    found = find_disparities(
        miss_group(chosen, column, group, place), positive=name, label=label, alpha=LEVEL
    )
    named = [item for item in found if (item.column, item.group) == (column, group)]
    return Control(
        check=DISPARITY,
        fault=f"every {chosen.classes[place]} missed where {column}={group} ({where})",
        found=bool(named),
        detail=f"{len(found)} disparities at {LEVEL:g}"
        + (f", {column}={group} among them" if named else ""),
        false_alarm_rate=LEVEL,
    )


def _sharpened(cases: Cases, positive: str | None, rng: np.random.Generator) -> Control:
    where, chosen, name = _where(cases, positive, False, rng)
    error = calibration(sharpen_scores(chosen), positive=name, alpha=LEVEL, rng=rng)
    return Control(
        check=MISCALIBRATED,
        fault=f"scores made overconfident ({where})",
        found=error.p_value < LEVEL,
        detail=f"calibration error {error.estimate.value or 0.0:.3f}, p = {error.p_value:.2g}",
        false_alarm_rate=LEVEL,
    )


def _where(
    cases: Cases, positive: str | None, able: bool, rng: np.random.Generator
) -> tuple[str, Cases, str | None]:
    if able:
        return "in the run's cases", cases, positive
    return f"in {SIMULATED_CASES} simulated cases", simulate(rng), "1"


def _powered_group(cases: Cases, positive: str | None, label: str) -> tuple[str, str] | None:
    """Return the largest group in which a total miss must stand out, if there is one.

    The class needs `ENOUGH_IN_GROUP` cases (and subjects) inside and outside the group,
    and a sensitivity outside of at least one half.
    """
    place = 0 if positive is None else cases.classes.index(positive)
    chosen = cases.label == place
    right = cases.prediction == place
    best, most = None, ENOUGH_IN_GROUP - 1
    for column, group, mask in cases.parts():
        if column == label:
            continue
        inside, outside = chosen & mask, chosen & ~mask
        if _independent(cases, outside) < ENOUGH_IN_GROUP or right[outside].mean() < 0.5:
            continue
        size = _independent(cases, inside)
        if size > most:
            best, most = (column, group), size
    return best


def _independent(cases: Cases, mask: np.ndarray) -> int:
    if cases.subject is None:
        return int(mask.sum())
    return len(np.unique(cases.subject[mask]))


def _aucs(found: tuple[tuple[str, object], ...]) -> str:
    names = ", ".join(name for name, _ in found)
    return f"not told from chance at {LEVEL:g}: class {names}" if found else "not caught"
