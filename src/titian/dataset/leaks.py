"""Checks for what crosses the sides of a split: subjects, and equal images or rows.

Each check takes records and parts and returns findings; a finding names cases, never a
subject or a path.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from titian.dataset.records import Records, Text
from titian.values import Finding, Severity

SHOWN_CASES = 40  # of one finding's `where`; a hospital's whole output would not help


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
                what=f"One subject has cases in {in_words(part[rows])}, so the test is not on "
                "unseen subjects.",
                where=cases(records.case[rows]),
                remedy="Put all cases of the subject on one side.",
            )
        )
    return in_order(findings)


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
                    what=f"{what} in {in_words(part[rows])}.",
                    where=cases(records.case[rows]),
                    remedy="Keep one of the cases, or put them on one side."
                    if records.image is not None
                    else "Check whether they are one subject; then keep one of the rows.",
                )
            )
    return in_order(findings)


def in_words(part: Text) -> str:
    """Name the parts that occur."""
    names = [name for name in ("train", "tune", "test") if name in set(part.tolist())]
    return " and ".join(names) if len(names) < 3 else "train, tune and test"


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return findings by the first case that each names."""
    return tuple(sorted(findings, key=lambda finding: int(finding.where.split()[1].strip(","))))


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
