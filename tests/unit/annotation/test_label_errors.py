"""Confident learning: a hand-worked table, planted errors, bad input."""

import numpy as np
import pytest
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from titian.annotation.label_errors import (
    STEPS,
    Calibration,
    calibrate,
    chance_wrong,
    find_label_errors,
    noise_of,
)
from titian.errors import InputError


def study(seed, *, n=4_000, classes=5, rate=0.1, sharpness=3.0):
    """Cases whose model is calibrated to the noisy labels, and their true classes."""
    rng = np.random.default_rng(seed)
    true = rng.integers(classes, size=n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), true] += sharpness
    clean = np.exp(sharpness * logits)
    clean /= clean.sum(axis=1, keepdims=True)
    noise = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(noise, 1 - rate)
    label = (rng.random(n)[:, None] > noise[true].cumsum(axis=1)).sum(axis=1)
    return label, clean @ noise, true


def test_the_joint_matches_a_hand_worked_table():
    # Thresholds: class 0 (0.9 + 0.8 + 0.1)/3 = 0.6, class 1 (0.9 + 0.7)/2 = 0.8. Rows 0 and 1
    # count as (0, 0), row 2 (given 0, p1 = 0.9) as (0, 1), row 3 as (1, 1), row 4 as nothing.
    label = np.asarray([0, 0, 0, 1, 1])
    first = np.asarray([0.9, 0.8, 0.1, 0.1, 0.3])
    found = find_label_errors(label, np.stack([first, 1 - first], axis=1))
    assert found.thresholds == pytest.approx([0.6, 0.8])
    assert found.joint.tolist() == [[2, 1], [0, 2]]
    assert found.case.tolist() == [2]
    assert found.suggested.tolist() == [1]
    assert 0.0 < found.chance[0] <= 1.0
    assert found.precision[0] == found.chance[0]


@pytest.mark.parametrize("rule", ["noise-rate", "confident-joint"])
def test_planted_errors_are_found_with_the_precision_expected(rule):
    label, p, true = study(1)
    found = find_label_errors(label, p, rule=rule)
    wrong = label != true
    hit = wrong[found.case]
    assert hit.sum() > 0.75 * wrong.sum()
    assert hit.mean() > 0.8
    assert found.precision[-1] == pytest.approx(hit.mean(), abs=0.1)
    assert found.noise_rate == pytest.approx(wrong.mean(), abs=0.02)
    assert (np.diff(found.quality) >= 0).all()
    assert hit[: len(hit) // 2].mean() >= hit.mean()


def test_an_honest_model_of_honest_labels_accuses_few():
    rng = np.random.default_rng(2)
    label, p, _ = study(2, rate=0.0)
    label = (rng.random(len(p))[:, None] > p.cumsum(axis=1)).sum(axis=1)
    found = find_label_errors(label, p)
    assert len(found.case) < 0.05 * len(label)


def test_more_errors_than_positive_margins_take_what_there_is():
    # The joint asks for more cases of a pair than prefer that class: ranks are taken over the
    # whole class, and only doubted cases are accused.
    label, p, _ = study(3, n=300, rate=0.4, sharpness=0.8)
    found = find_label_errors(label, p)
    highest = p[found.case].max(axis=1)
    assert (found.quality < highest).all()
    assert len(set(found.case.tolist())) == len(found.case)


@settings(deadline=None, max_examples=25)
@given_(st.integers(0, 10_000))
def test_the_order_of_cases_changes_nothing(seed):
    label, p, _ = study(seed, n=200)
    mixed = np.random.default_rng(seed).permutation(200)
    one = find_label_errors(label, p)
    two = find_label_errors(label[mixed], p[mixed])
    assert sorted(mixed[two.case].tolist()) == sorted(one.case.tolist())
    assert (one.joint == two.joint).all()
    assert one.joint.sum(axis=1).tolist() == np.bincount(label, minlength=5).tolist()


def test_classes_without_labels_are_never_counted():
    label, p, _ = study(4)
    wide = np.concatenate([p, np.zeros((len(p), 1))], axis=1)
    found = find_label_errors(label, wide)
    assert found.thresholds[-1] == 2.0
    assert found.case.tolist() == find_label_errors(label, p).case.tolist()


def test_float32_finds_the_same_cases():
    label, p, _ = study(5)
    single = p.astype(np.float32)
    one, two = find_label_errors(label, p), find_label_errors(label, single)
    both = np.intersect1d(one.case, two.case)
    assert len(both) >= 0.99 * len(np.union1d(one.case, two.case))


def test_the_chance_follows_bayes_rule():
    # Noise: a true 1 is called 0 with 1/4. p(given 0 | x) = 0.4 = a + (1 - a)/4, a = 0.2:
    # of the labels 0 there, (1 - a)/4 = 0.2 are noise, a half.
    noise = np.asarray([[1.0, 0.25], [0.0, 0.75]])
    exact = Calibration(found=np.linspace(0.0, 1.0, STEPS + 1))
    found = chance_wrong(np.asarray([0]), np.asarray([[0.4, 0.6]]), noise, exact)
    assert found == pytest.approx([0.5], abs=1e-3)


def test_calibration_undoes_what_a_sharpened_model_says():
    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(3), size=20_000)
    label = (rng.random(len(p))[:, None] > p.cumsum(axis=1)).sum(axis=1)
    sharp = p**2 / (p**2).sum(axis=1, keepdims=True)
    calibration = calibrate(label, sharp)
    assert (np.diff(calibration.found) >= 0).all()
    raw = np.abs(sharp - p).mean()
    assert np.abs(calibration.of(sharp) - p).mean() < 0.6 * raw


