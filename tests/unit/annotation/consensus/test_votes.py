import numpy as np
import pytest

from titian.annotation import gather
from titian.errors import InputError


def test_votes_are_sorted_by_task_and_equal_ones_are_counted():
    votes = gather([1, 0, 1, 1], [0, 1, 0, 0], [2, 0, 2, 1])
    assert (votes.tasks, votes.workers, votes.classes) == (2, 2, 3)
    assert votes.task.tolist() == [0, 1, 1]
    assert votes.worker.tolist() == [1, 0, 0]
    assert votes.label.tolist() == [0, 1, 2]
    assert votes.count.tolist() == [1.0, 1.0, 2.0]
    assert votes.repeated == 2
    assert votes.total == 4.0


def test_repeated_votes_are_found_across_neighbouring_tasks():
    # Task 0 ends and task 1 starts with the same worker: that is no repetition.
    votes = gather([0, 1, 1], [3, 3, 3], [0, 0, 1])
    assert votes.repeated == 1


def test_sums_per_task_worker_and_label():
    votes = gather([2, 2, 0], [0, 1, 1], [1, 1, 0], tasks=4)
    assert votes.per_task().tolist() == [1.0, 0.0, 2.0, 0.0]
    assert votes.per_worker().tolist() == [1.0, 2.0]
    assert votes.per_label().tolist() == [1.0, 2.0]


def test_shares_of_a_task_without_votes_are_the_overall_shares():
    votes = gather([0, 0, 1], [0, 1, 0], [1, 0, 1], tasks=3)
    np.testing.assert_allclose(votes.shares(), [[0.5, 0.5], [0.0, 1.0], [1 / 3, 2 / 3]])


def test_all_problems_of_the_codes_are_named_together():
    with pytest.raises(InputError) as raised:
        gather([0, -2], [0, 1], [0, 5], classes=3)
    assert str(raised.value) == (
        "T-A004: task is negative in 1 rows (first: -2 at row 1); codes are integers from 0. "
        "Leave out rows without a label; a missing vote has no row.\n"
        "T-A005: label has 1 codes beyond the 3 stated (first: 5 at row 1); codes are below "
        "the number stated. Correct the codes or the number."
    )


def test_different_lengths_are_refused():
    with pytest.raises(InputError) as raised:
        gather([0], [0, 1], [0, 1])
    assert str(raised.value) == (
        "T-A001: task, worker and label have the shapes task (1,), worker (2,), label (2,); "
        "they are three arrays of one length. Give one row per vote."
    )


def test_no_votes_are_refused():
    with pytest.raises(InputError) as raised:
        gather([], [], [])
    assert str(raised.value) == (
        "T-A002: there are no votes; a consensus needs at least one. "
        "Give at least one row of task, worker and label."
    )


def test_codes_that_are_no_integers_are_refused():
    with pytest.raises(InputError) as raised:
        gather([0], [0], [0.5])
    assert str(raised.value) == (
        "T-A003: label has the type float64; codes are integers from 0. "
        "Encode text with titian.annotation.encode_labels."
    )


def test_tables_beyond_the_memory_limit_are_refused():
    with pytest.raises(InputError) as raised:
        gather([0], [0], [0], workers=10_000, classes=1_000)
    assert str(raised.value) == (
        "T-A014: 10000 workers and 1000 classes need confusion tables of 10000000000 numbers; "
        "the limit is 200000000. Group rare classes, or split the labels by site."
    )
