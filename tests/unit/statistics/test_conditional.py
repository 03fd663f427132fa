from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from titian import statistics
from titian.statistics.conditional import SHUFFLED_NUMBERS as MANY
from titian.statistics.conditional import (
    conditional_readings,
    crossed_readings,
    stratified_auc,
)


def draw(n: int, seed: int, leak: float = 0.0):
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.4).astype(np.int64)
    member = rng.random((n, 2)) < 0.4
    return rng.standard_normal(n) + 2 * label + leak * member[:, 0], label, member


def test_one_label_is_the_plain_auc() -> None:
    score, _, member = draw(80, 1, 0.5)
    score = np.round(score, 1)
    found = stratified_auc(score, np.zeros(80, dtype=np.int64), member[:, 0], alphas=(0.05,))
    plain = statistics.auc(score, member[:, 0], None, alphas=(0.05,))
    assert found.value == pytest.approx(plain.value)
    assert found.intervals[0].low == pytest.approx(plain.intervals[0].low, abs=0.01)


def test_labels_are_weighed_by_their_pairs() -> None:
    score = np.array([1.0, 2.0, 3.0, 9.0, 8.0])
    label = np.array([0, 0, 0, 1, 1])
    member = np.array([False, True, True, True, False])
    # Label 0: both members above the one other (1.0, weight 2/3); label 1: 1.0, weight 1/2.
    assert stratified_auc(score, label, member, alphas=(0.05,)).value == pytest.approx(1.0)
    mixed = np.array([False, True, True, False, True])
    found = stratified_auc(score, label, mixed, alphas=(0.05,))
    assert found.value == pytest.approx((2 / 3 * 1.0 + 1 / 2 * 0.0) / (2 / 3 + 1 / 2))
    assert found.intervals[0].low < 0.5 < found.intervals[0].high


def test_a_group_that_is_never_beside_others_is_unknown() -> None:
    label = np.array([0, 0, 1, 1])
    found = stratified_auc(np.arange(4.0), label, label == 1, alphas=(0.05,))
    assert found.value is None
    assert found.reason == "no label has cases both inside and outside the group"


def test_one_group_and_one_label_give_the_rank_sum_test() -> None:
    score, _, member = draw(60, 3, 0.7)
    found = conditional_readings(
        score[:, None], np.zeros(60, dtype=np.int64), member[:, :1], alphas=(0.05,),
        draws=4_000, rng=np.random.default_rng(1),
    )[0][0]  # fmt: skip
    expected = mannwhitneyu(score[member[:, 0]], score[~member[:, 0]]).pvalue
    assert found.p_value == pytest.approx(expected, abs=0.01)


def test_the_normal_limit_agrees_with_the_shuffles(monkeypatch: pytest.MonkeyPatch) -> None:
    score, label, member = draw(400, 4, 0.2)
    options = {"alphas": (0.05,), "draws": 3_000}

    def p_values() -> list[float]:
        found = conditional_readings(
            score[:, None], label, member, **options, rng=np.random.default_rng(2)
        )
        return [reading.p_value for reading in found[0]]

    shuffled = p_values()
    assert MANY > 400 * 3_000
    monkeypatch.setattr("titian.statistics.conditional.SHUFFLED_NUMBERS", 0)
    assert p_values() == pytest.approx(shuffled, abs=0.03)


def test_more_groups_make_each_harder_to_tell() -> None:
    score, label, member = draw(200, 5, 0.6)
    noise = np.random.default_rng(6).random((200, 20)) < 0.5
    wide = np.concatenate([member[:, :1], noise], axis=1)

    def p_value(groups: np.ndarray) -> float:
        return conditional_readings(
            score[:, None], label, groups, alphas=(0.05,), draws=999,
            rng=np.random.default_rng(2),
        )[0][0].p_value  # fmt: skip

    assert p_value(member[:, :1]) < 0.05
    assert p_value(wide) > 2 * p_value(member[:, :1])


def test_no_cases_give_unknown_readings() -> None:
    none = np.zeros(0, dtype=np.int64)
    found = conditional_readings(
        np.zeros((0, 1)), none, np.zeros((0, 2), dtype=bool), alphas=(0.05,), draws=10,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert [(r.size.reason, r.p_value) for r in found[0]] == [("no cases", 1.0)] * 2


def test_more_columns_than_subjects_do_not_fool_the_crossed_reader() -> None:
    rng = np.random.default_rng(8)
    _, label, member = draw(60, 8)
    found = crossed_readings(
        rng.standard_normal((60, 200)), label, member, alphas=(0.05,), draws=99, rng=rng
    )
    assert all(reading.p_value > 0.05 for reading in found)


def test_a_subjects_cases_lie_in_one_fold() -> None:
    # Every case carries its patient's fingerprint: a reader that saw the patient would know.
    rng = np.random.default_rng(9)
    subject = np.repeat(np.arange(40), 5)
    print_of = rng.standard_normal((40, 10))[subject] * 10
    sex = (rng.random(40) < 0.5)[subject]
    label = (rng.random(200) < 0.5).astype(np.int64)
    found = crossed_readings(
        print_of + rng.standard_normal((200, 10)), label, sex[:, None], subject,
        alphas=(0.05,), draws=199, rng=rng,
    )  # fmt: skip
    assert found[0].p_value > 0.05
    blind = crossed_readings(
        print_of + rng.standard_normal((200, 10)), label, sex[:, None], None,
        alphas=(0.05,), draws=199, rng=rng,
    )  # fmt: skip
    assert blind[0].p_value < 0.05
