import numpy as np
import pytest

from titian.annotation.consensus.auto import WHOLLY, blend
from titian.annotation.consensus.tilted import Shape, tilted
from titian.annotation.consensus.votes import gather
from titian.annotation.simulation import simulate


def votes_of(kind, seed):
    drawn = simulate(kind, np.random.default_rng(seed))
    return drawn, gather(
        drawn.task,
        drawn.worker,
        drawn.label,
        tasks=len(drawn.truth),
        classes=drawn.classes,
    )


def test_a_neutral_fit_leaves_no_class_favoured_by_all():
    _, votes = votes_of("biased crowd", 4)
    gaps = []
    for neutrality in (0.0, 1.0):
        found = tilted(votes, shape=Shape(neutrality=neutrality))
        share = votes.per_worker() / votes.total
        gaps.append(float(np.ptp(share @ found.right)))
    assert gaps[1] < gaps[0] / 2, gaps


def test_one_way_errors_shift_weight_to_the_neutral_fit():
    drawn, votes = votes_of("one way", [78, 45])
    found = blend(votes)
    assert "tables favour no class as a whole" in found.why
    label = found.fit.posterior.argmax(axis=1)
    tables = tilted(votes).fit.posterior.argmax(axis=1)
    assert drawn.accuracy(label) > drawn.accuracy(tables) + 0.03


def test_dependent_votes_are_flattened_and_their_figure_is_named():
    _, votes = votes_of("lures", 3)
    found = blend(votes)
    assert found.dispersion > WHOLLY
    assert f"{found.dispersion:.2f} times" in found.why
    assert "the posterior is flattened" in found.why
    even = tilted(votes, shape=Shape(vote_weight=0.85, symmetry=1.0)).fit.posterior
    assert found.fit.posterior.max(axis=1).mean() < even.max(axis=1).mean()


@pytest.mark.parametrize("kind", ["one coin", "one way", "lures"])
def test_a_posterior_sums_to_one(kind):
    _, votes = votes_of(kind, 2)
    np.testing.assert_allclose(blend(votes).fit.posterior.sum(axis=1), 1.0)
