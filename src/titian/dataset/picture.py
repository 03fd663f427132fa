"""A decoded picture, and why one could not be had."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from titian.errors import InputError, Problem

PIXEL_LIMIT = 64_000_000  # rows x columns x frames x samples that a file may declare
BYTE_LIMIT = 1 << 30  # length of a file; the largest honest images here are a tenth of it
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601

Pixels = NDArray[np.float32]


class UnreadableImageError(InputError):
    """One image that cannot be used; `reason` says why, without the path."""

    def __init__(self, code: str, name: str, reason: str) -> None:
        self.reason = reason
        super().__init__(
            Problem(
                code=code,
                message=f"image {name!r}: {reason}.",
                remedy="Replace the file, remove its row, or set data.unreadable to exclude.",
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded image.

    Attributes:
        pixels: shape (h, w), float32 in [0, 1]; bright means bright.
        bits: stored bits a sample.
        device: manufacturer and model that a DICOM header names, otherwise the file format.
    """

    pixels: Pixels
    bits: int
    device: str


def require_pixels(count: int, *, name: str) -> None:
    """Refuse an image whose header declares too many samples.

    Raises:
        UnreadableImageError: more than `PIXEL_LIMIT`.
    """
    if count > PIXEL_LIMIT:
        raise UnreadableImageError(
            "T-D043",
            name,
            f"its header declares {count:,} pixels; the limit is {PIXEL_LIMIT:,}",
        )
