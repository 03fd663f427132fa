"""Columns that give the label away: a rule on one column alone tells the label.

For each column the training cases are divided into five folds by subject; a rule (the class
most over-represented in the case's bin) is made on four and judged on the fifth. A column
gives a class away when the rule's balanced accuracy for that class against the rest is at
least 0.95 and its lower bound at level 1e-4 at least 0.75. The bound joins the Wilson bounds
of the two proportions, with subjects as n (MOVER, Zou and Donner 2008); some 25 subjects of a
class are needed before anything can be accused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.dataset.records import Integers, Records, Text
from titian.values import Finding, Severity

ACCUSED_AT = 0.95
BOUND_AT = 0.75
LEVEL = 1e-4  # probability of accusing a column whose true balanced accuracy is BOUND_AT
Z = 3.7190  # standard normal quantile at 1 - LEVEL
FOLDS = 5
MOST_BINS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Giveaway:
    """How well one column alone tells one class.

    Attributes:
        column: its name.
        label: the class.
        balanced_accuracy: out of sample, in [0, 1].
        low: lower bound at `LEVEL`.
        cases: numbers of the training cases judged.
    """

    column: str
    label: str
    balanced_accuracy: float
    low: float

    @property
    def accused(self) -> bool:
        """Whether the column gives the class away."""
        return self.balanced_accuracy >= ACCUSED_AT and self.low >= BOUND_AT


def giveaway_findings(
    records: Records, part: Text, *, rng: np.random.Generator
) -> tuple[Finding, ...]:
    """Return one finding for each column that gives a class away on the training side."""
    train = records.take((part == "train") | (part == "tune"))
    return tuple(
        Finding(
            code="data.label_giveaway",
            severity=Severity.ERROR,
            what=f"Column {best.column!r} alone tells the label: balanced accuracy "
            f"{best.balanced_accuracy:.3f} (at least {best.low:.3f}) out of sample.",
            where="all training cases",
            remedy="Find out whether the column is known before the label; if not, exclude it "
            "under data.features.exclude, or collect data in which it does not tell the label.",
        )
        for best in giveaways(train, rng=rng)
        if best.accused
    )


def giveaways(records: Records, *, rng: np.random.Generator) -> list[Giveaway]:
    """Judge every feature, attribute and file property; the best class of each.

    Args:
        records: the training cases.
        rng: divides subjects into folds.
    """
    if len(records) == 0:
        return []
    units, member = np.unique(records.unit, return_inverse=True)
    fold = rng.permutation(np.arange(len(units)) % FOLDS)[member]
    classes, code = np.unique(records.label, return_inverse=True)
    judged = []
    for name, values in _columns(records).items():
        bins = _bins(values)
        said = _out_of_sample(bins, code, fold, len(classes))
        judged.append(max(
            (_judge(name, str(label), code == place, said == place, member)
             for place, label in enumerate(classes)),
            key=lambda one: one.balanced_accuracy,
        ))  # fmt: skip
    return judged


def _columns(records: Records) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = dict(records.features)
    for name, values in records.attributes.items():
        columns.setdefault(name, values)
    for name in ("width", "height", "bits", "device"):
        if name in records.files:
            columns[f"file {name}"] = records.files[name]
    return columns


def _bins(values: NDArray[Any]) -> Integers:
    """Number a column's bins: values, or quantiles where they are many; missing is one."""
    distinct, code = np.unique(values, return_inverse=True, equal_nan=True)
    if values.dtype.kind != "f" or len(distinct) <= MOST_BINS:
        return code.astype(np.int64)
    known = ~np.isnan(values)
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, MOST_BINS + 1)[1:-1]))
    return np.where(known, np.searchsorted(edges, values, side="right"), len(edges) + 1)


def _out_of_sample(bins: Integers, code: Integers, fold: Integers, classes: int) -> Integers:
    """Return the class that the rule names for each case; -1 where its bin is new to it."""
    width = int(bins.max()) + 1
    everything = np.zeros((FOLDS, width, classes))
    np.add.at(everything, (fold, bins, code), 1)
    said = np.full(len(code), -1, dtype=np.int64)
    for held_out in range(FOLDS):
        seen = everything.sum(axis=0) - everything[held_out]
        prior = np.maximum(seen.sum(axis=0), 1)
        choice = np.argmax(seen / prior, axis=1)
        choice[seen.sum(axis=1) == 0] = -1
        rows = fold == held_out
        said[rows] = choice[bins[rows]]
    return said


def _judge(
    column: str, label: str, true: NDArray[np.bool_], said: NDArray[np.bool_], member: Integers
) -> Giveaway:
    hit, hit_low = _share(said[true], member[true])
    rest, rest_low = _share(~said[~true], member[~true])
    return Giveaway(
        column=column,
        label=label,
        balanced_accuracy=(hit + rest) / 2,
        low=(hit + rest) / 2 - math.hypot(hit - hit_low, rest - rest_low) / 2,
    )


def _share(right: NDArray[np.bool_], member: Integers) -> tuple[float, float]:
    """Return a proportion and its lower Wilson bound, with subjects as n."""
    if len(right) == 0:
        return 0.0, 0.0
    share, n = float(right.mean()), len(np.unique(member))
    spread = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    low = (share + Z * Z / (2 * n) - spread) / (1 + Z * Z / n)
    return share, max(low, 0.0)
