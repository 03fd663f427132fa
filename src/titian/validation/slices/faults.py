"""A slice planted where nobody named one: proof that the search can find it.

All cases of one conjunction of two conditions are made wrong. The search must then report a
slice that is that conjunction or nearly the same cases.
Where the run's own cases hold no conjunction large enough to be sure of, the slice is planted
in simulated cases, and the control says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from titian.validation.slices.feature import Feature
from titian.validation.slices.findings import SLICE
from titian.validation.slices.lattice import grid_of
from titian.validation.slices.merge import SAME_CASES
from titian.validation.slices.report import find_slices
from titian.validation.slices.score import Floats
from titian.values import Control

SIMULATED_CASES = 2_000
LEVEL = 0.005
"""What 199 permutations can show, and the control's false-alarm rate."""

ENOUGH_INSIDE = 50
"""Cases that the planted slice must have to stand out at `LEVEL` for sure."""

MOST_ERRORS = 0.2
"""A model that is wrong more often leaves too little room for a slice to be worse."""


def slice_controls(
    features: Sequence[Feature], error: Floats, *, rng: np.random.Generator
) -> tuple[Control, ...]:
    """Plant a slice and let the search look for it.

    Args:
        features: of the run's n cases.
        error: shape (n,), 0 or 1.
        rng: where the planted errors and the permutations come from.
    """
    place = _plantable(features, error)
    where = "in the run's cases"
    if place is None:
        features, error = simulate(rng)
        place, where = ((0, 1), (3, 2)), f"in {SIMULATED_CASES} simulated cases"
    planted, inside = plant_slice(features, error, place, rng=rng, rate=1.0)
    report = find_slices(features, planted, rng=rng, level=2, alpha=LEVEL)
    name = " & ".join(f"{features[f].name}={features[f].values[c]}" for f, c in place)
    told = [
        each
        for group in report.significant
        for each in (group.slice, *(member.slice for member in group.folded))
        if each.p_value is not None and each.p_value <= LEVEL
    ]
    found = [each.name for each in told if _same(features, dict(each.conditions), inside)]
    return (
        Control(
            check=SLICE,
            fault=f"every case of {name} made wrong ({where})",
            found=bool(found),
            detail=f"{len(report.significant)} slices at p <= {LEVEL:g}"
            + (f", {found[0]} among them" if found else ""),
            false_alarm_rate=LEVEL,
        ),
    )


def plant_slice(
    features: Sequence[Feature],
    error: Floats,
    conditions: Sequence[tuple[int, int]],
    *,
    rng: np.random.Generator,
    rate: float = 0.5,
) -> tuple[Floats, np.ndarray]:
    """Make cases of one conjunction wrong with probability `rate`.

    Returns:
        The errors, and which cases the slice holds.
    """
    inside = np.ones(len(error), dtype=np.bool_)
    for place, code in conditions:
        inside &= features[place].code == code
    wrong = inside & (rng.random(len(error)) < rate)
    return np.where(wrong, np.maximum(error, 1.0), error), inside


def simulate(
    rng: np.random.Generator, *, n: int = SIMULATED_CASES, columns: int = 5, rate: float = 0.1
) -> tuple[list[Feature], Floats]:
    """Draw columns of four equal groups, and errors that know nothing of them."""
    features = [
        Feature(
            name=f"column {place}",
            code=rng.integers(0, 4, n).astype(np.uint8),
            values=("a", "b", "c", "d"),
        )
        for place in range(columns)
    ]
    return features, (rng.random(n) < rate).astype(np.float64)


def _plantable(
    features: Sequence[Feature], error: Floats
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the conjunction of two conditions nearest to 5 % of the cases, if one will do.

    It holds neither nearly all cases of one of its conditions, nor so many of all that the
    rest is too small to compare with.
    """
    n = len(error)
    if len(features) < 2 or float(error.mean()) > MOST_ERRORS:
        return None
    best, nearest = None, np.inf
    grid = grid_of(features, ENOUGH_INSIDE)
    for one in range(len(features)):
        for two in range(one + 1, len(features)):
            stride = len(grid.value[two]) + 1
            joint = grid.code[one].astype(np.int64) * stride + grid.code[two]
            table = np.bincount(joint, minlength=(len(grid.value[one]) + 1) * stride)
            table = table.reshape(-1, stride)
            for row, column in np.argwhere(table >= ENOUGH_INSIDE).tolist():
                size = int(table[row, column])
                alone = size < SAME_CASES * min(table[row].sum(), table[:, column].sum())
                far = abs(size - 0.05 * n)
                if row and column and alone and size < n / 4 and far < nearest:
                    conditions = (
                        (one, int(grid.value[one][row - 1])),
                        (two, int(grid.value[two][column - 1])),
                    )
                    best, nearest = conditions, far
    return best


def _same(features: Sequence[Feature], told: dict[str, str], inside: np.ndarray) -> bool:
    mask = np.ones(len(inside), dtype=np.bool_)
    for feature in features:
        if feature.name in told:
            mask &= feature.code == feature.values.index(told[feature.name])
    return bool((mask & inside).sum() >= SAME_CASES * (mask | inside).sum())
