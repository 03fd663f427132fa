"""Each check against its planted fault, inside the same run: proof that it can fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.dataset.fingerprint import fingerprint
from titian.dataset.giveaway import LEVEL, giveaway_findings
from titian.dataset.images import UnreadableImageError, decode, read_bytes
from titian.dataset.leaks import cases, duplicate_leaks, subject_leaks
from titian.dataset.parquet import text
from titian.dataset.records import Records, Text
from titian.dataset.resemblance import PictureOf, near_duplicate_leaks
from titian.values import Control, Finding


def corrupt_file_control(root: Path, records: Records) -> tuple[Control, ...]:
    """Cut the first image's bytes in half and see whether reading refuses them."""
    if records.image is None or len(records) == 0:
        return ()
    path = str(records.image[0])
    data = read_bytes(root, path)
    try:
        decode(data[: len(data) // 2], name=path)
        found, detail = False, "the cut file was read"
    except UnreadableImageError as error:
        found, detail = True, error.reason
    return (
        Control(
            check="data.corrupt_file",
            fault=f"the file of case {int(records.case[0])}, cut in half",
            found=found,
            detail=detail,
            false_alarm_rate=0.0,
        ),
    )


def leak_controls(
    records: Records, part: Text, picture_of: PictureOf, *, rng: np.random.Generator
) -> tuple[Control, ...]:
    """Plant each leak in a copy of the records and run its check.

    Returns:
        One control for each check that applies to these records.
    """
    train = int(rng.choice(np.flatnonzero(part == "train")))
    test = int(rng.choice(np.flatnonzero(part == "test")))
    controls = [
        _giveaway(records, part, rng=rng),
        _duplicate(records, part, train=train, test=test),
    ]
    if records.subject is not None:
        controls.append(_subject(records, part, train=train, test=test))
    if "fingerprint" in records.files:
        controls.append(_near(records, part, picture_of, train=train, test=test, rng=rng))
    return tuple(controls)


def near_copy(pixels: NDArray[np.float32], *, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return an image a little cropped, brightened and noised."""
    height, width = pixels.shape
    top, left = max(height // 50, 1), max(width // 50, 1)
    crop = pixels[top : max(height - top, top + 1), left : max(width - left, left + 1)]
    changed = 1.08 * crop + 0.02 + rng.normal(0, 0.01, crop.shape)
    return np.clip(changed, 0, 1).astype(np.float32)


def _control(check: str, fault: str, found: tuple[Finding, ...], places: list[int]) -> Control:
    named = {str(place) for place in places}
    hit = [f for f in found if named <= set(f.where.replace(",", "").split())]
    return Control(
        check=check,
        fault=fault,
        found=bool(hit),
        detail=hit[0].what if hit else "no finding",
        false_alarm_rate=0.0,
    )


def _subject(records: Records, part: Text, *, train: int, test: int) -> Control:
    assert records.subject is not None  # noqa: S101 - the caller looked
    # Two cases of a subject of their own, so that the finding names these alone.
    subject = records.subject.astype(object)
    subject[[train, test]] = "planted subject"
    rows = np.array([train, test])
    planted = replace(records, subject=text(subject.tolist())).take(rows)
    pair = [int(number) for number in planted.case]
    return _control(
        "data.subject_leak",
        f"{cases(pair)} given to one subject",
        subject_leaks(planted, part[rows]),
        pair,
    )


def _duplicate(records: Records, part: Text, *, train: int, test: int) -> Control:
    rows = np.array([train, train])
    pair = records.take(rows)
    pair = replace(pair, case=np.array([records.case[train], records.case[test]]))
    numbers = [int(number) for number in pair.case]
    return _control(
        "data.duplicate_leak",
        f"a copy of case {numbers[0]} in the place of case {numbers[1]}",
        duplicate_leaks(pair, part[[train, test]]),
        numbers,
    )


def _near(
    records: Records,
    part: Text,
    picture_of: PictureOf,
    *,
    train: int,
    test: int,
    rng: np.random.Generator,
) -> Control:
    copy = near_copy(picture_of(train), rng=rng)
    prints = records.files["fingerprint"].copy()
    prints[test] = fingerprint(copy).tobytes().hex()
    digests = None
    if records.sha256 is not None:
        digests = records.sha256.copy()
        digests[test] = "0" * 64
    rows = np.array([train, test])
    planted = replace(
        records, files={**records.files, "fingerprint": prints}, sha256=digests
    ).take(rows)
    found = near_duplicate_leaks(
        planted, part[rows], lambda row: picture_of(train) if row == 0 else copy
    )
    numbers = [int(number) for number in planted.case]
    return _control(
        "data.near_duplicate_leak",
        f"case {numbers[0]}, cropped, brightened and noised, in the place of case {numbers[1]}",
        found,
        numbers,
    )


def _giveaway(records: Records, part: Text, *, rng: np.random.Generator) -> Control:
    planted = replace(records, attributes={"planted": records.label}, features={}, files={})
    found = giveaway_findings(planted, part, rng=rng)
    return Control(
        check="data.label_giveaway",
        fault="a column that repeats the label",
        found=bool(found),
        detail=found[0].what
        if found
        else "no finding; the training part has too few subjects of a class to accuse a column",
        false_alarm_rate=LEVEL,
    )
