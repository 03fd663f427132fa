"""Error rates of the sequential test, by simulation."""

import numpy as np
import pytest

from titian.annotation.qualification import watch

WORKERS = 2_000
ANSWERS = 300


def stops(accuracy, *, good, false_alarm, seed, drift=False, workers=WORKERS):
    """The answers after which simulated workers are stopped, 0 where they are not."""
    rng = np.random.default_rng(seed)
    right = rng.random((workers, ANSWERS)) < accuracy
    worker = np.repeat(np.arange(workers), ANSWERS)
    found = watch(worker, right.ravel(), good=good, false_alarm=false_alarm, drift=drift)
    return found.stopped_at


@pytest.mark.parametrize("good", [0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("false_alarm", [0.01, 0.05])
def test_good_workers_are_stopped_no_more_often_than_stated(good, false_alarm):
    stopped = (stops(good, good=good, false_alarm=false_alarm, seed=1) > 0).mean()
    assert stopped <= false_alarm + 3 * np.sqrt(false_alarm / WORKERS)
    better = (stops(good + 0.03, good=good, false_alarm=false_alarm, seed=2) > 0).mean()
    assert better <= stopped


def test_failing_workers_are_stopped_soon():
    # With hidden gold at 90 % and one false alarm in a hundred.
    for accuracy, most in ((0.7, 50), (0.5, 15), (0.25, 8)):
        stopped = stops(accuracy, good=0.9, false_alarm=0.01, seed=3)
        assert (stopped > 0).mean() > 0.99
        assert np.median(stopped) <= most


def test_the_mean_way_to_a_false_alarm_of_drift_is_as_long_as_stated():
    # One in a hundred answers: runs are cut at ANSWERS, which only shortens their mean.
    stopped = stops(0.9, good=0.9, false_alarm=0.01, seed=4, drift=True, workers=200)
    assert np.where(stopped > 0, stopped, ANSWERS).mean() >= 100


def test_a_test_that_ignores_looking_often_would_be_seen():
    # The same data, judged by a 5 % binomial test after every answer from the tenth on.
    from scipy.stats import binom

    rng = np.random.default_rng(5)
    right = (rng.random((WORKERS, ANSWERS)) < 0.9).cumsum(axis=1)
    n = np.arange(1, ANSWERS + 1)
    looks = binom.cdf(right[:, 9:], n[9:], 0.9) <= 0.05
    assert looks.any(axis=1).mean() > 0.10
