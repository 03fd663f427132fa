"""A planted disparity that must be found, and honest tables in which nothing may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from titian.validation.disparity.findings import GAP, standing
from titian.validation.disparity.outcomes import Outcomes
from titian.validation.disparity.report import disparity
from titian.validation.tables import Column
from titian.values import Control

LEVEL = 1e-4
"""Level of the controls, and their stated false-alarm rate."""

SIMULATED_CASES = 4_000


def controls(rng: np.random.Generator) -> tuple[Control, ...]:
    """Plant a disparity of each kind in simulated cases and look for it."""
    honest = simulate(rng)
    return (
        _control(
            "half of one group's positives missed",
            miss_positives(honest, rng, column=1, group=2),
            "equal_opportunity",
        ),
        _control(
            "a fifth of one group called positive regardless",
            call_more(honest, rng, column=0, group=1),
            "demographic_parity",
        ),
        _control(
            "one group's scores shifted",
            shift_scores(honest, column=1, group=0),
            "calibration_gap",
        ),
    )


def simulate(rng: np.random.Generator, *, n: int = SIMULATED_CASES) -> Outcomes:
    """Draw cases in which no group differs: calibrated scores, two columns of groups."""
    label = rng.random(n) < 0.4
    reading = rng.standard_normal(n) + 2.0 * label
    score = 1 / (1 + np.exp(-(np.log(0.4 / 0.6) + 2.0 * reading - 2.0)))
    return Outcomes(
        label=label,
        prediction=score > 0.5,
        score=score,
        groups=(
            _column("sex", ("f", "m"), n, rng),
            _column("site", ("a", "b", "c", "d"), n, rng),
        ),
    )


def miss_positives(
    outcomes: Outcomes, rng: np.random.Generator, *, column: int, group: int
) -> Outcomes:
    """Let the model miss half of one group's positives."""
    if outcomes.prediction is None:
        raise ValueError("there are no decisions to change")
    missed = (
        _members(outcomes, column, group) & outcomes.label & (rng.random(len(outcomes)) < 0.5)
    )
    return replace(outcomes, prediction=outcomes.prediction & ~missed)


def call_more(
    outcomes: Outcomes, rng: np.random.Generator, *, column: int, group: int
) -> Outcomes:
    """Let the model call a fifth of one group positive, whatever their cases show."""
    if outcomes.prediction is None:
        raise ValueError("there are no decisions to change")
    called = _members(outcomes, column, group) & (rng.random(len(outcomes)) < 0.2)
    return replace(outcomes, prediction=outcomes.prediction | called)


def shift_scores(outcomes: Outcomes, *, column: int, group: int) -> Outcomes:
    """Raise the odds that the scores of one group claim to four times what they are."""
    if outcomes.score is None:
        raise ValueError("there are no scores to change")
    odds = 4.0 * outcomes.score / (1 - outcomes.score)
    chosen = _members(outcomes, column, group)
    return replace(outcomes, score=np.where(chosen, odds / (1 + odds), outcomes.score))


def _control(fault: str, outcomes: Outcomes, name: str) -> Control:
    found = standing(disparity(outcomes, alpha=LEVEL, seed=None))
    named = [gap for gap in found if gap.name == name]
    detail = (
        f"{name} by {named[0].by[0]} {named[0].value:.3f}, from {named[0].low:.3f}"
        if named
        else "not caught"
    )
    return Control(
        check=GAP,
        fault=f"{fault} (in {SIMULATED_CASES} simulated cases)",
        found=bool(named),
        detail=detail,
        false_alarm_rate=LEVEL,
    )


def _members(outcomes: Outcomes, column: int, group: int) -> np.ndarray:
    return np.asarray(outcomes.groups[column].code == group, dtype=np.bool_)


def _column(name: str, names: tuple[str, ...], n: int, rng: np.random.Generator) -> Column:
    return Column(name=name, code=rng.integers(0, len(names), n).astype(np.int32), names=names)
