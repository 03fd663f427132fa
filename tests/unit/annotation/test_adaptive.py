import numpy as np
import pytest

from titian.annotation import Action, Policy, decide_next, gather, information, replay
from titian.annotation.adaptive import replay_once
from titian.annotation.consensus import consensus_of
from titian.annotation.simulation import simulate
from titian.errors import InputError


def crowd(kind="one coin", seed=4, tasks=120):
    drawn = simulate(kind, np.random.default_rng(seed), votes_per_task=10.0)
    kept = drawn.task < tasks
    truth = drawn.truth[:tasks]
    votes = gather(
        drawn.task[kept],
        drawn.worker[kept],
        drawn.label[kept],
        tasks=len(truth),
        classes=drawn.classes,
    )
    return votes, truth


def test_a_replay_saves_labels_and_hardly_loses_accuracy():
    votes, truth = crowd()
    found = replay(votes, truth, Policy(), rng=np.random.default_rng(1), orders=2)
    assert found.saved > 0.3
    assert found.loss.value is not None
    assert found.loss.value < 0.02
    assert found.loss.intervals[0].low < found.loss.value < found.loss.intervals[0].high
    assert len(found.orders) == 2
    for order in found.orders:
        assert order.stored == votes.total
        assert order.saved == 1 - order.asked / order.stored


def test_the_policy_never_reads_gold():
    votes, truth = crowd()
    one = replay(votes, truth, Policy(), rng=np.random.default_rng(1), orders=1)
    lies = (truth + 1) % votes.classes
    other = replay(votes, lies, Policy(), rng=np.random.default_rng(1), orders=1)
    assert one.orders[0].asked == other.orders[0].asked


def test_more_confidence_asks_for_more_labels():
    votes, _ = crowd()
    asked = [
        replay_once(votes, Policy(confidence=c), rng=np.random.default_rng(1))[0]
        for c in (0.8, 0.95, 0.999)
    ]
    assert asked == sorted(asked)
    assert asked[0] < asked[-1] <= votes.total


def test_every_task_gets_the_least_votes_it_can():
    votes, _ = crowd()
    asked, _ = replay_once(
        votes, Policy(confidence=0.51, least_votes=3), rng=np.random.default_rng(1)
    )
    assert asked >= 3 * votes.tasks


def test_good_workers_are_asked_before_guessing_ones():
    # Of six who labelled each task three guess; least votes are drawn at random, and so the
    # guessing ones are asked at most there.
    rng = np.random.default_rng(2)
    truth = rng.integers(2, size=300)
    task, worker = np.repeat(np.arange(300), 6), np.tile(np.arange(6), 300)
    right = rng.random(1800) < np.where(worker < 3, 0.95, 0.5)
    votes = gather(task, worker, np.where(right, truth[task], 1 - truth[task]))
    told = []
    asked, label = replay_once(
        votes,
        Policy(confidence=0.98, least_votes=2),
        rng=np.random.default_rng(1),
        progress=lambda done, rounds: told.append((done, rounds)),
    )
    # A random choice among them asks for 4.6 of the 6, for the same accuracy.
    assert asked < 4.0 * votes.tasks
    assert (label == truth).mean() > 0.96
    assert told[-1][0] == told[-1][1]
    assert told == sorted(told)


def test_a_replay_tells_how_far_it_is():
    votes, truth = crowd()
    told = []
    replay(
        votes,
        truth,
        Policy(),
        rng=np.random.default_rng(1),
        orders=2,
        progress=lambda done, all_: told.append((done, all_)),
    )
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_sure_tasks_are_accepted_and_others_ask_somebody_new():
    votes, _ = crowd("hard tasks")
    found = decide_next(votes, Policy(confidence=0.95))
    top = found.consensus.posterior.max(axis=1)
    np.testing.assert_array_equal(found.action == Action.ACCEPT, top >= 0.95)
    asking = np.flatnonzero(found.action == Action.ASK)
    assert len(asking)
    voted = set(zip(votes.task.tolist(), votes.worker.tolist(), strict=True))
    for task in asking:
        assert (task, found.next_worker[task]) not in voted
    assert (found.next_worker[found.action != Action.ASK] == -1).all()


def test_only_those_available_are_asked():
    votes, _ = crowd()
    free = np.zeros(votes.workers, dtype=bool)
    free[:3] = True
    found = decide_next(votes, Policy(confidence=0.99), available=free)
    assert set(np.unique(found.next_worker)) <= {-1, 0, 1, 2}


def test_tasks_with_the_most_votes_escalate():
    votes, _ = crowd("lures", seed=9)
    found = decide_next(votes, Policy(confidence=0.99, most_votes=5))
    unsure = found.consensus.posterior.max(axis=1) < 0.99
    full = votes.per_task() >= 5
    assert (unsure & full).any()
    assert (found.action[unsure & full] == Action.ESCALATE).all()


def test_a_task_without_votes_asks():
    votes = gather([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], tasks=3)
    assert decide_next(votes, Policy()).action[2] == Action.ASK


def test_information_is_nothing_for_a_spammer_and_the_entropy_for_a_perfect_worker():
    task = np.repeat(np.arange(400), 3)
    truth = np.arange(400) % 2
    label = np.stack([truth, truth, np.zeros(400, dtype=int)], axis=1).ravel()
    told = information(consensus_of(gather(task, np.tile([0, 1, 2], 400), label)))
    np.testing.assert_allclose(told, [np.log(2), np.log(2), 0.0], atol=0.03)


def test_bad_policies_are_refused_with_all_problems():
    with pytest.raises(InputError) as raised:
        Policy(confidence=1.0, least_votes=3, most_votes=2)
    assert str(raised.value) == (
        "T-A030: the confidence is 1.0; it lies between 0.5 and 1, both excluded. "
        "Give the accuracy that accepted labels should reach, such as 0.95.\n"
        "T-A031: least_votes is 3 and most_votes 2; at least one vote is needed, and the most "
        "is no less than the least. Correct the two numbers."
    )


def test_a_replay_without_gold_is_refused():
    votes, _ = crowd()
    with pytest.raises(InputError) as raised:
        replay(
            votes, np.full(votes.tasks, -1), Policy(), rng=np.random.default_rng(1), orders=0
        )
    assert str(raised.value) == (
        "T-A032: gold has the shape (120,) and 0 known classes; a replay of 120 tasks needs "
        "one entry per task and at least one known class. "
        "Give gold for some of the tasks, -1 for the others.\n"
        "T-A033: orders is 0; at least 1 is needed. Leave it out for 5."
    )
