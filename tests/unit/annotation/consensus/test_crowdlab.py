import numpy as np
import pytest

from titian.annotation import consensus
from titian.annotation.simulation import simulate
from titian.errors import InputError


def test_a_good_model_helps_the_crowd():
    rng = np.random.default_rng(3)
    drawn = simulate("few votes a task", rng)
    model = np.full((len(drawn.truth), drawn.classes), 0.1 / (drawn.classes - 1))
    right = rng.random(len(drawn.truth)) < 0.9
    named = np.where(right, drawn.truth, (drawn.truth + 1) % drawn.classes)
    model[np.arange(len(named)), named] = 0.9
    votes = (drawn.task, drawn.worker, drawn.label)
    alone = consensus(*votes, method="majority", classes=drawn.classes)
    both = consensus(*votes, method="crowdlab", probabilities=model, classes=drawn.classes)
    assert drawn.accuracy(both.label) > drawn.accuracy(alone.label) + 0.02


def test_without_overlap_votes_and_model_weigh_the_same():
    found = consensus(
        [0, 1], [0, 1], [0, 1], method="crowdlab", probabilities=[[0.2, 0.8], [0.4, 0.6]]
    )
    np.testing.assert_allclose(found.posterior, [[0.6, 0.4], [0.2, 0.8]])
    assert found.notes == ("No task has two votes: vote and model weigh the same.",)


def refused(probabilities):
    with pytest.raises(InputError) as raised:
        consensus([0, 1], [0, 1], [0, 1], method="crowdlab", probabilities=probabilities)
    return str(raised.value)


def test_probabilities_of_another_shape_are_refused():
    assert refused([[1.0, 0.0]]) == (
        "T-A006: the probabilities have the shape (1, 2); 2 tasks and 2 classes need (2, 2). "
        "Give one row per task and one column per class, in order of code."
    )


def test_nan_and_wrong_sums_are_named_together():
    assert refused([[np.nan, 0.5], [0.5, 0.6]]) == (
        "T-A007: 1 rows of probabilities hold values that are no probability (first: nan at "
        "row 0); they lie in 0..1. Correct the rows, or leave out tasks the model has not "
        "seen.\n"
        "T-A008: 1 rows of probabilities do not sum to 1 (first: 1.1 at row 1; within 0.001). "
        "Give all classes, after a softmax."
    )
