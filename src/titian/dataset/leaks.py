"""Checks for what crosses the sides of a split: subjects, bytes and look-alikes.

Each check takes records and parts and returns findings; a finding names cases, never a
subject or a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from titian.dataset.fingerprint import thumbnail, unpack
from titian.dataset.records import Records, Text
from titian.values import Finding, Severity

SHOWN_CASES = 40  # of one finding's `where`; a hospital's whole output would not help
CANDIDATE_COSINE = 0.75  # fingerprints this close are looked at again, pixel by pixel
CONFIRMED_CORRELATION = 0.80  # of fine structure after registration; see leaks.md
BLOCK = 4096  # fingerprints compared at once: 64 MB of cosines

PictureOf = Callable[[int], NDArray[np.float32]]


def cases(numbers: Sequence[int] | NDArray[np.int64]) -> str:
    """Write case numbers for a finding's `where`."""
    named = ", ".join(str(int(number)) for number in numbers[:SHOWN_CASES])
    more = len(numbers) - SHOWN_CASES
    noun = "case" if len(numbers) == 1 else "cases"
    return f"{noun} {named}" + (f" and {more} more" if more > 0 else "")


def subject_leaks(records: Records, part: Text) -> tuple[Finding, ...]:
    """Return one finding for each subject with cases in more than one part."""
    if records.subject is None:
        return ()
    used = part != ""
    subjects, member = np.unique(records.subject, return_inverse=True)
    findings = []
    pairs = np.unique(np.stack([member[used].astype(str), part[used]]), axis=1)[0]
    crossing, counts = np.unique(pairs.astype(np.int64), return_counts=True)
    order = np.argsort(member, kind="stable")
    starts = np.searchsorted(member[order], np.arange(len(subjects) + 1))
    for subject in crossing[counts > 1]:
        rows = np.sort(order[starts[subject] : starts[subject + 1]])
        rows = rows[used[rows]]
        findings.append(
            Finding(
                code="data.subject_leak",
                severity=Severity.ERROR,
                what=f"One subject has cases in {_parts(part[rows])}, so the test is not on "
                "unseen subjects.",
                where=cases(records.case[rows]),
                remedy="Put all cases of the subject on one side.",
            )
        )
    return _in_order(findings)


def duplicate_leaks(records: Records, part: Text) -> tuple[Finding, ...]:
    """Return one finding for each image, or row of inputs, that stands in two parts.

    Images are compared by their bytes; rows of tabular data by the label and every input.
    """
    what = (
        "The same image, byte for byte, is" if records.image is not None else "Equal rows are"
    )
    findings = []
    for rows in _groups(_identity(records)):
        rows = rows[part[rows] != ""]
        if len(set(part[rows].tolist())) > 1:
            findings.append(
                Finding(
                    code="data.duplicate_leak",
                    severity=Severity.ERROR if records.image is not None else Severity.WARNING,
                    what=f"{what} in {_parts(part[rows])}.",
                    where=cases(records.case[rows]),
                    remedy="Keep one of the cases, or put them on one side."
                    if records.image is not None
                    else "Check whether they are one subject; then keep one of the rows.",
                )
            )
    return _in_order(findings)


def near_duplicate_leaks(
    records: Records, part: Text, picture_of: PictureOf
) -> tuple[Finding, ...]:
    """Return one finding for each pair of images that look the same and stand in two parts.

    Args:
        records: image records with fingerprints.
        part: shape (n,).
        picture_of: row -> its pixels, for confirming a candidate.

    Source: candidates by the cosine of fingerprints, all pairs across parts, exactly;
    confirmed by the correlation of high-passed pixels after registration.
    """
    findings = []
    for first, second in near_duplicates(records, part, picture_of):
        pair = np.array([first, second])
        findings.append(
            Finding(
                code="data.near_duplicate_leak",
                severity=Severity.ERROR,
                what=f"Two images that differ only in crop, size, brightness or noise are in "
                f"{_parts(part[pair])}.",
                where=cases(np.sort(records.case[pair])),
                remedy="Find out whether one was made from the other; then keep one.",
            )
        )
    return _in_order(findings)


