"""The exact Pareto front of a space: latency, energy and price, within stated limits.

Pruning. A block of designs is left out for a node when a design found so far beats the
block's lower bound (`Costing.bounds`): it then beats every design in it (`front.beaten`). A
design found so far keeps its place or is itself beaten by another, which then beats the block
too, since being beaten is transitive; so what is left out is never part of the front, and the
front does not depend on the order of blocks. Limits are checked before a design may beat
anything, so that a forbidden design rules out nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from titian.accelerator.design import Design
from titian.accelerator.exploration.costs import Costing
from titian.accelerator.exploration.front import Sieve, beaten, front_of
from titian.accelerator.exploration.space import Block, Space, design_at
from titian.accelerator.workload.layers import Workload
from titian.errors import InputError, Problem

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Progress: TypeAlias = Callable[[int, int], None]

MERGE_AT: Final = 64
"""Fewest candidates that are sifted exactly; four times the front where that is more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that a design must keep; None is no bound."""

    area_mm2: float | None = None
    power_w: float | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A design that nothing beats.

    Attributes:
        design: one die.
        chiplets: dies a system.
        latency_ms: of one call.
        energy_mj: of one call.
        price_usd: of one packaged system.
        area_mm2: of all dies.
        bandwidth_gbps: of the system.
    """

    design: Design
    chiplets: int
    latency_ms: float
    energy_mj: float
    price_usd: float
    area_mm2: float
    bandwidth_gbps: float

    @property
    def power_w(self) -> float:
        """Average while it computes."""
        return self.energy_mj / self.latency_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """The front and how it was found.

    Attributes:
        front: by latency.
        points: designs of the space whose node reaches their clock.
        costed: designs whose costs were computed; the others were ruled out by bounds.
        feasible: costed designs within the limits that can be made.
        space: the grid.
        limits: what bounded it.
    """

    front: tuple[Choice, ...]
    points: int
    costed: int
    feasible: int
    space: Space
    limits: Limits


def check_limits(limits: Limits) -> None:
    """Refuse limits that are no bounds.

    Raises:
        InputError: T-C024, all found together.
    """
    problems = [
        Problem(
            code="T-C024",
            message=f"{name} is {value:g}; a limit is a finite number above 0.",
            remedy="Give another number, or leave it out.",
        )
        for name, value in (
            ("max-area", limits.area_mm2),
            ("max-power", limits.power_w),
            ("max-latency-ms", limits.latency_ms),
        )
        if value is not None and not 0 < value < math.inf
    ]
    if problems:
        raise InputError(*problems)


def explore(
    workload: Workload,
    space: Space,
    limits: Limits | None = None,
    *,
    prune: bool = True,
    workers: int = 1,
    progress: Progress | None = None,
) -> Exploration:
    """Return the designs of a space that no other beats.

    Args:
        workload: what is computed.
        space: the grid.
        limits: bounds on area, average power and latency.
        prune: leave out blocks whose bound is beaten; the front is the same without.
        workers: processes; the front is the same with any number.
        progress: called with blocks done and blocks in all.

    Raises:
        InputError: T-C024 a limit is no bound; T-C025 no design keeps the limits.
    """
    limits = limits or Limits()
    check_limits(limits)
    blocks = space.blocks
    if workers > 1:
        found = _in_parallel(workload, space, limits, prune=prune, workers=workers)
        if progress:
            progress(len(blocks), len(blocks))
    else:
        found = _search(
            workload, space, limits, tuple(range(len(blocks))), prune=prune, progress=progress
        )
    if not len(found.points):
        raise InputError(_nothing(limits))
    return Exploration(
        front=tuple(_choice(space, blocks, found, row) for row in range(len(found.points))),
        points=space.points,
        costed=found.costed,
        feasible=found.feasible,
        space=space,
        limits=limits,
    )


@dataclass(slots=True, kw_only=True)
class _Found:
    """Points that may belong to the front: objectives, area, block and place in it."""

    points: Floats
    areas: Floats
    places: Integers
    costed: int = 0
    feasible: int = 0

    @staticmethod
    def empty() -> _Found:
        return _Found(
            points=np.empty((0, 3)), areas=np.empty(0), places=np.empty((0, 2), np.int64)
        )

    def take(self, rows: Integers) -> _Found:
        return _Found(
            points=self.points[rows],
            areas=self.areas[rows],
            places=self.places[rows],
            costed=self.costed,
            feasible=self.feasible,
        )


