import itertools

import numpy as np

from titian.annotation import gather
from titian.annotation.consensus.auto import blend
from titian.annotation.consensus.result import confusions_of
from titian.annotation.prospects import (
    evidence_of,
    expected_gain,
    information_for,
    leaders,
    usual_evidence,
)
from titian.annotation.simulation import simulate


def crowd(kind="hard tasks", seed=4):
    drawn = simulate(kind, np.random.default_rng(seed), votes_per_task=10.0)
    kept = drawn.task < 120
    return gather(
        drawn.task[kept], drawn.worker[kept], drawn.label[kept], classes=drawn.classes
    )


def table(*rows):
    return np.array(rows)


PERFECT = table([1.0, 0.0], [0.0, 1.0])
GUESSING = table([0.5, 0.5], [0.5, 0.5])
GOOD = table([0.9, 0.1], [0.1, 0.9])


def test_information_by_hand():
    confusions = np.stack([PERFECT, GUESSING, GOOD])
    posterior = np.array([[0.5, 0.5], [1.0, 0.0]])
    told = information_for(
        posterior, confusions, np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0])
    )
    of_noise = 0.1 * np.log(10) + 0.9 * np.log(1 / 0.9)
    expected = [np.log(2), 0.0, np.log(2) - of_noise, 0.0]
    np.testing.assert_allclose(told, expected, atol=1e-12)


def test_whom_to_ask_depends_on_what_is_in_doubt():
    # The first worker tells class 0 from the others, the second class 1 from class 2.
    first = table([1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5])
    second = table([1 / 3, 1 / 3, 1 / 3], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    doubt = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    told = information_for(
        doubt, np.stack([first, second]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    )
    assert told[0] > told[1]
    assert told[2] < told[3]


def test_the_leaders_are_the_two_most_probable_classes():
    posterior = np.array([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3], [0.0, 0.0, 1.0]])
    first, second = leaders(posterior)
    assert first.tolist() == [1, 0, 2]
    assert second[:2].tolist() == [2, 2]
    assert (first != second).all()


def test_an_average_vote_brings_what_auto_says():
    # Two classes: over the votes cast, the workers' evidence has the mean that auto states.
    drawn = simulate("biased crowd", np.random.default_rng(3), votes_per_task=6.0)
    votes = gather(drawn.task, drawn.worker, drawn.label)
    found = blend(votes)
    confusions, _ = confusions_of(votes, found.fit.posterior)
    cast = votes.per_worker()
    every = np.arange(votes.workers)
    brought = evidence_of(found, confusions, cast, np.zeros_like(every), every)
    stated = (found.evidence[0, 1] + found.evidence[1, 0]) / 2
    np.testing.assert_allclose(brought @ cast / cast.sum(), stated)
    assert (brought >= 0).all()
    one = usual_evidence(found, np.ones(votes.tasks))
    np.testing.assert_allclose(one, stated)


def test_a_guessing_worker_brings_nothing_and_a_better_one_more():
    votes = crowd("one coin")
    found = blend(votes)
    classes = votes.classes
    good = np.full((classes, classes), 0.3 / (classes - 1))
    np.fill_diagonal(good, 0.7)
    better = np.full((classes, classes), 0.05 / (classes - 1))
    np.fill_diagonal(better, 0.95)
    tables = np.stack([np.full((classes, classes), 1 / classes), good, better])
    brought = evidence_of(found, tables, np.ones(3), np.zeros(3, dtype=int), np.arange(3))
    assert abs(brought[0]) < 1e-12
    assert brought[0] < brought[1] < brought[2]


def test_the_expected_gain_rises_with_votes_and_ends_at_what_is_missing():
    votes = crowd()
    found = blend(votes)
    posterior = found.fit.posterior
    rows = [
        expected_gain(posterior, usual_evidence(found, np.full(votes.tasks, n)))
        for n in (0.0, 1.0, 5.0, 50.0, np.inf)
    ]
    assert (rows[0] == 0).all()
    for less, more in itertools.pairwise(rows):
        assert (more >= less - 1e-9).all()
    second = np.sort(posterior, axis=1)[:, -2]
    np.testing.assert_allclose(rows[-1], second, atol=1e-6)


def test_the_expected_gain_of_normal_evidence_by_simulation():
    rng = np.random.default_rng(3)
    true = rng.random(400_000) < 0.7
    mean = 2.0
    drawn = np.where(true, mean, -mean) + rng.normal(0, np.sqrt(2 * mean), true.shape)
    odds = np.log(0.7 / 0.3) + drawn
    simulated = (1 / (1 + np.exp(-np.abs(odds)))).mean() - 0.7
    gain = expected_gain(np.array([[0.7, 0.3]]), np.array([mean]))
    np.testing.assert_allclose(gain, [simulated], atol=2e-3)
