"""Bootstrap draws of confusion tables, from counts: no case is ever drawn.

Drawing n cases with replacement makes the table of all cells multinomial, so that one draw
costs as much as there are cells, however many cases there are. Where subjects have several
cases, subjects are drawn: those whose tables are alike are interchangeable, so that how often
each kind of subject is drawn is multinomial likewise (Efron, Ann. Stat. 7, 1979, 1-26; Field
and Welsh, JRSS B 69, 2007, 369-390).

Percentiles of these draws are what other tools report. They are offered to compare with, and
hold no verdict: near 0 and 1 they cover too little, and for a gap they lie too high.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from titian.statistics.estimate import Floats, Ints
from titian.validation.disparity.counts import OUTCOMES, Rate

CHUNK_NUMBERS = 4_000_000
"""Numbers drawn at a time: 32 MB."""


def draw_tables(cases: Ints, draws: int, rng: np.random.Generator) -> Iterator[Ints]:
    """Yield chunks of bootstrap tables, shape (some draws, k, 4), `draws` in all.

    Args:
        cases: shape (k, 4), cases by cell and outcome.
        draws: how many.
        rng: where the draws come from.
    """
    flat = cases.ravel()
    n = int(flat.sum())
    there = np.flatnonzero(flat)
    step = max(CHUNK_NUMBERS // max(len(flat), 1), 1)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        tables = np.zeros((size, len(flat)), dtype=np.int64)
        tables[:, there] = rng.multinomial(n, flat[there] / n, size=size)
        yield tables.reshape(size, -1, OUTCOMES)


def draw_clustered(
    cell: Ints, subject: Ints, outcome: Ints, k: int, draws: int, rng: np.random.Generator
) -> Iterator[Ints]:
    """Yield chunks of tables in which subjects are drawn, shape (some draws, k, 4).

    Args:
        cell: shape (n,), each case's cell, below k.
        subject: shape (n,), numbered from 0 without gaps.
        outcome: shape (n,), below 4.
        k: cells.
        draws: how many.
        rng: where the draws come from.
    """
    from scipy.sparse import csr_array

    kinds, weights = subject_kinds(cell * OUTCOMES + outcome, subject)
    table = csr_array(kinds, shape=(len(weights), k * OUTCOMES))
    n = int(weights.sum())
    step = max(CHUNK_NUMBERS // max(len(weights), k * OUTCOMES), 1)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = rng.multinomial(n, weights / n, size=size)
        yield np.asarray(drawn @ table).reshape(size, k, OUTCOMES)


def subject_kinds(place: Ints, subject: Ints) -> tuple[tuple[Ints, tuple[Ints, Ints]], Ints]:
    """Group the subjects by their tables.

    Args:
        place: shape (n,), cell and outcome of each case, as one number.
        subject: shape (n,).

    Returns:
        The kinds' tables as (data, (row, column)), and how many subjects are of each kind.
    """
    width = int(place.max()) + 1
    key, count = np.unique(subject * width + place, return_counts=True)
    owner, column = key // width, key % width
    # A subject's table as one number: a sum of random words, one for each (place, count).
    words = np.random.default_rng(0).integers(0, 2**63, size=(2, width), dtype=np.uint64)
    with np.errstate(over="ignore"):
        own = words[0, column] * count.astype(np.uint64) + words[1, column]
        mixed = (own ^ (own >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    start = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    print_of = np.add.reduceat(mixed, start)
    _, first, weights = np.unique(print_of, return_index=True, return_counts=True)
    length = np.diff(np.append(start, len(owner)))[first]
    row = np.repeat(np.arange(len(first)), length)
    offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    taken = np.repeat(start[first], length) + offset
    return (count[taken], (row, column[taken])), weights


def rates_of(tables: Ints, rate: Rate) -> Floats:
    """Return one rate of every table, shape (draws, k); NaN without a denominator."""
    whole = tables[..., rate.among[0]].astype(np.float64)
    for outcome in rate.among[1:]:
        whole += tables[..., outcome]
    hit = tables[..., rate.success[0]].astype(np.float64)
    for outcome in rate.success[1:]:
        hit += tables[..., outcome]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hit / whole)


def percentiles(
    tables: Iterable[Ints], rates: Mapping[str, Rate], *, alpha: float
) -> Mapping[str, tuple[Floats, Floats]]:
    """Return each rate's percentile interval in each cell, as (lows, highs) of shape (k,).

    Args:
        tables: chunks of tables, from `draw_tables` or `draw_clustered`.
        rates: what to compute.
        alpha: one minus the nominal coverage.

    Returns:
        NaN where no draw has a denominator; draws without one are left out elsewhere.
    """
    drawn: dict[str, list[Floats]] = {name: [] for name in rates}
    for chunk in tables:
        for name, rate in rates.items():
            drawn[name].append(rates_of(chunk, rate))
    return {name: _ends(np.concatenate(chunks), alpha) for name, chunks in drawn.items()}


def _ends(drawn: Floats, alpha: float) -> tuple[Floats, Floats]:
    known = ~np.isnan(drawn)
    if known.all():
        low, high = np.quantile(drawn, (alpha / 2, 1 - alpha / 2), axis=0)
        return low, high
    ends = np.full((2, drawn.shape[1]), np.nan)
    for cell in np.flatnonzero(known.any(axis=0)):
        own = drawn[known[:, cell], cell]
        ends[:, cell] = np.quantile(own, (alpha / 2, 1 - alpha / 2))
    return ends[0], ends[1]