def _join(parts: list[_Found]) -> _Found:
    return _Found(
        points=np.concatenate([part.points for part in parts]),
        areas=np.concatenate([part.areas for part in parts]),
        places=np.concatenate([part.places for part in parts]),
        costed=sum(part.costed for part in parts),
        feasible=sum(part.feasible for part in parts),
    )


def _sift(parts: list[_Found]) -> _Found:
    # The lower block and place first, so that of equals the same one stays in any order.
    joined = _join(parts)
    joined = joined.take(np.lexsort((joined.places[:, 1], joined.places[:, 0])))
    return joined.take(front_of(joined.points))


def _search(
    workload: Workload,
    space: Space,
    limits: Limits,
    places: tuple[int, ...],
    *,
    prune: bool,
    progress: Progress | None,
) -> _Found:
    costing = Costing(workload, space)
    blocks = space.blocks
    front, sieve = _Found.empty(), None
    waiting: list[_Found] = []
    held = 0
    for done, place in enumerate(places, start=1):
        block = blocks[place]
        bounds = costing.bounds(block)
        wanted = np.array(
            [
                bool(np.all(np.isfinite(row)))
                and (limits.latency_ms is None or row[0] <= limits.latency_ms)
                and not (prune and beaten(row, front.points))
                for row in bounds
            ]
        )
        if wanted.any():
            part = _block(costing, block, place, limits, wanted, sieve)
            waiting.append(part)
            held += len(part.points)
        if held > max(MERGE_AT, 4 * len(front.points)):
            front = _sift([front, *waiting])
            sieve = Sieve.of(front.points)
            waiting, held = [], 0
        if progress:
            progress(done, len(places))
    return _sift([front, *waiting])


def _block(
    costing: Costing,
    block: Block,
    place: int,
    limits: Limits,
    wanted: npt.NDArray[np.bool_],
    sieve: Sieve | None,
) -> _Found:
    costs = costing.costs(block)
    able = np.isfinite(costs.price_usd) & wanted
    costed = math.prod(costing.space.shape[:3]) * int(costing.reached[:, wanted].sum())
    if limits.area_mm2 is not None:
        able &= costs.area_mm2 <= limits.area_mm2
    if limits.latency_ms is not None:
        able &= costs.latency_ms <= limits.latency_ms
    if limits.power_w is not None:
        able &= costs.energy_mj <= limits.power_w * costs.latency_ms
    flat = np.flatnonzero(able)
    latency, energy, price, area = (
        np.ascontiguousarray(values).reshape(-1)[flat]
        for values in (costs.latency_ms, costs.energy_mj, costs.price_usd, costs.area_mm2)
    )
    feasible = len(flat)
    if sieve is not None:
        passing = np.flatnonzero(sieve.passes(latency, energy, price))
        latency, energy, price = latency[passing], energy[passing], price[passing]
        area, flat = area[passing], flat[passing]
    points = np.stack([latency, energy, price], axis=1)
    return _Found(
        points=points,
        areas=area,
        places=np.stack([np.full(len(flat), place, dtype=np.int64), flat], axis=1),
        costed=costed,
        feasible=feasible,
    )


def _in_parallel(
    workload: Workload, space: Space, limits: Limits, *, prune: bool, workers: int
) -> _Found:
    from joblib import Parallel, delayed

    count = len(space.blocks)
    # Dealt out in turn: neighbours cost alike, so that each worker gets as much.
    parts = Parallel(n_jobs=workers)(
        delayed(_search)(
            workload,
            space,
            limits,
            tuple(range(first, count, workers)),
            prune=prune,
            progress=None,
        )
        for first in range(min(workers, count))
    )
    return _sift(list(parts))


def _choice(space: Space, blocks: tuple[Block, ...], found: _Found, row: int) -> Choice:
    block = blocks[int(found.places[row, 0])]
    place = tuple(int(x) for x in np.unravel_index(int(found.places[row, 1]), space.shape))
    latency, energy, price = (float(value) for value in found.points[row])
    return Choice(
        design=design_at(space, block, place),
        chiplets=block.chiplets,
        latency_ms=latency,
        energy_mj=energy,
        price_usd=price,
        area_mm2=float(found.areas[row]),
        bandwidth_gbps=space.bandwidths_gbps[place[2]],
    )


def _nothing(limits: Limits) -> Problem:
    stated = ", ".join(
        f"{name} {value:g}"
        for name, value in (
            ("area (mm2)", limits.area_mm2),
            ("power (W)", limits.power_w),
            ("latency (ms)", limits.latency_ms),
        )
        if value is not None
    )
    return Problem(
        code="T-C025",
        message=f"no design of the grid keeps the limits ({stated or 'none stated'}).",
        remedy="Loosen a limit, or name a finer node.",
    )
