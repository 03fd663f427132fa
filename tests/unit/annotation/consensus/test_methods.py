from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma, logsumexp, softmax

from titian.annotation import METHODS, consensus, gather
from titian.annotation.consensus.dawid_skene import normalise
from titian.annotation.consensus.mace import Start, mace
from titian.annotation.simulation import simulate
from titian.errors import InputError

WITHOUT_MODEL = [method for method in METHODS if method != "crowdlab"]
# The iterations of these do not depend on the order of classes; votes break ties by code.
EQUIVARIANT = ["majority", "dawid-skene", "one-coin", "pooled", "tilted", "glad", "auto"]


def crowd(seed: int = 7, kind: str = "one coin", tasks: int = 300):
    """Return the first tasks of a simulated crowd."""
    drawn = simulate(kind, np.random.default_rng(seed))
    kept = drawn.task < tasks
    return replace(
        drawn,
        task=drawn.task[kept],
        worker=drawn.worker[kept],
        label=drawn.label[kept],
        truth=drawn.truth[:tasks],
    )


@pytest.mark.parametrize("method", WITHOUT_MODEL)
def test_each_method_returns_probabilities_and_records(method):
    drawn = crowd()
    found = consensus(drawn.task, drawn.worker, drawn.label, method=method)
    tasks, classes = len(drawn.truth), drawn.classes
    assert found.method == method
    assert found.posterior.shape == (tasks, classes)
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0)
    assert found.posterior.min() >= 0
    workers = drawn.worker.max() + 1
    assert found.confusions.shape == (workers, classes, classes)
    np.testing.assert_allclose(found.confusions.sum(axis=2), 1.0)
    assert np.nanmin(found.accuracy) >= 0
    assert np.nanmax(found.accuracy) <= 1 + 1e-12
    assert drawn.accuracy(found.label) > 0.7
    np.testing.assert_allclose(found.confidence, found.posterior[np.arange(tasks), found.label])


@pytest.mark.parametrize("method", EQUIVARIANT)
def test_renaming_classes_renames_the_posterior(method):
    drawn = crowd(3, "confusions")
    order = np.random.default_rng(1).permutation(drawn.classes)
    plain = consensus(drawn.task, drawn.worker, drawn.label, method=method, iterations=20)
    named = consensus(
        drawn.task, drawn.worker, order[drawn.label], method=method, iterations=20
    )
    # GLAD's conjugate gradients stop where rounding, hence the order of sums, lets them.
    near = 2e-2 if method == "glad" else 1e-6
    np.testing.assert_allclose(named.posterior[:, order], plain.posterior, atol=near)


@pytest.mark.parametrize("method", WITHOUT_MODEL)
def test_the_order_of_rows_changes_nothing(method):
    drawn = crowd(4)
    mixed = np.random.default_rng(2).permutation(len(drawn.task))
    one = consensus(drawn.task, drawn.worker, drawn.label, method=method)
    two = consensus(drawn.task[mixed], drawn.worker[mixed], drawn.label[mixed], method=method)
    np.testing.assert_array_equal(one.posterior, two.posterior)


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2)),
        min_size=1,
        max_size=30,
    )
)
@pytest.mark.parametrize("method", ["dawid-skene", "one-coin"])
def test_em_never_lowers_the_likelihood(method, rows):
    task, worker, label = np.asarray(rows).T
    found = consensus(task, worker, label, method=method, tolerance=-1.0, iterations=15)
    assert len(found.log_likelihood) == 15
    assert (np.diff(found.log_likelihood) >= -1e-6).all()


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 2)),
        min_size=1,
        max_size=30,
    )
)
@pytest.mark.parametrize("method", WITHOUT_MODEL)
def test_no_crowd_however_small_breaks_a_method(method, rows):
    task, worker, label = np.asarray(rows).T
    limit = 5 if method == "glad" else None
    found = consensus(task, worker, label, method=method, iterations=limit)
    assert np.isfinite(found.posterior).all()
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0)
    assert (found.label[np.bincount(task) > 0] >= 0).all()


