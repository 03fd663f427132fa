"""Planted models: the attack must win and the masking must be seen."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.validation.robustness.models_under_attack import SMALL, blobs, linear

from titian.validation.robustness import attack, make_samples, victim_of
from titian.validation.robustness.faults import controls, fragile, planted_cases


@pytest.mark.parametrize(("norm", "eps"), [("inf", 0.05), ("2", 0.3)])
@pytest.mark.parametrize("shape", [(6,), (1, 6, 6)])
def test_both_planted_models_are_caught(norm, eps, shape) -> None:
    samples = blobs()
    if len(shape) > 1:
        x = np.resize(samples.x, (len(samples), *shape))
        samples = make_samples(x, samples.y)
    victim = victim_of(linear(int(np.prod(shape))), samples)
    found = attack(
        victim, samples, norm=norm, eps=eps, valid=(0, 1), attacks=["fgsm"], budget=SMALL
    )
    caught = controls(samples, found)
    assert [control.check for control in caught] == [
        "robustness.fragile",
        "robustness.gradient_masking",
    ]
    assert all(control.found for control in caught), caught
    assert caught[0].detail == "robust accuracy 0.0% of 32 cases"


def test_a_planted_model_that_is_hardly_attacked_is_not_called_caught(monkeypatch) -> None:
    from titian.validation.robustness import faults

    samples = blobs()
    victim = victim_of(linear(), samples)
    found = attack(victim, samples, norm="inf", eps=0.05, valid=(0, 1), budget=SMALL)
    monkeypatch.setattr(faults, "REACH", 3.0)
    assert not controls(samples, found)[0].found


def test_the_planted_model_is_right_before_the_attack() -> None:
    samples = blobs()
    victim = victim_of(linear(), samples)
    found = attack(victim, samples, norm="inf", eps=0.05, valid=(0, 1), attacks=["fgsm"])
    cases = planted_cases(samples, found, seed=0)
    answers = victim_of(fragile(found), cases).answer(cases.x)
    assert (answers.argmax(axis=1) == cases.y).all()
