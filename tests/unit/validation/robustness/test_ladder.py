"""The ladder against models whose robustness is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.validation.robustness.models_under_attack import SMALL, blobs, linear

from titian.errors import InputError
from titian.validation.robustness import attack, look_for_masking, victim_of
from titian.validation.robustness.checks import findings, ladder_figure, measurements

VALID = (0.0, 1.0)


def run(model, samples, **given):
    victim = victim_of(model, samples)
    settings = {"norm": "inf", "eps": 0.05, "valid": VALID, "budget": SMALL} | given
    return victim, attack(victim, samples, **settings)


def exact_linf(samples, eps):
    """The margin of a linear model falls by eps times the L1 norm of a difference."""
    from tests.unit.validation.robustness.models_under_attack import linear_weights

    weights = 10 * linear_weights()
    scores = (samples.x - 0.5) @ weights
    held = []
    for score, y in zip(scores, samples.y, strict=True):
        others = [k for k in range(3) if k != y]
        margins = [
            score[y] - score[k] - eps * np.abs(weights[:, y] - weights[:, k]).sum()
            for k in others
        ]
        held.append(min(margins) >= 0)
    return np.array(held)


def test_a_linear_model_holds_exactly_where_algebra_says() -> None:
    samples = blobs(80)
    for eps in (0.02, 0.06, 0.1):
        _, found = run(linear(), samples, eps=eps)
        assert np.array_equal(found.survived, exact_linf(samples, eps))


@pytest.mark.parametrize("norm", ["inf", "2"])
@pytest.mark.parametrize("only", [None, ["noise", "square"]])
def test_every_win_lies_in_the_ball_and_the_range_and_changes_the_answer(norm, only) -> None:
    samples = blobs()
    victim, found = run(linear(), samples, norm=norm, eps=0.15, attacks=only)
    won = found.right & ~found.survived
    assert won.any()
    change = (found.adversarial - samples.x)[won]
    size = np.abs(change).max(axis=1) if norm == "inf" else np.linalg.norm(change, axis=1)
    assert size.max() <= 0.15 + 1e-5
    assert found.adversarial.min() >= 0
    assert found.adversarial.max() <= 1
    assert (victim.answer(found.adversarial[won]).argmax(axis=1) != samples.y[won]).all()
    assert np.array_equal(found.adversarial[~won], samples.x[~won])


def test_the_same_seed_gives_the_same_attack() -> None:
    samples = blobs()
    first = run(linear(), samples, eps=0.1, seed=3)[1]
    again = run(linear(), samples, eps=0.1, seed=3)[1]
    assert np.array_equal(first.adversarial, again.adversarial)
    assert [r.survivors for r in first.attacks] == [r.survivors for r in again.attacks]


def test_a_targeted_win_is_the_target_and_is_harder() -> None:
    samples = blobs()
    victim, free = run(linear(), samples, eps=0.1)
    _, aimed = run(linear(), samples, eps=0.1, targeted=True)
    assert aimed.survived.sum() >= free.survived.sum()
    won = aimed.right & ~aimed.survived
    decided = victim.answer(aimed.adversarial[won]).argmax(axis=1)
    assert (decided != samples.y[won]).all()


def test_only_survivors_go_on() -> None:
    _, found = run(linear(), blobs(), eps=0.1)
    left = [rung.survivors for rung in found.attacks]
    assert left == sorted(left, reverse=True)
    assert found.robust.value == left[-1] / found.n


def test_masked_gradients_are_flagged_and_honest_ones_are_not() -> None:
    samples = blobs()
    honest = linear()
    victim, found = run(honest, samples, eps=0.1)
    assert look_for_masking(victim, samples, found).signs == ()

    def masked(x):
        return honest((x * 50).round() / 50) + 0 * x.sum()

    victim, found = run(masked, samples, eps=0.1)
    signs = look_for_masking(victim, samples, found).signs
    assert any("exactly 0" in sign for sign in signs)
    codes = [
        f.code
        for f in findings(found, look_for_masking(victim, samples, found), why_black_box="")
    ]
    assert "robustness.gradient_masking" in codes


def test_a_fragile_model_is_found_fragile() -> None:
    samples = blobs()
    victim, found = run(linear(), samples, eps=0.3)
    told = findings(found, look_for_masking(victim, samples, found), why_black_box="")
    assert [f.code for f in told] == ["robustness.fragile", "robustness.few_cases"]
    clean, robust = measurements(found)
    assert (clean.value, robust.value, robust.n) == (1.0, 0.0, 40)
    assert ladder_figure(found).series[0].y[-1] == 0.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"valid": None},
            "T-S204: the model declares no input range, and none is stated; without one an "
            "attack may leave what a sensor can give. Add --range LO HI, such as --range 0 1 "
            "for images scaled to that.",
        ),
        (
            {"valid": (0.0, 0.5)},
            "T-S205: 40 of 40 cases leave the range 0 to 0.5",
        ),
        ({"norm": "1"}, "T-S212: norm is '1'; known are inf and 2. Change the options."),
        ({"eps": 0.0}, "T-S212: eps is 0; it is a number above 0. Change the options."),
        ({"attacks": ["magic"]}, "T-S212: no attack is called magic; known are noise, fgsm"),
    ],
)
def test_odd_settings_are_told(given, message) -> None:
    with pytest.raises(InputError) as caught:
        run(linear(), blobs(), **given)
    assert str(caught.value).startswith(message)


def test_a_model_that_answers_at_random_is_refused() -> None:
    import torch

    samples = blobs()
    generator = torch.Generator().manual_seed(0)
    model = linear()

    def noisy(x):
        return model(x) + torch.rand(len(x), 3, generator=generator)

    with pytest.raises(InputError, match="T-S210: model is not deterministic: asked twice"):
        victim_of(noisy, samples)


def test_a_model_that_answers_nan_is_refused() -> None:
    with pytest.raises(InputError, match="T-S209: model answers NaN or infinity to 32 of 32"):
        victim_of(lambda x: linear()(x) * float("nan"), blobs())
