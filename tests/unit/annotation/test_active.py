"""Active choice: what is asked for, by hand and by property."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.annotation.active import (
    SCORES,
    least_expected_error,
    most_diverse,
    most_representative,
    most_uncertain,
    uncertainty,
)
from titian.errors import InputError

P = np.asarray([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.4, 0.3, 0.3], [1 / 3, 1 / 3, 1 / 3]])


def rng(seed=0):
    return np.random.default_rng(seed)


def test_uncertainty_by_hand():
    assert uncertainty(P) == pytest.approx(
        [0.0, np.log(2) / np.log(3), 1.0888999753 / np.log(3), 1.0], abs=1e-6
    )
    assert uncertainty(P, score="margin") == pytest.approx([0.0, 1.0, 0.9, 1.0])
    assert uncertainty(P, score="least-confidence") == pytest.approx([0.0, 0.75, 0.9, 1.0])


def test_the_least_certain_come_first_and_ties_are_drawn():
    assert most_uncertain(P, 4, rng=rng()).tolist() == [3, 2, 1, 0]
    firsts = {int(most_uncertain(P, 1, rng=rng(seed), score="margin")[0]) for seed in range(20)}
    assert firsts == {1, 3}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_centres_leave_no_case_farther_than_twice_the_best(seed, size):
    x = rng(seed).normal(size=(30, 2))
    chosen = most_diverse(x, size, rng=rng(seed))
    assert len(set(chosen.tolist())) == size
    distance = np.linalg.norm(x[:, None] - x[chosen], axis=2)
    left = distance.min(axis=1).max()
    apart = np.linalg.norm(x[chosen][:, None] - x[chosen], axis=2)
    # Chosen centres are at least as far apart as the farthest case left: no smaller cover
    # of as many centres has less than half that radius (pigeonhole).
    assert size == 1 or apart[~np.eye(size, dtype=bool)].min() >= left - 1e-9


def test_labelled_cases_are_centres_already():
    x = np.asarray([[0.0], [1.0], [10.0]])
    assert most_diverse(x, 1, rng=rng(), labelled=[[10.0]]).tolist() == [0]
    assert most_diverse(x, 3, rng=rng(), labelled=[[10.0]]).tolist() == [0, 1, 2]


def test_an_uncertain_outlier_comes_after_the_uncertain_crowd():
    x = np.concatenate([rng().normal(size=(50, 2)), [[100.0, 100.0]]])
    p = np.full((51, 2), 0.5)
    p[25:50] = [0.9, 0.1]
    chosen = most_representative(p, x, 25, rng=rng())
    assert 50 not in chosen
    assert (chosen[:10] < 25).all()


def test_a_batch_covers_the_uncertain_groups_before_it_returns_to_one():
    centres = np.asarray([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]])
    x = np.concatenate([centre + rng(1).normal(size=(20, 2)) for centre in centres])
    p = np.full((60, 2), 0.5)
    p[40:] = [0.99, 0.01]  # the third group is known
    chosen = least_expected_error(p, x, 2, rng=rng())
    assert sorted((chosen // 20).tolist()) == [0, 1]


def test_labels_chosen_by_expected_error_teach_more_than_chance():
    # Which half of a group a case lies in decides its class; one label a group tells all.
    from sklearn.neighbors import KNeighborsClassifier

    draw = rng(2)
    centres = draw.normal(scale=20.0, size=(12, 3))
    sizes = np.asarray([200, 200, 200, 5, 5, 5, 5, 5, 5, 60, 60, 60])
    group = np.repeat(np.arange(12), sizes)
    x = centres[group] + draw.normal(size=(len(group), 3))
    y = group % 2
    p = np.full((len(group), 2), 0.5)

    def accuracy(chosen):
        return KNeighborsClassifier(1).fit(x[chosen], y[chosen]).score(x, y)

    mine = accuracy(least_expected_error(p, x, 6, rng=rng()))
    chance = np.mean([accuracy(rng(s).choice(len(x), 6, replace=False)) for s in range(20)])
    assert mine > chance + 0.05


def test_large_pools_are_represented_by_a_sample(monkeypatch):
    monkeypatch.setattr("titian.annotation.active.MOST_REFERENCES", 50)
    x = rng(3).normal(size=(500, 2))
    p = np.full((500, 2), 0.5)
    chosen = least_expected_error(p, x, 60, rng=rng())
    assert len(set(chosen.tolist())) == 60


def refusal(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_bad_input_is_refused():
    x = np.zeros((4, 1))
    assert refusal(lambda: uncertainty(P, score="luck")) == (
        f"T-A240: there is no score 'luck'; the scores are {', '.join(SCORES)}. Name one of "
        "them."
    )
    assert refusal(lambda: uncertainty([0.5])) == (
        "T-A240: probabilities have the shape (1,); it is (n, classes), n at least 1, classes "
        "at least 2. Give one row per case."
    )
    assert refusal(lambda: uncertainty([[np.nan, 1.0]])).startswith("T-A007: 1 rows")
    assert refusal(lambda: most_diverse([[np.inf]], 1, rng=rng())) == (
        "T-A241: features have the shape (1, 1) and 1 values that are not finite; the shape "
        "is (n, d), and all are finite. Give one row of numbers per case."
    )
    assert refusal(lambda: least_expected_error(P, x[:3], 1, rng=rng())) == (
        "T-A241: there are 4 rows of probabilities and 3 of features; there is one of each "
        "per case. Give both for the same cases, in one order."
    )
    assert refusal(lambda: most_diverse(x, 5, rng=rng())) == (
        "T-A242: a batch of 5 was asked for; the pool has 4 cases. Ask for 1 to all of them."
    )
