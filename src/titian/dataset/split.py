"""Dividing subjects between training, tuning and testing, and the file that says how.

Subjects are dealt out in a seeded random order, within strata of equal labels, each to the
part that is furthest behind its share. A subject's weight is the mean of its share of all
subjects and its share of all cases, so that neither count drifts far from what was asked.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.dataset.parquet import read_columns, text, write_columns
from titian.dataset.records import Integers, Text
from titian.errors import InputError, Problem

PARTS = ("train", "tune", "test")
TUNE_SHARE = 0.2  # of the training subjects, where a column names the sides but no tune side


def split_by_share(
    label: Text, unit: Text, *, shares: tuple[float, float, float], rng: np.random.Generator
) -> Text:
    """Divide units between the parts by label-stratified shares.

    Args:
        label: shape (n,).
        unit: shape (n,), what may not be divided (a subject).
        shares: of train, tune and test; they sum to 1.
        rng: decides who goes where.

    Returns:
        Shape (n,), one of `PARTS`.
    """
    units, member = np.unique(unit, return_inverse=True)
    classes, code = np.unique(label, return_inverse=True)
    counts = np.zeros((len(units), len(classes)))
    np.add.at(counts, (member, code), 1)
    stratum = _strata(counts)
    weight = 0.5 / len(units) + 0.5 * counts.sum(axis=1) / len(label)
    share = np.asarray(shares)
    dealt = np.zeros(len(PARTS))  # over all strata, so that rounding does not pile up
    chosen = np.zeros(len(units), dtype=np.int64)
    for group in np.unique(stratum):
        inside = np.zeros(len(PARTS))
        for place in rng.permutation(np.flatnonzero(stratum == group)):
            behind = share * (inside.sum() + weight[place]) - inside
            behind += share * (dealt.sum() + weight[place]) - dealt
            behind[share == 0] = -np.inf
            part = int(np.argmax(behind))
            chosen[place] = part
            inside[part] += weight[place]
            dealt[part] += weight[place]
    return text(np.asarray(PARTS)[chosen[member]])


def split_by_column(
    label: Text,
    unit: Text,
    side: Text,
    *,
    values: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]],
    rng: np.random.Generator,
) -> Text:
    """Divide cases by what a column says; carve tune out of train where it is not named.

    Args:
        label: shape (n,).
        unit: shape (n,), what the carving may not divide.
        side: shape (n,), the column's canonical text.
        values: texts that mean train, tune and test.
        rng: decides which training units tune.

    Returns:
        Shape (n,), one of `PARTS`, or ``""`` where the column's value is in no list.
    """
    part = np.full(len(label), "", dtype="U5")
    for name, texts in zip(PARTS, values, strict=True):
        part[np.isin(side, list(texts))] = name
    if not values[1]:
        train = np.flatnonzero(part == "train")
        if len(train):
            shares = (1 - TUNE_SHARE, TUNE_SHARE, 0.0)
            carved = split_by_share(label[train], unit[train], shares=shares, rng=rng)
            part[train] = carved
    return part


def require_classes(label: Text, part: Text) -> None:
    """Refuse a split in which a class is missing from a part.

    Raises:
        InputError: naming every part and class.
    """
    problems = [
        Problem(
            code="T-D050",
            message=f"the {name} part has no case of class {str(value)!r} "
            f"({int((part == name).sum())} cases in all); every part needs every class.",
            remedy="Collect more cases of the class, or give the part a larger share under "
            "data.split.",
        )
        for name in PARTS
        for value in np.unique(label)
        if not np.any((part == name) & (label == value))
    ]
    if problems:
        raise InputError(*problems)


def write_split(case: Integers, part: Text, path: Path) -> None:
    """Write the part of each case as Parquet (kind ``split``)."""
    write_columns({"case": case, "part": part}, path)


def read_split(path: Path, case: Integers) -> Text:
    """Read the part of each of `case`, in that order.

    Returns:
        ``train``, ``tune``, ``test``, or ``""`` for a case that the split leaves out.

    Raises:
        InputError: the file is not readable Parquet, or a case is not in it.
    """
    columns = read_columns(path)
    known = columns["case"]
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known[order], case), max(len(known) - 1, 0))
    if len(known) == 0 or np.any(known[order][place] != case):
        raise InputError(
            Problem(
                code="T-D061",
                message=f"{path.name} does not hold every case of the records.",
                remedy="Remove it and run again, so that it is made anew.",
            )
        )
    return text(columns["part"][order][place])


def _strata(counts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the units by their rarest label, so that scarce classes are dealt with care."""
    rarity = counts.sum(axis=0)
    held = np.where(counts > 0, rarity, np.inf)
    return np.asarray(np.argmin(held, axis=1), dtype=np.int64)
