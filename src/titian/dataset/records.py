"""Records: one row a case, read once from the table and its files.

Every later stage reads these and never the table, so that a value has one meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.dataset.parquet import read_columns, write_columns

Text = NDArray[np.str_]
Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The cases of a data set, as arrays of one length n.

    Attributes:
        case: row number in the table, counted from 0; increasing, with gaps where a case
            was left out.
        label: canonical text, never empty.
        image: path relative to the table's folder; None for tabular data.
        sha256: digest of the image's bytes in hex; None for tabular data.
        subject: canonical text, never empty; None when the project names no subject.
        attributes: column -> text, bands written ``[40,65)``; ``""`` where missing.
        features: column -> inputs of tabular data: float64 (NaN where missing) or text
            (``""`` where missing); empty for image data.
        files: what the image files themselves tell: ``width``, ``height``, ``bits``
            (float64), ``device`` and ``fingerprint`` (text); empty for tabular data.
    """

    case: Integers
    label: Text
    image: Text | None = None
    sha256: Text | None = None
    subject: Text | None = None
    attributes: Mapping[str, Text] = field(default_factory=dict)
    features: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    files: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.case)

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels that occur, in order."""
        return tuple(str(label) for label in np.unique(self.label))

    @property
    def unit(self) -> Text:
        """What a split may not divide: the subject, or each case where there is none."""
        return self.case.astype(np.str_) if self.subject is None else self.subject

    def take(self, index: NDArray[Any]) -> Records:
        """Return the rows at `index` (positions or a mask)."""
        return Records(
            case=self.case[index],
            label=self.label[index],
            image=None if self.image is None else self.image[index],
            sha256=None if self.sha256 is None else self.sha256[index],
            subject=None if self.subject is None else self.subject[index],
            attributes={name: values[index] for name, values in self.attributes.items()},
            features={name: values[index] for name, values in self.features.items()},
            files={name: values[index] for name, values in self.files.items()},
        )


def write_records(records: Records, path: Path) -> None:
    """Write `records` as Parquet (kind ``records``)."""
    columns: dict[str, NDArray[Any]] = {"case": records.case, "label": records.label}
    for name in ("image", "sha256", "subject"):
        values = getattr(records, name)
        if values is not None:
            columns[name] = values
    for prefix, group in (
        ("attribute", records.attributes),
        ("feature", records.features),
        ("file", records.files),
    ):
        columns |= {f"{prefix}.{name}": values for name, values in group.items()}
    write_columns(columns, path)


def read_records(path: Path) -> Records:
    """Read what `write_records` wrote.

    Raises:
        InputError: the file is not readable Parquet.
    """
    columns = read_columns(path)
    return Records(
        case=columns["case"],
        label=columns["label"],
        image=columns.get("image"),
        sha256=columns.get("sha256"),
        subject=columns.get("subject"),
        attributes=_group(columns, "attribute."),
        features=_group(columns, "feature."),
        files=_group(columns, "file."),
    )


def _group(columns: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): values
        for name, values in columns.items()
        if name.startswith(prefix)
    }
