"""From a 32-bit sum back to 8 bits, exactly as ONNX Runtime does it.

``y = clip(rne(fl32(fl32(acc) * s)) + zy, -128, 127)`` with ``s = fl32(fl32(xs * ws) / ys)``,
where ``fl32`` rounds to single precision and ``rne`` to an integer, ties to even. There are
two roundings before the last one: of the sum (above 2^24) and of the product. Fixed-point
arithmetic, however wide, has neither, and is therefore wrong now and then.

`exact_requantise` computes the same with integers alone, as a circuit does: round the sum to
24 significant bits, multiply by the scale's 24-bit mantissa, round to 24 significant bits,
shift. It stands for every scale whose products are neither subnormal nor infinite, and all
scales that `check_scales` accepts are of that kind.

Source: the definition of QLinearConv in the ONNX standard; the order of roundings is that of
ONNX Runtime's CPU kernels, established by comparison (docs/explanation/bit-exactness.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Float32s = npt.NDArray[np.float32]

LOWEST, HIGHEST = -128, 127
MANTISSA_BITS = 24
#: Scales between these keep every product of a sum with them normal in single precision.
SMALLEST_SCALE, LARGEST_SCALE = 2.0**-60, 2.0**20


def combined_scales(x_scale: Any, w_scale: Any, y_scale: Any) -> Float32s:  # noqa: ANN401
    """Return ``fl32(fl32(xs * ws) / ys)``, one per channel where `w_scale` has one each."""
    product = np.float32(x_scale) * np.asarray(w_scale, np.float32)
    return np.atleast_1d(np.asarray(product / np.float32(y_scale), np.float32))


def check_scales(scales: Float32s, *, node: str) -> None:
    """Refuse scales that no requantiser here stands for.

    Raises:
        InputError: T-C103, a scale is not finite, not positive, or out of range.
    """
    wide = scales.astype(np.float64)
    good = (wide >= SMALLEST_SCALE) & (wide <= LARGEST_SCALE)
    if not good.all():
        channel = int(np.flatnonzero(~good)[0])
        raise InputError(
            Problem(
                code="T-C103",
                message=(
                    f"node {node!r}: the combined scale of channel {channel} is "
                    f"{wide[channel]:g}; it must lie between {SMALLEST_SCALE:.3g} and "
                    f"{LARGEST_SCALE:.3g}."
                ),
                remedy="Quantise the model again, with calibration data like the real ones.",
            )
        )


def requantise(acc: Int32s, scale: Float32s, zero_point: int) -> Int8s:
    """Return what ONNX Runtime answers for these sums.

    Args:
        acc: any shape.
        scale: combined scales, broadcast against `acc`.
        zero_point: of the output, -128 to 127.
    """
    rounded = np.rint(acc.astype(np.float32) * scale.astype(np.float32))
    # In double precision the sum of the zero point is exact; clipping first or last agrees.
    shifted = rounded.astype(np.float64) + zero_point
    return np.asarray(np.clip(shifted, LOWEST, HIGHEST), np.int8)


def mantissas(scale: Float32s) -> tuple[Int64s, Int64s]:
    """Return m and e with ``scale = m * 2**-e``, m of 24 bits with its highest bit set."""
    fraction, exponent = np.frexp(scale.astype(np.float64))
    mantissa = np.asarray(np.ldexp(fraction, MANTISSA_BITS), np.int64)
    return mantissa, np.asarray(MANTISSA_BITS - exponent.astype(np.int64))


def exact_requantise(acc: Int32s, scale: Float32s, zero_point: int) -> Int8s:
    """Return the same as `requantise` by integer arithmetic alone."""
    mantissa, exponent = mantissas(scale)
    magnitude = np.abs(acc.astype(np.int64))
    first, lost = _significant(magnitude)
    product = first * mantissa  # below 2^49: a rounded sum may be 2^24 itself
    second, more = _significant(product)
    right = exponent - lost - more  # how far the point must still move to the left
    # From 2^9 on every answer is the same extreme, whatever the zero point.
    left = np.clip(-right, 0, 10)
    shifted = np.where(right > 0, _rounded_shift(second, np.clip(right, 0, 62)), second << left)
    signed = np.sign(acc.astype(np.int64)) * np.minimum(shifted, 2 * (HIGHEST - LOWEST))
    return np.asarray(np.clip(signed + zero_point, LOWEST, HIGHEST), np.int8)


def _significant(value: Int64s) -> tuple[Int64s, Int64s]:
    """Round to 24 significant bits; return the number and the bits that were shifted out."""
    # Below 2^53 a double is exact, and frexp then counts the bits.
    _, bits = np.frexp(value.astype(np.float64))
    drop = np.maximum(bits.astype(np.int64) - MANTISSA_BITS, 0)
    return _rounded_shift(value, drop), drop


def _rounded_shift(value: Int64s, right: Int64s) -> Int64s:
    """Shift right, rounding half to even."""
    right = np.broadcast_to(np.asarray(right, np.int64), np.broadcast(value, right).shape)
    floor = value >> right
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    rest = value & ((np.int64(1) << right) - 1)
    up = (right > 0) & ((rest > half) | ((rest == half) & (floor & 1 == 1)))
    return np.asarray(floor + up, np.int64)