def test_majority_by_hand():
    found = consensus([0, 0, 0, 1], [0, 1, 2, 0], [1, 1, 0, 0], method="majority")
    np.testing.assert_allclose(found.posterior, [[1 / 3, 2 / 3], [1.0, 0.0]])
    assert found.label.tolist() == [1, 0]
    np.testing.assert_allclose(found.accuracy, [(2 / 3 + 1) / 2, 2 / 3, 1 / 3])


def test_a_tie_goes_to_the_class_with_more_votes_then_to_the_lower_code():
    more_of_1 = consensus([0, 0, 1], [0, 1, 0], [0, 1, 1], method="majority")
    assert more_of_1.label.tolist() == [1, 1]
    even = consensus([0, 0], [0, 1], [1, 0], method="majority")
    assert even.label.tolist() == [0]


def test_wawa_by_hand():
    # Majorities: 0, 0, 1 (a tie at task 2, where class 0 has more votes: 0). Worker 2 agrees
    # once in three, workers 0 and 1 always or twice.
    task = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    worker = [0, 1, 2] * 3
    label = [0, 0, 1, 0, 0, 1, 1, 1, 1]
    found = consensus(task, worker, label, method="wawa")
    np.testing.assert_allclose(found.skill, [1.0, 1.0, 1 / 3])
    np.testing.assert_allclose(found.posterior[0], [2 / (7 / 3), (1 / 3) / (7 / 3)])


def test_dawid_skene_first_step_by_hand():
    # Two tasks, workers 0 and 1 say 0 then 1; worker 2 says 0 twice. Start: the shares.
    task, worker, label = [0, 0, 0, 1, 1, 1], [0, 1, 2] * 2, [0, 0, 0, 1, 1, 0]
    found = consensus(task, worker, label, method="dawid-skene", iterations=1, tolerance=-1.0)
    # Shares (1, 0) and (1/3, 2/3); class shares (2/3, 1/3). Worker 0, class 0: one vote 0
    # with weight 1, one vote 1 with weight 1/3, so 3/4 and 1/4; class 1: only vote 1.
    # Worker 2: always 0.
    likelihood_0 = np.array([2 / 3 * (3 / 4) ** 2, 1 / 3 * 1e-10**2])
    likelihood_1 = np.array([2 / 3 * (1 / 4) ** 2, 1 / 3])
    np.testing.assert_allclose(
        found.posterior,
        [likelihood_0 / likelihood_0.sum(), likelihood_1 / likelihood_1.sum()],
        atol=1e-8,
    )
    expected = np.log(likelihood_0.sum()) + np.log(likelihood_1.sum())
    np.testing.assert_allclose(found.log_likelihood, [expected], atol=1e-8)


def test_simulated_confusions_are_recovered():
    rng = np.random.default_rng(11)
    tables = np.array(
        [[[0.9, 0.1], [0.3, 0.7]], [[0.8, 0.2], [0.05, 0.95]], [[0.6, 0.4], [0.2, 0.8]]]
    )
    truth = rng.integers(0, 2, 20_000)
    task = np.repeat(np.arange(20_000), 3)
    worker = np.tile([0, 1, 2], 20_000)
    label = (rng.random(60_000) < tables[worker, truth[task], 1]).astype(int)
    found = consensus(task, worker, label, method="dawid-skene", tolerance=1e-9, iterations=500)
    np.testing.assert_allclose(found.confusions, tables, atol=0.03)


def test_spammers_are_told_from_workers():
    drawn = crowd(5, "spammers")
    found = consensus(drawn.task, drawn.worker, drawn.label)
    spam, work = drawn.spammer[: len(found.votes)], found.votes > 30
    assert found.spammer_score[spam & work].min() > np.median(found.spammer_score[~spam & work])


