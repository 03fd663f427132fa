"""The kind ``labels``: the label that a case's readings came to, one row a labelled case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.dataset.parquet import read_columns, write_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Labels with their confidence.

    Attributes:
        case: shape (n,), rows of the table, counted from 0; each stands here once.
        task: shape (n,), what the readers were asked about, verbatim.
        label: shape (n,), verbatim.
        confidence: shape (n,), in [0, 1]: the probability that the label is right.
    """

    case: NDArray[np.int64]
    task: NDArray[np.str_]
    label: NDArray[np.str_]
    confidence: NDArray[np.float64]


def write_labels(labels: Labels, path: Path) -> None:
    """Write labels as Parquet."""
    write_columns(
        {
            "case": labels.case,
            "task": labels.task,
            "label": labels.label,
            "confidence": labels.confidence,
        },
        path,
    )


def read_labels(path: Path) -> Labels:
    """Read what `write_labels` wrote.

    Raises:
        InputError: the file is missing or damaged.
    """
    columns = read_columns(path)
    return Labels(
        case=columns["case"],
        task=columns["task"],
        label=columns["label"],
        confidence=columns["confidence"],
    )
