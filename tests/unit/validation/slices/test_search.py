"""The search gives what counting every slice gives, and its bounds hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.validation.slices.brute import brute_force, every_slice, g_by_hand

from titian.validation.slices.feature import Feature
from titian.validation.slices.lattice import grid_of
from titian.validation.slices.score import Evidence, SliceLine, Total
from titian.validation.slices.search import search

SCORES = (Evidence(), SliceLine(weight=0.6), SliceLine(weight=0.95), SliceLine(weight=1.0))


def total_of(error):
    binary = bool(np.isin(error, (0.0, 1.0)).all())
    return Total(
        n=len(error), error=float(error.sum()), spread=float(error.var()), binary=binary
    )


@st.composite
def tables(draw):
    """Draw features and errors, among them copies of a feature, rare values and ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, d = draw(st.integers(4, 120)), draw(st.integers(1, 5))
    features = []
    for place in range(d):
        values = draw(st.integers(1, 4))
        code = np.minimum(rng.geometric(0.5, n) - 1, values - 1).astype(np.uint8)
        if place and draw(st.booleans()):
            before = features[draw(st.integers(0, place - 1))]
            code, values = before.code.copy(), len(before.values)
        names = tuple(str(value) for value in range(values))
        features.append(Feature(name=f"f{place}", code=code, values=names))
    kind = draw(st.sampled_from(("binary", "loss", "coarse", "rare")))
    if kind == "binary":
        error = (rng.random(n) < draw(st.floats(0.05, 0.95))).astype(float)
    elif kind == "rare":
        error = np.zeros(n)
    elif kind == "coarse":
        error = rng.integers(0, 4, n) / 2
    else:
        error = rng.exponential(size=n)
    error[rng.integers(n)] = 1.0
    return features, error


@settings(max_examples=150, deadline=None)
@given(
    tables(),
    st.sampled_from(SCORES),
    st.integers(1, 4),
    st.integers(1, 20),
    st.integers(1, 12),
)
def test_the_search_finds_the_slices_that_counting_each_finds(drawn, score, level, least, top):
    features, error = drawn
    least = min(least, len(error))
    total = total_of(error)
    found = search(
        grid_of(features, least), error, total, score=score, level=level, least=least, top=top
    )
    told = brute_force(features, error, total, score=score, level=level, least=least, top=top)
    assert [item.conditions for item in found.slices] == [item.conditions for item in told]
    for ours, theirs in zip(found.slices, told, strict=True):
        assert ours.size == theirs.size
        assert ours.error == pytest.approx(theirs.error, abs=1e-9)
        assert ours.score == pytest.approx(theirs.score, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(tables(), st.sampled_from(SCORES), st.integers(1, 10))
def test_no_slice_exceeds_the_bound_of_one_around_it(drawn, score, least):
    features, error = drawn
    total = total_of(error)
    known = list(every_slice(features, error, level=3, least=least))
    for conditions, mask in known:
        outer = set(conditions)
        bound = float(
            score.bound(
                np.array([float(mask.sum())]),
                np.array([error[mask].sum()]),
                np.array([error[mask].max()]),
                least,
                total,
            )[0]
        )
        for inner, inside in known:
            if outer <= set(inner):
                size, wrong = np.array([float(inside.sum())]), np.array([error[inside].sum()])
                assert float(score.of(size, wrong, total)[0]) <= bound + 1e-9


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 60), st.data())
def test_the_bound_holds_for_every_size_and_sum_inside(n, data):
    errors = data.draw(st.integers(1, n - 1))
    size = data.draw(st.integers(1, n))
    wrong = data.draw(st.integers(max(0, size + errors - n), min(size, errors)))
    least = data.draw(st.integers(1, size))
    mean = errors / n
    total = Total(n=n, error=float(errors), spread=mean * (1 - mean), binary=True)
    for score in (*SCORES, Evidence()):
        for binary in (True, False):
            chosen = Total(n=n, error=total.error, spread=total.spread, binary=binary)
            one = np.ones(1)
            bound = float(score.bound(one * size, one * wrong, one, least, chosen)[0])
            for inner in range(least, size + 1):
                for fewer in range(max(0, wrong - (size - inner)), min(wrong, inner) + 1):
                    value = float(score.of(one * inner, one * fewer, chosen)[0])
                    assert value <= max(bound, 0.0) + 1e-9


def test_evidence_is_the_signed_root_of_g():
    total = Total(n=100, error=20.0, spread=0.16, binary=True)
    size, wrong = np.array([30.0, 30.0]), np.array([12.0, 2.0])
    worse, better = Evidence().of(size, wrong, total)
    assert worse == pytest.approx(math.sqrt(g_by_hand(30, 12, 100, 20)))
    assert better == pytest.approx(-math.sqrt(g_by_hand(30, 2, 100, 20)))


def test_evidence_of_a_loss_is_its_standardised_sum():
    error = np.array([0.5, 1.5, 0.25, 0.75, 2.0])
    total = total_of(error)
    # The first two cases: the variance of a sum of 2 of 5 drawn without replacement.
    spread = error.var() * 2 * 3 / 4
    expected = (2.0 - 2 * error.mean()) / math.sqrt(spread)
    assert Evidence().of(np.array([2.0]), np.array([2.0]), total)[0] == pytest.approx(expected)


def test_sliceline_is_the_paper_s_score():
    total = Total(n=100, error=20.0, spread=0.16, binary=True)
    found = SliceLine(weight=0.6).of(np.array([25.0]), np.array([10.0]), total)[0]
    assert found == pytest.approx(0.6 * (0.4 / 0.2 - 1) - 0.4 * (100 / 25 - 1))


def test_the_bound_skips_tables_that_cannot_matter():
    rng = np.random.default_rng(3)
    code = rng.integers(0, 4, (8, 20_000)).astype(np.uint8)
    worse = (code[0] == 1) & (code[1] == 2)
    error = (rng.random(20_000) < np.where(worse, 0.8, 0.05)).astype(float)
    features = [
        Feature(name=str(place), code=row, values=("a", "b", "c", "d"))
        for place, row in enumerate(code)
    ]
    found = search(
        grid_of(features, 200),
        error,
        total_of(error),
        score=SliceLine(weight=0.95),
        level=3,
        least=200,
        top=1,
    )
    assert found.slices[0].conditions == ((0, 1), (1, 2))
    assert found.sets == 8 + 28 + 56
    assert found.tables == 8 + 28, "no set of three features was counted"
