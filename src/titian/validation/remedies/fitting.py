"""Thresholds, weights and refits, worked out on the fit part alone."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from titian.statistics.estimate import Floats
from titian.validation.remedies.trial import Trial, counted, right_decisions

LEAST_TO_FIT = 20
"""Cases of the measure's denominator below which a group keeps the common threshold."""

EDGE = 1e-6
"""Scores are kept this far from 0 and 1 where their logit is taken."""


def group_thresholds(
    trial: Trial, measure: str, common: float
) -> tuple[dict[str, float], list[str]]:
    """Return each group's threshold, and the groups that keep the common one."""
    chosen = trial.fit & counted(trial, measure)
    target = float(right_decisions(measure, trial.score >= common)[chosen].mean())
    found, kept = {}, []
    for place, name in enumerate(trial.names):
        scores = np.sort(trial.score[chosen & (trial.group == place)])
        if len(scores) < LEAST_TO_FIT:
            found[name] = common
            kept.append(name)
            continue
        share = 1 - target if measure == "sensitivity" else target
        below = round(share * len(scores))  # cases that shall lie below the threshold
        if below == 0:
            found[name] = float(scores[0])
        elif below == len(scores):
            found[name] = float((scores[-1] + 1) / 2)
        else:
            found[name] = float((scores[below - 1] + scores[below]) / 2)
    return found, kept


def training_weights(trial: Trial) -> Floats:
    """Return the weight of each group's negatives and positives, shape (groups, 2)."""
    count = np.bincount(
        2 * trial.group[trial.fit] + trial.label[trial.fit], minlength=2 * len(trial.names)
    ).reshape(-1, 2)
    expected = count.sum(axis=1, keepdims=True) * count.sum(axis=0) / count.sum()
    return np.where(count > 0, expected / np.maximum(count, 1), 1.0)


def refit_scores(trial: Trial, weights: Floats) -> Floats:
    """Return probabilities from a weighted logistic regression of label on the score's logit.

    Newton's method with a trace of ridge, so that separated classes give a finite slope.
    """
    x = logit(np.clip(trial.score, EDGE, 1 - EDGE))
    design = np.stack([np.ones(len(x)), x], axis=1)
    weight = weights[trial.group, trial.label.astype(np.int64)] * trial.fit
    found = np.array([0.0, 1.0])
    ridge = 1e-3 * np.eye(2)
    for _ in range(50):
        p = expit(design @ found)
        gradient = design.T @ (weight * (trial.label - p)) - ridge @ found
        curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + ridge
        step = np.linalg.solve(curvature, gradient)
        found = found + step / max(1.0, float(np.abs(step).max()) / 5)
        if float(np.abs(step).max()) < 1e-10:
            break
    return np.asarray(expit(design @ found))
