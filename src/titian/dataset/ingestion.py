"""From the table's text and the images' files to records, measurements and findings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.dataset.canonical import band, canonical, is_missing, number
from titian.dataset.fingerprint import fingerprint
from titian.dataset.images import UnreadableImageError, decode, read_bytes
from titian.dataset.inspection import feature_columns
from titian.dataset.labels import Labels
from titian.dataset.parquet import text
from titian.dataset.records import Records
from titian.dataset.table import Table
from titian.errors import Problem
from titian.values import Data


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """What one image's file told; `problem` says why it cannot be used."""

    sha256: str = ""
    width: int = 0
    height: int = 0
    bits: int = 0
    device: str = ""
    fingerprint: str = ""
    problem: Problem | None = None
    reason: str = ""


def look_at(root: Path, paths: Sequence[str]) -> list[ImageFile]:
    """Read, digest, decode and fingerprint images."""
    return [_look_at_one(root, path) for path in paths]


def records_of(table: Table, data: Data) -> Records:
    """Return the records of a table that `table_problems` found nothing wrong with.

    Images are named relative to the data folder; their digests come from `with_files`.
    """
    image = None
    if data.image is not None:
        parent = PurePosixPath(data.table).parent
        image = text([str(parent / cell.strip()) for cell in table.columns[data.image]])
    subject = None
    if data.subject is not None:
        subject = text([cell.strip() for cell in table.columns[data.subject]])
    return Records(
        case=np.arange(len(table), dtype=np.int64),
        label=text([canonical(cell) for cell in table.columns[data.label]]),
        image=image,
        subject=subject,
        attributes={
            attribute.column: _attribute(
                table.columns[attribute.column], attribute.bands, data.missing
            )
            for attribute in data.attributes
        },
        features={
            name: _feature(table.columns[name], data.missing)
            for name in feature_columns(table, data)
        },
    )


def relabelled(table: Table, data: Data, labels: Labels) -> Table:
    """Return a table whose label column holds these labels, ``""`` where a case has none."""
    column = [""] * len(table)
    for case, label in zip(labels.case.tolist(), labels.label.tolist(), strict=True):
        column[case] = label
    return replace(table, columns={**table.columns, data.label: column})


def side_of(table: Table, data: Data) -> NDArray[np.str_]:
    """Return the canonical text of the column that names the sides."""
    return text([canonical(cell) for cell in table.columns[data.split.column or ""]])


def with_files(records: Records, files: Sequence[ImageFile]) -> Records:
    """Return image records with what their files told, without the unusable ones."""
    usable = np.array([file.problem is None for file in files], dtype=bool)
    kept = [file for file in files if file.problem is None]
    columns: Mapping[str, NDArray[Any]] = {
        "width": np.array([file.width for file in kept], dtype=np.float64),
        "height": np.array([file.height for file in kept], dtype=np.float64),
        "bits": np.array([file.bits for file in kept], dtype=np.float64),
        "device": text([file.device for file in kept]),
        "fingerprint": text([file.fingerprint for file in kept]),
    }
    rest = records.take(usable)
    return Records(
        case=rest.case,
        label=rest.label,
        image=rest.image,
        sha256=text([file.sha256 for file in kept]),
        subject=rest.subject,
        attributes=rest.attributes,
        features=rest.features,
        files=columns,
    )


def _look_at_one(root: Path, path: str) -> ImageFile:
    try:
        data = read_bytes(root, path)
        picture = decode(data, name=path)
    except UnreadableImageError as error:
        return ImageFile(problem=error.problems[0], reason=error.reason)
    height, width = picture.pixels.shape
    return ImageFile(
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        bits=picture.bits,
        device=picture.device,
        fingerprint=fingerprint(picture.pixels).tobytes().hex(),
    )


def _attribute(
    cells: list[str], edges: tuple[float, ...], missing: tuple[str, ...]
) -> NDArray[np.str_]:
    values = []
    for cell in cells:
        if is_missing(cell, missing):
            values.append("")
        elif edges:
            value = number(cell)
            values.append("" if value is None else band(value, edges))
        else:
            values.append(canonical(cell))
    return text(values)


def _feature(cells: list[str], missing: tuple[str, ...]) -> NDArray[Any]:
    values: list[float] = []
    for cell in cells:
        value = np.nan if is_missing(cell, missing) else number(cell)
        if value is None:
            return text(["" if is_missing(c, missing) else canonical(c) for c in cells])
        values.append(value)
    return np.asarray(values, dtype=np.float64)
