"""Did the model learn anything? The check, its false alarms and its control."""

from __future__ import annotations

import numpy as np
import pytest

from titian.training.signal import (
    LEVEL,
    chance_of_loss,
    deal,
    signal_control,
    signal_finding,
)

SHARES = np.asarray([0.5, 0.5])


def answers(codes, *, skill: float, rng) -> np.ndarray:
    margin = skill * (2 * codes - 1) + rng.normal(0, 1, len(codes))
    positive = 1 / (1 + np.exp(-margin))
    return np.stack([1 - positive, positive], axis=1)


def test_dealing_keeps_what_belongs_together():
    unit = np.asarray(["a", "b", "a", "c", "b", "a"])
    codes = np.asarray([1, 2, 1, 3, 2, 1])
    order = np.argsort(unit, kind="stable")
    seen = set()
    for seed in range(50):
        dealt = deal(codes, unit, np.random.default_rng(seed))
        assert sorted(dealt) == sorted(codes)
        runs = dealt[order]
        assert (np.diff(runs) != 0).sum() == 2  # three subjects, three unbroken runs
        seen.add(tuple(runs))
    assert len(seen) == 6


def test_a_skilled_model_has_no_finding_and_a_blind_one_has():
    rng = np.random.default_rng(1)
    codes = np.arange(80) % 2
    unit = np.arange(80)
    assert signal_finding(answers(codes, skill=2, rng=rng), codes, unit, shares=SHARES) is None
    blind = answers(np.zeros(80, int), skill=0, rng=rng)
    finding = signal_finding(blind, codes, unit, shares=SHARES)
    assert finding is not None
    assert finding.code == "training.no_signal"
    assert "answering the class shares alone gives 0.693" in finding.what
    assert finding.where == "tune part, 80 cases"


def test_a_blind_model_passes_for_skilled_about_as_often_as_the_level_says():
    rng = np.random.default_rng(2)
    codes = np.arange(60) % 2
    unit = np.arange(60) // 2
    low = 0
    for _ in range(300):
        blind = answers(np.zeros(60, int), skill=0, rng=rng)
        low += chance_of_loss(blind, codes, unit, permutations=99, rng=rng) <= 0.05
    # Binomial(300, 0.05) exceeds 29 less than once in ten thousand.
    assert low <= 29


@pytest.mark.parametrize("seed", range(3))
def test_the_control_is_found_on_a_skilled_model(seed):
    rng = np.random.default_rng(seed)
    codes = np.arange(60) % 2
    control = signal_control(answers(codes, skill=2, rng=rng), codes, np.arange(60), seed=seed)
    assert control.found
    assert control.false_alarm_rate == LEVEL