def near_duplicates(
    records: Records, part: Text, picture_of: PictureOf
) -> list[tuple[int, int]]:
    """Return the pairs of rows that `near_duplicate_leaks` accuses."""
    if "fingerprint" not in records.files:
        return []
    digest = records.sha256
    confirmed = []
    for first, second in candidates(unpack(records.files["fingerprint"]), part):
        if digest is not None and digest[first] == digest[second]:
            continue  # byte-identical ones have a finding of their own
        if similarity(picture_of(first), picture_of(second)) >= CONFIRMED_CORRELATION:
            confirmed.append((first, second))
    return confirmed


def candidates(vectors: NDArray[np.float32], part: Text) -> list[tuple[int, int]]:
    """Return all pairs of rows in two parts whose vectors have a cosine of at least 0.75.

    Every pair is compared, in blocks of one matrix product each: exact, and for 200,000
    images cheaper than decoding them by an order of magnitude.
    """
    pairs: list[tuple[int, int]] = []
    sides = [np.flatnonzero(part == name) for name in ("train", "tune", "test")]
    for place, left in enumerate(sides):
        right = np.concatenate(sides[place + 1 :]) if place < 2 else sides[0][:0]
        for i in range(0, len(left), BLOCK):
            rows = left[i : i + BLOCK]
            for j in range(0, len(right), BLOCK):
                columns = right[j : j + BLOCK]
                near = vectors[rows] @ vectors[columns].T >= CANDIDATE_COSINE
                for a, b in zip(*np.nonzero(near), strict=True):
                    pairs.append((int(rows[a]), int(columns[b])))
    return pairs


def similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return how much of two images' fine structure is the same, in [-1, 1].

    Each image is tried as a crop of the other, of 100 % down to 88 % of its width at nine
    places; the best correlation of the high-passed 64x64 thumbnails counts.
    """
    return max(_best_crop(first, second), _best_crop(second, first))


def _best_crop(whole: NDArray[np.float32], crop: NDArray[np.float32]) -> float:
    target = _fine(thumbnail(crop, 64))
    height, width = whole.shape
    best = -1.0
    for share in (1.0, 0.97, 0.94, 0.91, 0.88):
        h, w = max(round(height * share), 1), max(round(width * share), 1)
        for top in sorted({0, (height - h) // 2, height - h}):
            for left in sorted({0, (width - w) // 2, width - w}):
                part = _fine(thumbnail(whole[top : top + h, left : left + w], 64))
                best = max(best, float(part @ target))
    return best


def _fine(small: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return an image's structure finer than a tenth of it as a unit vector."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(small.astype(np.float64), 1.0, mode="nearest")
    fine = (smooth - gaussian_filter(smooth, 4.0, mode="nearest")).ravel()
    norm = float(np.linalg.norm(fine))
    return fine / norm if norm > 1e-6 else np.zeros_like(fine)


def _identity(records: Records) -> Text:
    if records.sha256 is not None:
        return records.sha256
    columns = [records.label, *records.features.values()]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return np.array([hashlib.sha256(repr(row).encode()).hexdigest() for row in rows])


def _groups(identity: Text) -> list[NDArray[np.int64]]:
    _, member, counts = np.unique(identity, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts[member] > 1)
    order = repeated[np.argsort(member[repeated], kind="stable")]
    edges = np.flatnonzero(np.diff(member[order])) + 1
    return [rows.astype(np.int64) for rows in np.split(order, edges) if len(rows)]


def _parts(part: Text) -> str:
    names = [name for name in ("train", "tune", "test") if name in set(part.tolist())]
    return " and ".join(names) if len(names) < 3 else "train, tune and test"


def _in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: int(finding.where.split()[1].strip(","))))
