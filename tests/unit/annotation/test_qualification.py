"""Entry tests, hidden gold and the sequential test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from titian.annotation.qualification import (
    EntryTest,
    answers_to_stop,
    hide_gold,
    judge_entries,
    plan_entry_test,
    watch,
)
from titian.errors import InputError


def refusal(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_an_entry_test_keeps_both_error_rates_and_is_the_shortest():
    test = plan_entry_test(0.9, 0.7)
    assert (test.tasks, test.needed) == (41, 34)
    assert test.false_refusal == pytest.approx(binom.cdf(33, 41, 0.9))
    assert test.false_pass == pytest.approx(binom.sf(33, 41, 0.7))
    for tasks in range(1, 41):
        for needed in range(tasks + 1):
            refused = binom.cdf(needed - 1, tasks, 0.9)
            passed = binom.sf(needed - 1, tasks, 0.7)
            assert refused > 0.05 or passed > 0.05


def test_an_entry_test_that_cannot_tell_is_refused():
    assert refusal(lambda: plan_entry_test(0.7001, 0.7)) == (
        "T-A221: no test of 10000 tasks tells 0.7001 from 0.7 with these error rates. Move the "
        "two accuracies apart, or allow more errors."
    )
    assert refusal(lambda: plan_entry_test(1.0, 0.0)) == (
        "T-A220: good is 1; it lies between 0 and 1. Correct the rate.\n"
        "T-A220: bad is 0; it lies between 0 and 1. Correct the rate."
    )
    assert refusal(lambda: plan_entry_test(0.6, 0.7)) == (
        "T-A220: bad is 0.7 and good 0.6; bad is lower. Correct the rate."
    )


def test_entries_are_judged_by_skill_and_language():
    tests = {
        ("lungs", "en"): EntryTest(tasks=4, needed=3, false_refusal=0.0, false_pass=0.0),
        ("lungs", "ms"): EntryTest(tasks=4, needed=3, false_refusal=0.0, false_pass=0.0),
    }
    answers = {
        ("ann", "lungs", "en"): [True, True, False, True, False],  # the fifth does not count
        ("ann", "lungs", "ms"): [False, False],
        ("bob", "lungs", "en"): [True, False, True],
        ("cem", "lungs", "en"): [],
    }
    found = {(e.worker, e.language): e for e in judge_entries(answers, tests)}
    assert found["ann", "en"].passed is True
    assert (found["ann", "en"].right, found["ann", "en"].tasks) == (3, 4)
    assert found["ann", "ms"].passed is False  # two wrong of four: three are out of reach
    assert found["bob", "en"].passed is None
    assert (found["cem", "en"].low, found["cem", "en"].high) == (0.0, 1.0)


def test_answers_without_a_test_are_refused():
    assert refusal(lambda: judge_entries({("ann", "lungs", "fr"): [True]}, {})) == (
        "T-A222: there are answers for skill 'lungs' in language 'fr', which has no entry "
        "test. Plan a test for it, or leave the answers out."
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 400), st.integers(2, 30), st.integers(0, 5), st.integers(0, 10_000))
def test_hidden_gold_leaves_no_long_gap_and_never_repeats(length, every, first, seed):
    gold = np.arange(500) % 3
    places, chosen = hide_gold(
        length, gold, every=every, first=first, rng=np.random.default_rng(seed)
    )
    assert (np.diff(places) > 0).all()
    assert len(set(chosen.tolist())) == len(chosen)
    if len(places):
        assert places.min() >= 0
        assert places.max() < length
        assert np.diff(places).max(initial=0) <= 2 * every - 1
    assert len(places) >= length // every
    counts = np.bincount(gold[chosen], minlength=3)
    assert counts.max() - counts.min() <= 1


def test_every_place_is_equally_likely_to_hold_gold():
    rng = np.random.default_rng(1)
    held = np.zeros(20)
    for _ in range(2_000):
        places, _ = hide_gold(20, np.zeros(9, dtype=int), every=5, rng=rng)
        held[places] += 1
    assert held.sum() == 8_000
    assert np.abs(held / 2_000 - 0.2).max() < 0.05


def test_gold_that_a_worker_saw_is_not_given_again():
    rng = np.random.default_rng(2)
    _, chosen = hide_gold(20, np.zeros(9, dtype=int), every=5, rng=rng, seen=[0, 1, 2, 3, 4])
    assert sorted(chosen.tolist()) == [5, 6, 7, 8]
    assert refusal(
        lambda: hide_gold(20, np.zeros(9, dtype=int), every=5, rng=rng, seen=range(6))
    ) == (
        "T-A223: the queue of 20 tasks needs 4 gold tasks, and 3 of 9 are new to the worker. "
        "Make more gold, or hide it more thinly."
    )
    assert refusal(lambda: hide_gold(20, [0], every=1, rng=rng)) == (
        "T-A220: every is 1, length 20, first 0; a stretch has at least 2 tasks, the others "
        "are at least 0. Correct them."
    )


def test_a_failing_worker_is_stopped_and_good_ones_are_not():
    rng = np.random.default_rng(3)
    accuracy = np.asarray([0.95] * 20 + [0.5])
    worker = np.tile(np.arange(21), 100)
    right = rng.random(len(worker)) < accuracy[worker]
    found = watch(worker, right, good=0.9, false_alarm=0.01, workers=22)
    assert (found.stopped_at[:20] == 0).all()
    assert 0 < found.stopped_at[20] < 30
    assert found.evidence[20] >= 100.0
    assert found.answers.tolist() == [100] * 21 + [0]
    assert found.right[20] == right[worker == 20].sum()
    assert found.stopped_at[21] == 0


def test_a_worker_is_stopped_at_the_first_answer_that_suffices():
    right = np.zeros(40, dtype=bool)
    whole = watch(np.zeros(40, dtype=int), right, good=0.8, false_alarm=0.001)
    stop = int(whole.stopped_at[0])
    before = watch(
        np.zeros(stop - 1, dtype=int), right[: stop - 1], good=0.8, false_alarm=0.001
    )
    assert before.stopped_at[0] == 0
    assert before.evidence[0] < 1_000.0


def test_a_good_start_does_not_hide_a_careless_end():
    right = np.r_[np.ones(300, dtype=bool), np.zeros(30, dtype=bool)]
    worker = np.zeros(330, dtype=int)
    drift = watch(worker, right, good=0.9, false_alarm=0.001, drift=True)
    assert 300 < drift.stopped_at[0] <= 310
    assert watch(worker, right, good=0.9, false_alarm=0.001).stopped_at[0] == 0


def test_bad_arrays_are_refused():
    assert refusal(lambda: watch([0, 1], [True], good=0.9)) == (
        "T-A224: worker has the shape (2,) and type int64, right the shape (1,); they are "
        "arrays of one length, workers integers from 0. Give one row per gold answer."
    )
    assert refusal(lambda: watch([0], [True], good=1.5)) == (
        "T-A220: good is 1.5; it lies between 0 and 1. Correct the rate."
    )


def test_worse_workers_are_stopped_sooner_and_good_ones_hardly_ever():
    rng = np.random.default_rng(4)
    stops = [
        answers_to_stop(accuracy, good=0.8, false_alarm=0.01, rng=rng, longest=400)
        for accuracy in (0.4, 0.6, 0.8)
    ]
    assert all((np.diff(found) >= 0).all() for found in stops)
    assert np.median(stops[0]) < np.median(stops[1]) < 400
    assert (stops[2] <= 400).mean() <= 0.03
