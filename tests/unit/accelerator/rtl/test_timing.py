"""The closed form, worked by hand; the circuit itself is held to it in test_machine."""

from __future__ import annotations

from titian.accelerator.rtl.timing import Extent, fold_slots, idle_slots, layer_cycles


def test_a_product_bound_by_its_slots() -> None:
    # 14 x 14 pixels, 5 x 5 places, 8 channels and 16 filters on 8 x 8.
    extent = Extent(pixels=196, kernel=25, groups=1, folds=2, pool=False)
    assert fold_slots(extent, rows=8, cols=8) == 200
    assert idle_slots(extent, rows=8, cols=8) == 0
    assert layer_cycles(extent, rows=8, cols=8) == 42 + 49 * 200 + 200 + 64


def test_a_product_bound_by_its_drain_waits() -> None:
    extent = Extent(pixels=12, kernel=1, groups=2, folds=3, pool=False)
    assert fold_slots(extent, rows=4, cols=8) == 16
    assert idle_slots(extent, rows=4, cols=8) == 16
    assert layer_cycles(extent, rows=4, cols=8) == 42 + 8 * 32 + 16 + 32


def test_more_rows_than_columns_end_before_the_last_slot() -> None:
    extent = Extent(pixels=5, kernel=9, groups=1, folds=1, pool=False)
    assert layer_cycles(extent, rows=5, cols=2) == 42 + 45 - 3 + 10


def test_a_pool_reads_a_word_a_cycle() -> None:
    extent = Extent(pixels=49, kernel=9, groups=1, folds=2, pool=True)
    assert layer_cycles(extent, rows=8, cols=8) == 31 + 2 * 49 * 9 + 3
