"""A perceptual fingerprint that survives rescaling, brightness, noise and a slight crop.

The image is averaged down to 32x32 and its cosine transform taken; the low frequencies,
without the mean, are divided by how large they usually are in pictures (the amplitude of
natural images falls with frequency) and kept as signed bytes. Two images are compared by the
cosine between their fingerprints. The idea follows the DCT hash (pHash), with real weights in
the place of signs, since the signs of anatomy are too much alike between patients.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels of the thumbnail
ORDER = 12  # frequencies kept along each axis
LENGTH = ORDER * ORDER - 1

Fingerprint = NDArray[np.int8]


def thumbnail(pixels: NDArray[np.float32], side: int = SIDE) -> NDArray[np.float32]:
    """Average an image down (or stretch it) to side x side."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    small = image.resize((side, side), Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(small, dtype=np.float32)


def fingerprint(pixels: NDArray[np.float32]) -> Fingerprint:
    """Return the fingerprint of an image.

    Args:
        pixels: shape (h, w), in [0, 1].

    Returns:
        Shape (`LENGTH`,); zeros for a flat image, which resembles nothing.
    """
    from scipy.fft import dctn

    coefficients = dctn(thumbnail(pixels).astype(np.float64), norm="ortho")[:ORDER, :ORDER]
    row, column = np.indices((ORDER, ORDER))
    whitened = (coefficients * np.hypot(row, column)).ravel()[1:]
    norm = float(np.sqrt(np.mean(whitened**2)))
    if norm < 1e-3:
        return np.zeros(LENGTH, dtype=np.int8)
    return np.asarray(np.clip(np.rint(whitened / norm * 32), -127, 127), dtype=np.int8)


def unpack(fingerprints: NDArray[np.str_]) -> NDArray[np.float32]:
    """Return fingerprints, written in hex, as unit vectors: shape (n, `LENGTH`)."""
    raw = np.frombuffer(bytes.fromhex("".join(fingerprints.tolist())), dtype=np.int8)
    vectors = raw.reshape(-1, LENGTH).astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms == 0, 1, norms), dtype=np.float32)
