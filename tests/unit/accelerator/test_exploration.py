"""The front is exact: against brute force, with and without pruning, in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.unit.accelerator.models import small

from titian.accelerator.estimate import estimate
from titian.accelerator.exploration.costs import Costing
from titian.accelerator.exploration.front import Sieve, beaten, front_of
from titian.accelerator.exploration.search import Exploration, Limits, explore
from titian.accelerator.exploration.space import Space, design_at, make_space
from titian.accelerator.figures import (
    chiplet_figure,
    front_figure,
    roofline_figure,
    utilization_figure,
)
from titian.accelerator.packaging.quotation import quote
from titian.accelerator.workload.graph import read_workload
from titian.accelerator.workload.layers import Layer, Workload
from titian.errors import InputError

SPACE = Space(
    rows=(2, 8, 16),
    cols=(4, 16),
    sram_kib=(2.0, 64.0),
    splits=((0.4, 0.4, 0.2), (0.1, 0.8, 0.1)),
    bandwidths_gbps=(0.5, 12.8),
    clocks_mhz=(200.0, 800.0),
    nodes=("40nm", "28nm", "7nm"),
    chiplets=(1, 3),
)
WORK = Workload(
    name="w",
    layers=(
        Layer(name="a", operator="Conv", m=400, k=27, n=16, inputs=3 * 22 * 22, weights=432),
        Layer(name="b", operator="Conv", m=400, k=9, n=1, repeat=16, inputs=6400, weights=144),
        Layer(name="c", operator="Gemm", m=1, k=1600, n=10, inputs=1600, weights=16000),
    ),
)
WORK = Workload(name="w", layers=(*WORK.layers, WORK.layers[1]))


def brute_force(points: np.ndarray) -> set[tuple[float, ...]]:
    no_worse = np.all(points[:, None] <= points[None], axis=2)
    better = np.any(points[:, None] < points[None], axis=2)
    return set(map(tuple, points[~np.any(no_worse & better, axis=0)].tolist()))


def objectives(found: Exploration) -> set[tuple[float, ...]]:
    return {(c.latency_ms, c.energy_mj, c.price_usd) for c in found.front}


def all_points(space: Space, work: Workload) -> np.ndarray:
    costing = Costing(work, space)
    rows = []
    for block in space.blocks:
        costs = costing.costs(block)
        stacked = np.stack(
            [x.reshape(-1) for x in (costs.latency_ms, costs.energy_mj, costs.price_usd)], 1
        )
        rows.append(stacked[np.isfinite(stacked[:, 2])])
    return np.concatenate(rows)


@given(
    points=arrays(
        np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.integers(0, 6)
    )
)
def test_the_front_is_what_brute_force_finds(points: np.ndarray) -> None:
    kept = front_of(points)
    assert set(map(tuple, points[kept].tolist())) == brute_force(points)
    assert len(kept) == len(brute_force(points))


@given(
    front=arrays(
        np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.integers(0, 9)
    ),
    points=arrays(
        np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.integers(0, 9)
    ),
)
def test_a_sieve_drops_only_what_the_front_beats(front: np.ndarray, points: np.ndarray) -> None:
    passing = Sieve.of(front).passes(points[:, 0], points[:, 1], points[:, 2])
    for point, passes in zip(points, passing, strict=True):
        assert passes or beaten(point, front)


@given(
    front=arrays(np.float64, (5, 3), elements=st.integers(0, 5)),
    bound=arrays(np.float64, (3,), elements=st.integers(0, 5)),
    above=arrays(np.float64, (3,), elements=st.integers(0, 3)),
)
def test_what_beats_a_bound_beats_all_above_it(
    front: np.ndarray, bound: np.ndarray, above: np.ndarray
) -> None:
    if beaten(bound, front):
        assert beaten(bound + above, front)


@pytest.mark.parametrize("machine", ["titian", "scalesim"])
def test_each_design_costs_what_its_estimate_says(tmp_path: Path, machine: str) -> None:
    from dataclasses import replace

    work = read_workload(small(tmp_path))
    for lanes in (0, 4):
        space = replace(SPACE, machine=machine, depthwise_lanes=lanes)
        costing = Costing(work, space)
        generator = np.random.default_rng(7)
        for block in [block for block in space.blocks if block.chiplets == 1]:
            costs = costing.costs(block)
            for flat in generator.integers(0, np.prod(space.shape), 4):
                place = tuple(int(x) for x in np.unravel_index(flat, space.shape))
                found = estimate(work, design_at(space, block, place))
                assert costs.latency_ms[place] == pytest.approx(found.latency_ms, rel=1e-12)
                assert costs.energy_mj[place] == pytest.approx(found.energy_mj, rel=1e-9)
                assert costs.area_mm2[place] == pytest.approx(found.area_mm2, rel=1e-12)
                if np.isfinite(costs.price_usd[place]):
                    price = quote(found.design.node, found.area_mm2).assembly.packaged_usd
                    assert costs.price_usd[place] == pytest.approx(float(price), rel=1e-12)


def test_no_design_undercuts_its_bound() -> None:
    costing = Costing(WORK, SPACE)
    for block in SPACE.blocks:
        bounds, costs = costing.bounds(block), costing.costs(block)
        for node in range(len(SPACE.nodes)):
            made = np.isfinite(costs.price_usd[..., node])
            assert costs.latency_ms[..., node][made].min() >= bounds[node, 0]
            assert costs.energy_mj[..., node][made].min() >= bounds[node, 1]
            assert costs.price_usd[..., node][made].min() >= bounds[node, 2]


def test_exploration_finds_the_front_with_and_without_pruning() -> None:
    expected = brute_force(all_points(SPACE, WORK))
    plain, pruned = explore(WORK, SPACE, prune=False), explore(WORK, SPACE)
    assert objectives(plain) == expected
    assert pruned.front == plain.front
    assert plain.costed == plain.points == SPACE.points
    assert pruned.costed <= plain.costed
    assert len(plain.front) == len(expected)


def test_pruning_rules_blocks_out_where_it_can() -> None:
    from dataclasses import replace

    # Huge arrays cost more and are no faster on a tiny layer: bounds tell so.
    space = replace(SPACE, rows=(2, 256), cols=(4, 256), chiplets=(1,), nodes=("28nm",))
    tiny = Workload(name="t", layers=(replace(WORK.layers[2], k=2, n=2, inputs=2, weights=4),))
    pruned = explore(tiny, space)
    assert pruned.costed < pruned.points
    assert pruned.front == explore(tiny, space, prune=False).front


def test_workers_find_the_same_front() -> None:
    assert explore(WORK, SPACE, workers=2).front == explore(WORK, SPACE).front


@settings(max_examples=10, deadline=None)
@given(area=st.floats(0.5, 20), power=st.floats(0.01, 2), latency=st.floats(0.01, 5))
def test_limits_are_kept_and_the_front_within_them_is_exact(
    area: float, power: float, latency: float
) -> None:
    limits = Limits(area_mm2=area, power_w=power, latency_ms=latency)
    costing, rows = Costing(WORK, SPACE), []
    for block in SPACE.blocks:
        costs = costing.costs(block)
        stacked = np.stack(
            [x.reshape(-1) for x in (costs.latency_ms, costs.energy_mj, costs.price_usd)], 1
        )
        able = np.isfinite(stacked[:, 2]) & (costs.area_mm2.reshape(-1) <= area)
        able &= (stacked[:, 0] <= latency) & (stacked[:, 1] <= power * stacked[:, 0])
        rows.append(stacked[able])
    points = np.concatenate(rows)
    if not len(points):
        with pytest.raises(InputError, match="T-C025"):
            explore(WORK, SPACE, limits)
        return
    assert objectives(explore(WORK, SPACE, limits)) == brute_force(points)


def test_more_dies_are_never_slower_without_stalls() -> None:
    from dataclasses import replace

    space = replace(SPACE, bandwidths_gbps=(1e9,), chiplets=(1, 2, 4))
    costing = Costing(WORK, space)
    by_dies: dict[int, list[float]] = {}
    for block in space.blocks:
        by_dies.setdefault(block.chiplets, []).append(costing.bounds(block)[2, 0])
    assert all(a >= b for a, b in zip(by_dies[1], by_dies[2], strict=True))
    assert all(a >= b for a, b in zip(by_dies[2], by_dies[4], strict=True))


def test_limits_that_nothing_keeps_are_told() -> None:
    with pytest.raises(InputError) as caught:
        explore(WORK, SPACE, Limits(latency_ms=1e-9))
    assert str(caught.value) == (
        "T-C025: no design of the grid keeps the limits (latency (ms) 1e-09). Loosen a limit, "
        "or name a finer node."
    )


def test_limits_that_are_no_bounds_are_refused_together() -> None:
    with pytest.raises(InputError) as caught:
        explore(WORK, SPACE, Limits(area_mm2=-1, power_w=0, latency_ms=float("nan")))
    assert str(caught.value) == (
        "T-C024: max-area is -1; a limit is a finite number above 0. Give another number, or "
        "leave it out.\n"
        "T-C024: max-power is 0; a limit is a finite number above 0. Give another number, or "
        "leave it out.\n"
        "T-C024: max-latency-ms is nan; a limit is a finite number above 0. Give another "
        "number, or leave it out."
    )


def test_nodes_that_cannot_be_explored_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        make_space(nodes=("45nm", "7"), integration="glue")
    assert str(caught.value) == (
        "T-C023: node '45nm' cannot be explored; 3nm, 5nm, 7nm, 10nm, 14nm, 20nm, 28nm, 40nm, "
        "55nm can. Name one of these.\n"
        "T-C004: integration 'glue' is unknown; mcm, fanout, interposer exist. Name one of "
        "them."
    )


def test_the_usual_grid_holds_over_ten_million_designs() -> None:
    assert make_space().points >= 10_000_000


def test_pictures_show_the_front_and_a_design() -> None:
    found = explore(WORK, SPACE)
    best = found.front[0]
    one = estimate(WORK, best.design)
    assert sum(len(series.x) for series in front_figure(found).series) == len(found.front)
    assert len(utilization_figure(one).values[0]) == 4
    roof = roofline_figure(one)
    assert [series.label for series in roof.series] == ["roof: memory, then array", "layers"]
    # No dot lies above the roof: what it does not use of the array or the memory it lacks.
    slope = np.log10(best.design.bandwidth_gbps)
    flat = np.log10(2 * best.design.units * best.design.clock_mhz / 1e3)
    for x, y in zip(roof.series[1].x, roof.series[1].y, strict=True):
        assert y is not None
        assert y <= min(x + slope, flat) + 1e-3
    costs = chiplet_figure(quote("5nm", 1600, chiplets=4))
    assert costs.series[0].y[0] is None
    assert costs.series[0].y[3] == pytest.approx(
        float(quote("5nm", 1600, chiplets=4).assembly.packaged_usd), abs=0.01
    )
