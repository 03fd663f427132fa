"""Closed forms against walks through the tiles, and against SCALE-Sim's reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from titian.accelerator.timing import DATAFLOWS, cycles, folds, scalesim_cycles

REPORTED = Path(__file__).with_name("scalesim_3_0_0.csv")
"""Cycles that SCALE-Sim reported; ``benchmarks/accelerator_cost.py`` asks it again."""


def test_cycles_are_those_that_scalesim_reported() -> None:
    lines = REPORTED.read_text().splitlines()[2:]
    assert len(lines) >= 40
    for line in lines:
        height, width, fh, fw, channels, filters, stride, *reported = map(int, line.split(","))
        m = int(folds(height - fh + stride, stride) * folds(width - fw + stride, stride))
        found = [
            int(scalesim_cycles(m, fh * fw * channels, filters, rows=128, cols=128, dataflow=x))
            for x in DATAFLOWS
        ]
        assert found == reported, line


@given(
    m=st.integers(1, 40),
    k=st.integers(1, 40),
    n=st.integers(1, 40),
    rows=st.integers(1, 9),
    cols=st.integers(1, 9),
)
def test_a_walk_through_the_tiles_takes_the_closed_form(
    m: int, k: int, n: int, rows: int, cols: int
) -> None:
    def walk(first: int, second: int, tile: int) -> int:
        took = 0
        for _ in range(0, first, rows):
            for _ in range(0, second, cols):
                took += tile
        return took - 1

    found = {
        flow: int(scalesim_cycles(m, k, n, rows=rows, cols=cols, dataflow=flow))
        for flow in DATAFLOWS
    }
    assert found == {
        "os": walk(m, n, k + rows + cols - 2),
        "ws": walk(k, n, m + 2 * rows + cols - 2),
        "is": walk(k, m, n + 2 * rows + cols - 2),
    }


@given(
    size=st.tuples(*[st.integers(1, 3000)] * 3),
    rows=st.integers(1, 64),
    cols=st.integers(1, 64),
    flow=st.sampled_from(DATAFLOWS),
)
def test_our_arrays_do_no_more_than_one_product_a_unit_and_cycle(
    size: tuple[int, int, int], rows: int, cols: int, flow: str
) -> None:
    m, k, n = size
    took = int(cycles(m, k, n, rows=rows, cols=cols, dataflow=flow, machine="titian"))
    assert m * k * n <= took * rows * cols


def test_arrays_of_layers_agree_with_single_layers() -> None:
    m, k, n = np.array([5, 700]), np.array([9, 27]), np.array([1, 64])
    for flow in DATAFLOWS:
        found = cycles(m, k, n, rows=8, cols=4, dataflow=flow)
        assert found.tolist() == [
            int(cycles(int(a), int(b), int(c), rows=8, cols=4, dataflow=flow))
            for a, b, c in zip(m, k, n, strict=True)
        ]
