"""Images that differ only in size, crop, brightness or noise, found across a split.

Fingerprints of all pairs in different parts are compared exactly, one matrix product a block
(200,000 images: 10 to 30 s, less than decoding them). The pairs that are most alike are then
looked at pixel by pixel: registered as crops of each other and correlated in their fine
structure, since the coarse structure of one body part is alike in all patients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from titian.dataset.fingerprint import unpack
from titian.dataset.leaks import cases, in_order, in_words
from titian.dataset.records import Records, Text
from titian.values import Finding, Severity

CANDIDATE_COSINE = 0.80  # copies measured: at least 0.84; see docs/explanation/leaks.md
CONFIRMED_AT = 0.90  # copies measured: at least 0.97; different patients: at most 0.83
MOST_CANDIDATES = 2000  # pairs confirmed, the most alike first: about 40 s at the worst
BLOCK = 4096  # fingerprints compared at once: 64 MB of cosines
REGISTERED_SIDE = 48  # pixels of the thumbnails that are correlated
FINE_SIGMAS = (0.7, 2.0)  # pixels of those: the band of structure that tells patients apart
SHARES = (1.0, 0.97, 0.94, 0.91, 0.88)  # widths of the crops tried
KEPT = 64  # images whose crops are kept: 1.6 MB each
REDUCED_SIDE = 128  # pixels; registration needs no more

PictureOf = Callable[[int], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Pairs of rows whose fingerprints are close, the closest first.

    Attributes:
        pairs: shape (m, 2), at most `MOST_CANDIDATES`.
        unseen: how many further pairs are above `CANDIDATE_COSINE` too.
    """

    pairs: NDArray[np.int64]
    unseen: int


def near_duplicate_leaks(
    records: Records, part: Text, picture_of: PictureOf
) -> tuple[Finding, ...]:
    """Return one finding for each pair of images that look the same and stand in two parts.

    Pairs of one digest are left to `duplicate_leaks`. Where more pairs are alike than can be
    confirmed, a further finding says how many were not looked at.

    Args:
        records: image records with fingerprints.
        part: shape (n,).
        picture_of: row -> its pixels, for confirming a candidate.
    """
    if "fingerprint" not in records.files:
        return ()
    close = candidates(unpack(records.files["fingerprint"]), part)
    fine = lru_cache(maxsize=KEPT)(lambda row: fine_structure(picture_of(row)))
    digest = records.sha256
    findings = []
    for first, second in sorted(close.pairs.tolist()):  # in order, so that the cache serves
        if digest is not None and digest[first] == digest[second]:
            continue
        if correlation(fine(first), fine(second)) >= CONFIRMED_AT:
            findings.append(_finding(records, part, np.array([first, second])))
    return in_order(findings) + _unseen(close)


def candidates(vectors: NDArray[np.float32], part: Text) -> Candidates:
    """Compare all pairs of rows in different parts.

    Args:
        vectors: shape (n, k), of length 1 each.
        part: shape (n,).
    """
    pairs = np.zeros((0, 2), dtype=np.int64)
    closeness = np.zeros(0, dtype=np.float32)
    unseen = 0
    sides = [np.flatnonzero(part == name) for name in ("train", "tune", "test")]
    for place, left in enumerate(sides[:2]):
        right = np.concatenate(sides[place + 1 :])
        for i in range(0, len(left), BLOCK):
            rows = left[i : i + BLOCK]
            for j in range(0, len(right), BLOCK):
                columns = right[j : j + BLOCK]
                cosine = vectors[rows] @ vectors[columns].T
                a, b = np.nonzero(cosine >= CANDIDATE_COSINE)
                pairs = np.concatenate([pairs, np.stack([rows[a], columns[b]], axis=1)])
                closeness = np.concatenate([closeness, cosine[a, b]])
                order = np.lexsort((pairs[:, 1], pairs[:, 0], -closeness))
                unseen += max(len(order) - MOST_CANDIDATES, 0)
                pairs = pairs[order[:MOST_CANDIDATES]]
                closeness = closeness[order[:MOST_CANDIDATES]]
    return Candidates(pairs=pairs, unseen=unseen)


def similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return how much of two images' fine structure is the same, in [-1, 1].

    Each image is tried as a crop of the other: down to 88 % of its height and of its width,
    at either edge or in the middle. The best correlation counts.
    """
    return correlation(fine_structure(first), fine_structure(second))


def fine_structure(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the fine structure of an image's crops: shape (crops, side x side), unit rows.

    The first row is the whole image. Averaging down and both blurs are linear and separable,
    so that all crops come from two matrix products.
    """
    from PIL import Image

    height, width = (min(length, REDUCED_SIDE) for length in pixels.shape)
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    small = np.asarray(image.resize((width, height), Image.Resampling.BOX), dtype=np.float32)
    sharp, smooth = (
        _crops(height, sigma) @ small @ _crops(width, sigma).T for sigma in FINE_SIGMAS
    )
    windows, side = len(_windows()), REGISTERED_SIDE
    stacked = (sharp - smooth).reshape(windows, side, windows, side).transpose(0, 2, 1, 3)
    rows = stacked.reshape(windows * windows, side * side)
    rows = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms < 1e-4, np.inf, norms), dtype=np.float32)


def correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the best correlation of either whole image with a crop of the other."""
    return float(max((first @ second[0]).max(), (second @ first[0]).max()))


def _windows() -> list[tuple[float, float]]:
    """Return the (start, stop) of each crop along one axis, as shares of it; whole first."""
    places = {share: (0.0,) if share == 1 else (0.0, 0.5, 1.0) for share in SHARES}
    return [
        ((1 - share) * place, (1 - share) * place + share)
        for share in SHARES
        for place in places[share]
    ]


@lru_cache(maxsize=REDUCED_SIDE * 2)
def _crops(length: int, sigma: float) -> NDArray[np.float32]:
    """Return the matrix that averages every crop of an axis down and blurs it."""
    distance = np.subtract.outer(np.arange(REGISTERED_SIDE), np.arange(REGISTERED_SIDE))
    blur = np.exp(-0.5 * (distance / sigma) ** 2)
    blur /= blur.sum(axis=1, keepdims=True)
    windows = [_averaging(length, start * length, stop * length) for start, stop in _windows()]
    return np.concatenate([blur @ window for window in windows]).astype(np.float32)


def _averaging(length: int, start: float, stop: float) -> NDArray[np.float64]:
    """Return the matrix that averages pixels from `start` to `stop` into equal cells."""
    edges = start + (stop - start) * np.arange(REGISTERED_SIDE + 1) / REGISTERED_SIDE
    pixels = np.arange(length)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    shared = np.clip(high - low, 0, None)
    return np.asarray(shared / shared.sum(axis=1, keepdims=True))


def _finding(records: Records, part: Text, pair: NDArray[np.int64]) -> Finding:
    return Finding(
        code="data.near_duplicate_leak",
        severity=Severity.ERROR,
        what=f"Two images that differ only in crop, size, brightness or noise are in "
        f"{in_words(part[pair])}.",
        where=cases(np.sort(records.case[pair])),
        remedy="Find out whether one was made from the other; then keep one.",
    )


def _unseen(close: Candidates) -> tuple[Finding, ...]:
    if close.unseen == 0:
        return ()
    return (
        Finding(
            code="data.near_duplicate_unseen",
            severity=Severity.WARNING,
            what=f"{close.unseen} further pairs of images on two sides are somewhat alike and "
            f"were not looked at; the {MOST_CANDIDATES} most alike were.",
            where="all cases",
            remedy="Check how the images were collected, if near-copies are to be expected.",
        ),
    )
