"""The options, each with its values and its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from titian.statistics.estimate import Estimate
from titian.validation.remedies.effects import (
    Effect,
    Gap,
    gap_of,
    measure_effect,
    more_cases,
    rates_of,
)
from titian.validation.remedies.fitting import group_thresholds, refit_scores, training_weights
from titian.validation.remedies.trial import Trial, refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that could be done.

    Attributes:
        name: ``thresholds``, ``reweighing`` or ``cases``.
        values: group (or group and label) -> threshold, weight or more cases needed.
        effect: on the held-back part; None where nothing can be measured.
        not_shown: what cannot be known without doing it; empty when nothing.
        notes: what a reader should know, one sentence each.
    """

    name: str
    values: Mapping[str, float]
    effect: Effect | None
    not_shown: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedies:
    """The options, and how things stand.

    Attributes:
        measure: whose gap it is.
        column: the group column.
        threshold: the common one.
        rates: group -> the measure on the held-back part at the common threshold.
        gap: between them; None where fewer than two groups have the measure.
        options: in the order thresholds, reweighing, cases.
    """

    measure: str
    column: str
    threshold: float
    rates: Mapping[str, Estimate]
    gap: Gap | None
    options: tuple[Option, ...]


def remedies(
    trial: Trial,
    *,
    measure: str = "sensitivity",
    threshold: float = 0.5,
    alpha: float = 0.05,
    within: float = 0.05,
    seed: int = 0,
) -> Remedies:
    """Work out what could be done, and measure it on the held-back part.

    Args:
        trial: the cases.
        measure: one of `MEASURES`.
        threshold: a score at or above it is called positive, in every group.
        alpha: one minus the coverage of the intervals.
        within: half-width to which each group's interval is to be narrowed by more cases.
        seed: of simulated draws.

    Raises:
        InputError: T-V230 an empty part; T-V231 fewer than two groups with such cases in the
            fit part; T-V232 a number or a measure out of range. All together.
    """
    refuse(trial, measure, threshold, alpha, within)
    now = trial.score >= threshold
    return Remedies(
        measure=measure,
        column=trial.column,
        threshold=threshold,
        rates=rates_of(trial, measure, now, trial.held_back, alpha),
        gap=gap_of(trial, measure, now, alpha),
        options=(
            _split_thresholds(trial, measure, threshold, alpha, seed),
            _reweigh(trial, measure, threshold, alpha, seed),
            _collect(trial, measure, threshold, alpha, within),
        ),
    )


def _split_thresholds(
    trial: Trial, measure: str, threshold: float, alpha: float, seed: int
) -> Option:
    values, kept = group_thresholds(trial, measure, threshold)
    own = np.array(list(values.values()))[trial.group]
    effect = measure_effect(
        trial,
        measure,
        trial.score >= threshold,
        trial.score >= own,
        alpha,
        seed,
        against="the common threshold",
    )
    notes = [
        f"{trial.column}={name} has too few cases in the fit part and keeps the common "
        "threshold."
        for name in kept
    ]
    notes.append("Decisions would depend on the group, which must be known for each case.")
    return Option(name="thresholds", values=values, effect=effect, notes=tuple(notes))


def _reweigh(trial: Trial, measure: str, threshold: float, alpha: float, seed: int) -> Option:
    weights = training_weights(trial)
    plain, weighed = (
        refit_scores(trial, weight) >= threshold for weight in (np.ones_like(weights), weights)
    )
    return Option(
        name="reweighing",
        values={
            f"{name}, {side}": float(weights[place, at])
            for place, name in enumerate(trial.names)
            for at, side in enumerate(("negative", "positive"))
        },
        effect=measure_effect(
            trial,
            measure,
            plain,
            weighed,
            alpha,
            seed,
            against="a logistic refit of the score without weights",
        ),
        not_shown="what a model does that is trained with the weights: it must be trained. The "
        "effect here is that of a refit of the score alone, which ranks everybody as before",
    )


def _collect(
    trial: Trial, measure: str, threshold: float, alpha: float, within: float
) -> Option:
    decision = trial.score >= threshold
    return Option(
        name="cases",
        values={
            name: float(more_cases(trial, measure, decision, place, alpha, within))
            for place, name in enumerate(trial.names)
        },
        effect=None,
        not_shown="what a model does that is trained with them: it must be trained",
        notes=(
            f"More cases of each group, so that its interval reaches at most {within:g} to "
            "either side, if its rate stays.",
        ),
    )
