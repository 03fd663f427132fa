"""Label Studio's brush strokes: run lengths of bytes, packed into bits.

32 bits say how many values there are, 5 bits the size of a value less one, four times 4 bits
the sizes of run lengths less one. Then, until all values are there: one bit says whether a run
repeats its value, two bits choose the size of its length, the length less one follows, then
the value or the values. The values are the four channels of each pixel, row by row; a pixel
belongs to the area where its last channel is above 0. Source: the behaviour of thi.ng/rle-pack.
"""

from __future__ import annotations

import numpy as np

from titian.annotation.masks import Pixels

VALUE_BITS = 8
LENGTH_BITS = (3, 4, 8, 16)
CHANNELS = 4


class _Bits:
    """Reads bits from bytes, the highest first."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def take(self, count: int) -> int:
        start, end = self.place, self.place + count
        if end > len(self.data) * 8:
            raise ValueError("ends within a run")
        self.place = end
        whole = int.from_bytes(self.data[start // 8 : (end + 7) // 8], "big")
        return (whole >> (-end % 8)) & ((1 << count) - 1)


def unpack(data: bytes, *, width: int, height: int) -> Pixels:
    """Return the area that the runs describe, shape (height, width).

    Raises:
        ValueError: says what is wrong with the runs.
    """
    bits = _Bits(data)
    total = bits.take(32)
    if total != width * height * CHANNELS:
        raise ValueError(
            f"holds {total} values; {width} x {height} pixels have {width * height * CHANNELS}"
        )
    value_bits = bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    values = np.zeros(total, dtype=bool)
    place = 0
    while place < total:
        repeated = bits.take(1)
        length = 1 + bits.take(sizes[bits.take(2)])
        if place + length > total:
            raise ValueError(f"has a run that ends behind its {total} values")
        if repeated:
            values[place : place + length] = bits.take(value_bits) > 0
        else:
            for offset in range(length):
                values[place + offset] = bits.take(value_bits) > 0
        place += length
    return values.reshape(height, width, CHANNELS)[:, :, CHANNELS - 1]


def pack(pixels: Pixels) -> list[int]:
    """Return the bytes that describe an area of shape (height, width)."""
    flat = np.asarray(pixels, dtype=bool).ravel()
    parts = [f"{flat.size * CHANNELS:032b}", f"{VALUE_BITS - 1:05b}"]
    parts += [f"{size - 1:04b}" for size in LENGTH_BITS]
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], edges, [flat.size]]) if flat.size else np.zeros(1, int)
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        left = (end - start) * CHANNELS
        value = "1" * VALUE_BITS if flat[start] else "0" * VALUE_BITS
        while left:
            length = min(left, 1 << LENGTH_BITS[-1])
            kind = next(k for k, size in enumerate(LENGTH_BITS) if length <= 1 << size)
            parts.append(f"1{kind:02b}{length - 1:0{LENGTH_BITS[kind]}b}{value}")
            left -= length
    text = "".join(parts)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
