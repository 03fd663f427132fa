"""The three requantisers agree on every sum, and a certificate is worth its name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from titian.accelerator.quantization.certificates import (
    FIRST_SUM,
    LAST_SUM,
    affine_requantise,
    certify,
    holds,
    nudged_scales,
    thresholds,
)
from titian.accelerator.quantization.requantisation import (
    check_scales,
    combined_scales,
    exact_requantise,
    requantise,
)
from titian.errors import InputError

SCALES = st.floats(2.0**-40, 2.0**8, width=32)
ZEROS = st.integers(-128, 127)
SUMS = st.integers(FIRST_SUM, LAST_SUM)


def telling_sums(scale: np.float32, zero: int) -> np.ndarray:
    """Sums around every threshold, and random ones of every magnitude."""
    at = thresholds(np.asarray([scale]), zero)[0]
    rng = np.random.default_rng(5)
    wide = (rng.integers(FIRST_SUM, LAST_SUM, 2000) >> rng.integers(0, 31, 2000)).tolist()
    near = [at + d for d in (-2, -1, 0, 1)]
    return np.clip(np.concatenate([*near, wide]), FIRST_SUM, LAST_SUM).astype(np.int32)


@given(scale=SCALES, zero=ZEROS)
def test_integers_alone_give_what_floating_point_gives(scale: float, zero: int) -> None:
    one = np.asarray([scale], np.float32)
    sums = telling_sums(one[0], zero)
    assert np.array_equal(exact_requantise(sums, one, zero), requantise(sums, one, zero))


@given(scale=SCALES, zero=ZEROS)
def test_a_certified_map_gives_what_floating_point_gives(scale: float, zero: int) -> None:
    one = np.asarray([scale], np.float32)
    certificate = certify(one, zero)[0]
    if certificate.affine is None:
        return
    sums = telling_sums(one[0], zero)
    assert np.array_equal(
        affine_requantise(sums, certificate.affine, zero), requantise(sums, one, zero)
    )
    assert holds(certificate.affine, certificate.scale, zero)


@given(scale=SCALES, zero=ZEROS, sums=st.lists(SUMS, min_size=2, max_size=2))
def test_requantisation_is_monotone(scale: float, zero: int, sums: list[int]) -> None:
    low, high = requantise(np.sort(np.asarray(sums, np.int32)), np.float32([scale]), zero)
    assert low <= high


def test_a_worked_case_has_two_roundings() -> None:
    # 2^24 + 1 is no single-precision number: it becomes 2^24, and the tie 0.5 goes to 0.
    sums = np.asarray([2**24, 2**24 + 1, 2**24 + 2], np.int32)
    scale = np.asarray([2.0**-25], np.float32)
    assert requantise(sums, scale, 3).tolist() == [3, 3, 4]
    assert exact_requantise(sums, scale, 3).tolist() == [3, 3, 4]


def test_an_offset_one_too_high_loses_the_certificate() -> None:
    certificate = certify(np.asarray([0.0101], np.float32), 0)[0]
    assert certificate.affine is not None
    assert certificate.thresholds == 255
    wrong = dataclasses.replace(
        certificate.affine, offset=certificate.affine.offset + certificate.affine.multiplier
    )
    assert not holds(wrong, certificate.scale, 0)


def test_half_has_no_affine_map_because_ties_go_both_ways() -> None:
    assert certify(np.asarray([0.5], np.float32), 0)[0].affine is None


def test_nudged_scales_have_narrow_maps_and_hardly_move() -> None:
    rng = np.random.default_rng(7)
    scales = rng.uniform(1e-3, 1e-2, 40).astype(np.float32)
    moved = nudged_scales(scales, 0.02, 0.05, -128)
    assert np.abs(moved / scales - 1).max() <= 2.7e-4
    certificates = certify(combined_scales(0.02, moved, 0.05), -128)
    assert sum(c.affine is not None and c.affine.bits == 16 for c in certificates) >= 38


def test_a_scale_out_of_range_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        check_scales(np.asarray([1.0, 0.0], np.float32), node="conv1")
    assert str(caught.value) == (
        "T-C103: node 'conv1': the combined scale of channel 1 is 0; it must lie between "
        "8.67e-19 and 1.05e+06. Quantise the model again, with calibration data like the "
        "real ones."
    )