def test_notes_name_what_is_odd():
    found = consensus([0, 0, 2], [0, 0, 0], [0, 0, 0], method="majority")
    assert found.notes == (
        "1 of 3 tasks have no vote: their label is -1, their posterior the class shares.",
        "1 votes repeat a worker's vote on the same task; each counts as a separate vote.",
        "There is one worker: nothing can be said about accuracy.",
        "All votes name one class: nothing can be said about accuracy.",
    )
    assert found.label.tolist() == [0, -1, 0]
    assert np.isnan(found.confidence[1])


def test_auto_says_why():
    drawn = crowd()
    found = consensus(drawn.task, drawn.worker, drawn.label)
    assert found.why.startswith("Right votes vary over tasks 0.")
    assert found.why.endswith(
        "so the workers' tables are trusted: the mean of two tilted Dawid-Skene fits, one "
        "starting from an accuracy per class and one from a single accuracy."
    )


def test_an_unknown_method_and_needless_probabilities_are_named_together():
    with pytest.raises(InputError) as raised:
        consensus([0], [0], [0], method="mode", probabilities=[[1.0, 0.0]], iterations=0)
    assert str(raised.value) == (
        "T-A009: there is no method 'mode'; the methods are auto, majority, wawa, "
        "zero-based-skill, dawid-skene, one-coin, pooled, tilted, glad, mace, crowdlab. "
        "Name one of them, or leave it out for auto.\n"
        "T-A010: the method 'mode' was called with a model's probabilities; crowdlab needs "
        "them and no other method reads them. "
        "Give probabilities with method='crowdlab', and only then.\n"
        "T-A015: iterations is 0; at least 1 is needed. "
        "Leave it out for the method's default."
    )


def test_mace_of_tasks_with_very_many_votes_stays_finite():
    # 900 right votes a task: their odds multiply beyond what a float64 holds.
    rng = np.random.default_rng(5)
    truth = np.array([0, 1, 0])
    task = np.repeat(np.arange(3), 900)
    worker = np.tile(np.arange(900), 3)
    label = np.where(rng.random(2700) < 0.9, truth[task], 1 - truth[task])
    found = consensus(task, worker, label, method="mace")
    assert found.label.tolist() == truth.tolist()
    np.testing.assert_allclose(found.posterior.max(axis=1), 1.0)
    assert np.isfinite(found.log_likelihood).all()
    assert found.log_likelihood[-1] >= found.log_likelihood[0]


def test_mace_counts_a_repeated_vote_as_two_workers_alike():
    # A vote cast twice by one worker is merged inside; its log-odds count twice.
    task, worker, label = [0, 0, 0, 1, 1], [0, 0, 1, 0, 1], [1, 1, 0, 0, 0]
    begin = Start(knowing=np.full((2, 2), 0.5), habit=np.full((2, 2), 0.5))
    fit = mace(
        gather(task, worker, label), rng=np.random.default_rng(0), begin=begin, iterations=1
    )
    # The first E-step by hand: a vote for a class multiplies its odds by (1/4 + 1/2) / (1/4).
    right = np.array([2 * 9 / 12 + 9 / 10, 3 / 12 + 9 / 10]) * (1 / 2) / (3 / 4)
    total = np.array([3.0, 2.0])
    knows = np.exp(digamma(right + 0.5) - digamma(total + 1.0))
    chance = np.exp(digamma(total - right + 0.5) - digamma(total + 1.0))
    np.testing.assert_allclose(fit.skill, knows / (knows + chance))


def test_normalise_holds_where_exponentials_overflow():
    scores = np.array([[-3000.0, 0.0, -1.0], [0.0, -3000.0, -3000.0], [1.0, 1.0, 2.0]])
    prior = np.log([0.2, 0.3, 0.5])
    for part in (scores, scores[1:]):  # with and without a score too large to be compared
        posterior, total = normalise(part.copy(), prior)
        np.testing.assert_allclose(posterior, softmax(part + prior, axis=1), atol=1e-15)
        np.testing.assert_allclose(total, logsumexp(part + prior, axis=1).sum())
