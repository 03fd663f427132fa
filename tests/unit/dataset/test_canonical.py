"""One text per value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from titian.dataset.canonical import band, canonical, is_missing, number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", "1"),
        ("1.0", "1"),
        (" 1. ", "1"),
        ("+1", "1"),
        ("-0.0", "0"),
        ("1.50", "1.5"),
        ("-2.0", "-2"),
        ("007", "007"),
        ("1e3", "1e3"),
        ("True", "true"),
        ("PA", "PA"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_gives_each_value_one_text(text, expected):
    assert canonical(text) == expected


@given(st.text())
def test_is_stable(text):
    assert canonical(canonical(text)) == canonical(text)


@given(st.integers(-(10**9), 10**9))
def test_whole_floats_and_integers_agree(value):
    assert canonical(str(float(value))) == canonical(str(value)) == str(value)


def test_bands_hold_their_lower_edge_only():
    edges = (0, 40, 65, 120)
    bands = [band(value, edges) for value in (0, 39.9, 40, 65, 119, 120, -1, math.nan)]
    assert bands == ["[0,40)", "[0,40)", "[40,65)", "[65,120)", "[65,120)", "", "", ""]


def test_missing_is_blank_not_a_number_or_listed():
    assert is_missing(" ")
    assert is_missing("NaN")
    assert is_missing("?", ("?",))
    assert not is_missing("?")
    assert number("1_000") is None
    assert number("n/a") is None
    assert math.isnan(number("") or 0.0)
