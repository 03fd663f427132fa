"""Coverage of the intervals of agreement, by simulation: 95 % is promised, 90 % is broken."""

import numpy as np
import pytest

from titian.annotation.agreement.bootstrap import estimate
from titian.annotation.agreement.coefficients import fleiss, gwet, krippendorff
from titian.annotation.agreement.ratings import tabulate
from titian.annotation.agreement.scale import scale_of

pytestmark = pytest.mark.slow

WORLDS = 300
LEAST = 0.90
# tasks, classes, labels a task, accuracy, skew of the classes, share of labels missing
CROWDS = {
    "few tasks": (30, 3, 3, 0.7, 0.0, 0.0),
    "missing labels": (60, 4, 3, 0.8, 0.7, 0.3),
    "a rare class": (100, 2, 3, 0.9, 2.0, 0.2),
    "nearly perfect": (50, 3, 2, 0.95, 0.5, 0.0),
}
COEFFICIENTS = {"krippendorff": krippendorff, "fleiss": fleiss, "gwet": gwet}


def labels(rng, tasks, classes, per_task, accuracy, skew, missing):
    shares = np.exp(-skew * np.arange(classes))
    shares /= shares.sum()
    truth = rng.choice(classes, tasks, p=shares)
    known = rng.random((per_task, tasks)) < np.clip(rng.normal(accuracy, 0.1, tasks), 0, 1)
    label = np.where(known, truth, rng.choice(classes, (per_task, tasks), p=shares))
    worker, task = np.nonzero(rng.random((per_task, tasks)) >= missing)
    return task, label[worker, task]


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize("name", COEFFICIENTS)
def test_intervals_of_agreement_hold_the_truth(name, crowd):
    tasks, *rest = CROWDS[crowd]
    classes = rest[0]
    scale = scale_of([str(code) for code in range(classes)])

    def prepare(ratings):
        return COEFFICIENTS[name](ratings, scale)

    rng = np.random.default_rng(11)
    large = tabulate(*labels(rng, 200_000, *rest), classes=classes)
    truth = float(prepare(large)(large.times[None])[0])
    held = []
    for _ in range(WORLDS):
        ratings = tabulate(*labels(rng, tasks, *rest), classes=classes)
        found = estimate(ratings, prepare, rng=rng, draws=400)
        if found.intervals:
            held.append(found.intervals[0].low <= truth <= found.intervals[0].high)
    covered = float(np.mean(held))
    assert len(held) > 0.9 * WORLDS
    assert covered >= LEAST - 3 * np.sqrt(LEAST * (1 - LEAST) / WORLDS), covered
