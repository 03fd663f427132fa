"""Answers to gold: which count, in which order, and whom they stop."""

import numpy as np

from titian.annotation.gold_answers import answers_to_gold, find_failing

GOLD = np.array([1, -1, 0, 5])


def test_answers_to_gold_are_first_answers_in_the_order_of_time():
    task = np.array([0, 1, 2, 3, 0, 0])
    worker = np.array([0, 0, 0, 1, 1, 0])
    label = np.array([1, 1, 1, 0, 0, 0])
    rows = answers_to_gold(task, worker, label, gold=GOLD)
    assert (rows.timed, rows.repeated) == (False, 1)
    assert rows.task.tolist() == [0, 2, 3, 0]
    # A label that nobody has is right for nobody.
    assert rows.right.tolist() == [True, False, False, False]
    moment = np.array([9.0, np.nan, 2.0, 5.0, 4.0, 1.0])
    timed = answers_to_gold(task, worker, label, gold=GOLD, moment=moment)
    assert (timed.timed, timed.repeated) == (True, 1)
    assert timed.task.tolist() == [0, 2, 0, 3]
    assert timed.worker.tolist() == [0, 0, 1, 1]
    assert timed.right.tolist() == [False, False, False, False]
    untold = answers_to_gold(task, worker, label, gold=GOLD, moment=np.full(6, np.nan))
    assert untold.timed is False


def test_guessers_are_stopped_and_good_workers_are_not():
    rng = np.random.default_rng(2)
    worker = np.repeat(np.arange(10), 100)
    gold = np.zeros(1000, dtype=np.int64)
    accuracy = np.where(worker == 3, 0.5, 0.85)
    label = (rng.random(1000) >= accuracy).astype(np.int64)
    answers = answers_to_gold(np.arange(1000), worker, label, gold=gold)
    (stopped,) = find_failing(answers, good=0.8, level=0.05)
    assert stopped.worker == 3
    assert 5 < stopped.after < 100
    assert (stopped.answers, stopped.right) == (100, int((label[worker == 3] == 0).sum()))


def test_the_level_holds_over_all_workers_together():
    rng = np.random.default_rng(3)
    worker = np.repeat(np.arange(20), 60)
    alarms = 0
    for _ in range(200):
        right = rng.random(len(worker)) < 0.8
        answers = answers_to_gold(
            np.arange(len(worker)),
            worker,
            np.where(right, 0, 1),
            gold=np.zeros(len(worker), dtype=np.int64),
        )
        alarms += bool(find_failing(answers, good=0.8, level=0.05))
    assert alarms / 200 <= 0.05


def test_no_gold_stops_nobody():
    none = answers_to_gold(np.array([1]), np.array([0]), np.array([0]), gold=np.array([-1, -1]))
    assert find_failing(none, good=0.8, level=0.05) == ()
