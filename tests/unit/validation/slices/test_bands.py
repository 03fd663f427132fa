"""Bands: round edges, a band of its own for what is frequent or missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from titian.errors import InputError
from titian.validation.slices.bands import feature_of, feature_of_codes, roundest


def counted(feature):
    counts = np.bincount(feature.code, minlength=len(feature.values))
    return dict(zip(feature.values, counts.tolist(), strict=True))


def test_edges_are_round_numbers_near_the_quantiles():
    ages = np.repeat(np.arange(18, 92), 10).astype(float)
    assert counted(feature_of("age", ages)) == {
        "[15,30)": 120,
        "[30,45)": 150,
        "[45,60)": 150,
        "[60,75)": 150,
        "[75,95]": 170,
    }


def test_a_frequent_value_is_a_band_of_its_own():
    gains = np.concatenate([np.zeros(900), np.arange(1, 101) * 37.0])
    assert counted(feature_of("gain", gains)) == {"0": 900, "[20,4000]": 100}


def test_few_different_numbers_stay_as_they_are():
    assert counted(feature_of("grade", np.array([1, 2, 2, 4]))) == {"1": 1, "2": 2, "4": 1}
    assert feature_of("dose", np.array([0.5, 0.25])).values == ("0.25", "0.5")


def test_missing_is_the_last_band():
    numbers = feature_of("x", np.array([1.0, np.nan, 2.0]))
    assert numbers.values == ("1", "2", "missing")
    assert numbers.code.tolist() == [0, 2, 1]
    texts = feature_of("x", np.array(["b", "", "a", "missing", "  "]))
    assert texts.values == ("a", "b", "missing")
    assert texts.code.tolist() == [1, 2, 0, 2, 2]


def test_a_column_that_is_all_missing_has_one_band():
    assert feature_of("x", np.full(3, np.nan)).values == ("missing",)
    assert feature_of("x", np.array(["", ""])).values == ("missing",)


def test_text_that_is_a_number_in_every_cell_is_banded():
    feature = feature_of_codes("x", np.arange(200), [str(number) for number in range(200)])
    assert feature.values == ("[0,40)", "[40,80)", "[80,120)", "[120,160)", "[160,200]")


def test_an_infinite_number_is_a_band_of_its_own():
    values = np.concatenate([np.arange(100.0), [np.inf, -np.inf]])
    feature = feature_of("x", values)
    assert feature.values[0] == "-inf"
    assert feature.values[-1] == "inf"


def test_a_column_of_ids_is_refused():
    with pytest.raises(InputError) as caught:
        feature_of("case", np.array([f"id{number:05}" for number in range(10_000)]))
    assert str(caught.value) == (
        "T-V146: feature 'case' has 10,000 different values (such as 'id00000'); a feature "
        "that cases can be grouped by has at most 255. Group its values, write it as a number "
        "so that it is banded, or leave it out of --features."
    )


@pytest.mark.parametrize(
    ("low", "high", "near", "found"),
    [
        (37.2, 44.9, 41.0, 40.0),
        (0.61, 0.79, 0.7, 0.7),
        (1234.0, 1236.0, 1235.0, 1235.0),
        (-0.3, 0.2, -0.1, 0.0),
        (98_000.0, 151_000.0, 130_000.0, 100_000.0),
        (3.0, 3.0, 3.0, 3.0),
    ],
)
def test_the_roundest_number_has_the_fewest_digits(low, high, near, found):
    assert roundest(low, high, near) == found


@settings(max_examples=150, deadline=None)
@given(
    arrays(
        np.float64,
        st.integers(1, 200),
        elements=st.one_of(
            st.floats(-1e9, 1e9), st.just(np.nan), st.sampled_from([0.0, 1.0, 40.0])
        ),
    ),
    st.integers(2, 12),
)
def test_every_value_lies_in_the_band_that_is_printed(values, bands):
    feature = feature_of("x", values, bands=bands)
    assert len(set(feature.values)) == len(feature.values)
    for value, code in zip(values.tolist(), feature.code.tolist(), strict=True):
        band = feature.values[code]
        if np.isnan(value):
            assert band == "missing"
        elif band.startswith("["):
            low, high = (float(edge) for edge in band[1:-1].split(","))
            assert low <= value
            assert value <= high if band.endswith("]") else value < high
        else:
            assert float(band) == value
