"""`auto` and adaptive redundancy on simulated crowds of every kind, with a printed seed."""

import numpy as np
import pytest

from titian.annotation import METHODS, Policy, consensus_of, gather
from titian.annotation.adaptive import replay_once
from titian.annotation.simulation import KINDS, simulate

pytestmark = pytest.mark.slow

SEED = 41
PEERS = [m for m in METHODS if m not in ("auto", "tilted", "pooled", "crowdlab")]


def gathered(drawn):
    return gather(
        drawn.task,
        drawn.worker,
        drawn.label,
        tasks=len(drawn.truth),
        classes=drawn.classes,
    )


def test_auto_is_better_on_average_than_any_single_method():
    ours, theirs = [], []
    for number, kind in enumerate(KINDS):
        drawn = simulate(kind, np.random.default_rng([SEED, number]))
        votes = gathered(drawn)
        ours.append(drawn.accuracy(consensus_of(votes).label))
        theirs.append(
            [
                drawn.accuracy(
                    consensus_of(votes, method=m, iterations=15 if m == "glad" else None).label
                )
                for m in PEERS
            ]
        )
    means = dict(zip(PEERS, np.mean(theirs, axis=0), strict=True))
    assert np.mean(ours) > max(means.values()), (SEED, np.mean(ours), means)


def test_confidence_is_calibrated_where_votes_are_independent():
    confidence, right = [], []
    for seed, kind in enumerate(("one coin", "habits", "rare class") * 3):
        drawn = simulate(kind, np.random.default_rng([SEED, seed]))
        found = consensus_of(gathered(drawn))
        confidence.append(found.confidence)
        right.append(found.label == drawn.truth)
    gap = np.concatenate(confidence).mean() - np.concatenate(right).mean()
    assert abs(gap) < 0.03, (SEED, gap)


def test_adaptive_redundancy_saves_labels_on_most_kinds_and_loses_little():
    saved, lost = [], []
    for number, kind in enumerate(KINDS):
        drawn = simulate(kind, np.random.default_rng([SEED, number]), votes_per_task=10.0)
        votes = gathered(drawn)
        fixed = drawn.accuracy(consensus_of(votes).label)
        asked, label = replay_once(votes, Policy(), rng=np.random.default_rng(SEED))
        saved.append(1 - asked / votes.total)
        lost.append(fixed - drawn.accuracy(label))
    assert np.median(saved) > 0.35, (SEED, saved)
    assert np.mean(lost) < 0.008, (SEED, lost)