def test_noise_is_told_by_the_surest_cases_and_not_by_overlap():
    rng = np.random.default_rng(7)
    # Two overlapping classes on a line; a model that knows them; 5 % of labels exchanged.
    true = rng.integers(0, 2, 20_000)
    x = rng.normal(2.0 * true - 1.0)
    one = 1.0 / (1.0 + np.exp(-2.0 * x))
    p = np.stack([1.0 - one, one], axis=1)
    label = np.where(rng.random(len(true)) < 0.05, 1 - true, true)
    best = p.argmax(axis=1)
    assert (label != best).mean() > 0.18
    noise = noise_of(label, best, p.max(axis=1), 2)
    assert noise.sum(axis=0) == pytest.approx([1.0, 1.0])
    assert noise[0, 1] == pytest.approx(0.05, abs=0.03)
    assert find_label_errors(label, p).noise_rate == pytest.approx(0.05, abs=0.03)


def test_sums_a_little_over_one_are_calibrated_too():
    p = np.asarray([[1.0008, 0.0], [0.0, 1.0008], [1.0008, 0.0]])
    found = find_label_errors([0, 1, 1], p)
    assert np.isfinite(found.chance).all()


def refusal(label, p, **options):
    with pytest.raises(InputError) as caught:
        find_label_errors(label, p, **options)
    return str(caught.value)


def test_bad_input_is_refused_with_every_problem():
    p = np.asarray([[0.5, 0.5], [np.nan, 1.0], [0.7, 0.7]])
    assert refusal([0, 5, -1], p, rule="guess") == (
        "T-A212: there is no rule 'guess'; the rules are noise-rate, confident-joint. Name one "
        "of them.\n"
        "T-A211: labels hold -1, 5; they are integers from 0 to 1. Number the classes as the "
        "columns of the probabilities.\n"
        "T-A007: 1 rows of probabilities hold values that are no probability (first: nan at "
        "row 1); they lie in 0..1. Correct the rows, or leave out tasks the model has not "
        "seen.\n"
        "T-A008: 1 rows of probabilities do not sum to 1 (first: 1.4 at row 2; within 0.001). "
        "Give all classes, after a softmax."
    )
    assert refusal([0, 1], p) == (
        "T-A210: label has the shape (2,) and probabilities (3, 2); they are (n,) and (n, "
        "classes), n at least 1, classes at least 2. Give one row of probabilities per label."
    )
    assert refusal([0.0, 1.0], [[0.5, 0.5]] * 2) == (
        "T-A211: labels hold the type float64; they are integers from 0 to 1. Number the "
        "classes as the columns of the probabilities."
    )
