import numpy as np
import pytest

from titian.annotation.simulation import KINDS, simulate


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_draws_votes_of_known_tasks(kind):
    drawn = simulate(kind, np.random.default_rng(1))
    assert drawn.task.max() == len(drawn.truth) - 1
    assert (np.bincount(drawn.task) > 0).all()
    assert drawn.label.max() < drawn.classes
    pairs = drawn.task * (drawn.worker.max() + 1) + drawn.worker
    assert len(np.unique(pairs)) == len(pairs)
    share = (drawn.label == drawn.truth[drawn.task]).mean()
    assert share > 1 / drawn.classes


def test_the_same_seed_draws_the_same_crowd():
    one, two = (simulate("everything", np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.label, two.label)
    np.testing.assert_array_equal(one.worker, two.worker)


def test_colluders_give_their_leaders_answer():
    drawn = simulate("colluders", np.random.default_rng(2))
    given = {(t, w): y for t, w, y in zip(drawn.task, drawn.worker, drawn.label, strict=True)}
    met = [
        (y, given[t, drawn.copies[w]])
        for (t, w), y in given.items()
        if drawn.copies[w] >= 0 and (t, drawn.copies[w]) in given
    ]
    assert met
    assert all(own == copied for own, copied in met)


def test_votes_per_task_can_be_asked_for():
    drawn = simulate("one coin", np.random.default_rng(3), votes_per_task=12)
    assert 10 < len(drawn.task) / len(drawn.truth) < 13
