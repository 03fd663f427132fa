"""Reading a table of predictions: columns as codes and names, or as numbers.

A million rows are read into integer codes, never into a million strings. What is doubtful is
refused with its place, all problems of one table together. CSV (UTF-8, RFC 4180, tabs in
``.tsv``) or Parquet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from titian.dataset.table import parse_table
from titian.errors import InputError, Problem
from titian.statistics.estimate import Bools, Floats

if TYPE_CHECKING:
    import pyarrow as pa

Codes = NDArray[np.int32]

BLANK = ""
SHOWN = 5  # places named in one message; the rest are counted
DIAGNOSED_BYTES = 100_000_000  # a larger damaged file is not read again to name the line
HEAD_BYTES = 1 << 20  # the header lies within


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text.

    Attributes:
        name: of the column.
        code: shape (n,), index into `names`.
        names: each text once, verbatim; `BLANK` for an empty or missing cell.
    """

    name: str
    code: Codes
    names: tuple[str, ...]

    def blank(self) -> Bools:
        """Return which cells are empty, shape (n,)."""
        empty = np.array([not name.strip() for name in self.names], dtype=np.bool_)
        return np.asarray(empty[self.code], dtype=np.bool_)

    def equals(self, name: str) -> Bools:
        """Return which cells hold the text `name`, shape (n,)."""
        return np.asarray(np.array([n == name for n in self.names])[self.code], dtype=np.bool_)

    def numbers(self) -> Floats | None:
        """Return the cells as numbers, NaN where empty; None where one is no number."""
        found = np.full(len(self.names), np.nan)
        for place, name in enumerate(self.names):
            if name.strip():
                try:
                    found[place] = float(name)
                except ValueError:
                    return None
        return np.asarray(found[self.code], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTable:
    """The columns that were asked for; n rows.

    Attributes:
        name: file name, for messages.
        rows: n.
        text: column -> text, names in order of first appearance.
        numbers: column -> shape (n,), NaN where a cell is empty or is no number.
        columns: every column that the file has, in its order.
    """

    name: str
    rows: int
    text: dict[str, Column] = field(default_factory=dict)
    numbers: dict[str, Floats] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.rows


def read_table_of_cases(
    path: Path, *, text: Iterable[str] = (), numbers: Iterable[str] = ()
) -> CaseTable:
    """Read some columns of a table, one row a case.

    Args:
        path: CSV or Parquet.
        text: columns to read as text; `Column.numbers` makes numbers of one.
        numbers: columns to read as numbers.

    Raises:
        InputError: T-V100 the file cannot be read, T-V101 it lacks a column; T-D002 to
            T-D009 it is damaged, and where; T-V117 a column holds lists, records or bytes.
    """
    wanted_text = tuple(dict.fromkeys(text))
    wanted_numbers = tuple(name for name in dict.fromkeys(numbers) if name not in wanted_text)
    table, names = _read(path, wanted_text, wanted_numbers)
    _refuse_kinds(table, path.name)
    return CaseTable(
        name=path.name,
        rows=table.num_rows,
        text={name: _text(table.column(name), name) for name in wanted_text},
        numbers={name: _numbers(table.column(name)) for name in wanted_numbers},
        columns=names,
    )


def class_name(text: str) -> str:
    """Write a class in one way: 1, 1.0, 01, true and True are one; other text as it stands."""
    try:
        number = float(text)
    except ValueError:
        word = text.strip()
        return {"true": "1", "false": "0"}.get(word.lower(), word)
    return str(int(number)) if number.is_integer() else repr(number)


def place_of(row: int) -> str:
    """Name a row, counted from 0, as its reader would look it up."""
    return f"row {row + 1} below the header"


def places_of(rows: NDArray[np.int64]) -> str:
    """Name some rows: the first few, and how many more there are."""
    named = ", ".join(str(int(row) + 1) for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {named}{more} below the header"


def _read(
    path: Path, text: Sequence[str], numbers: Sequence[str]
) -> tuple[pa.Table, tuple[str, ...]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, (error.strerror or "unknown reason").lower()) from error
    wanted = (*text, *numbers)
    parquet = path.suffix.lower() in (".parquet", ".pq") or head[:4] == b"PAR1"
    if not head or (not parquet and head[:2] in (b"\xff\xfe", b"\xfe\xff")):
        parse_table(head, name=path.name)  # raises, saying which
    try:
        names = tuple(pq.read_schema(path).names) if parquet else _header(head, path)
        _need(wanted, names, path.name)
        if parquet:
            table = pq.read_table(path, columns=list(wanted))
        else:
            table = _read_csv(path, text, numbers)
    except (OSError, pa.ArrowException) as error:
        _diagnose(path)
        reason = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        raise _unreadable(path, reason) from error
    if not table.num_rows:
        _diagnose(path)
        raise _unreadable(path, "it has no rows")
    return table, names


def _header(head: bytes, path: Path) -> tuple[str, ...]:
    source = io.StringIO(head.decode("utf-8-sig", "ignore"), newline="")
    try:
        first = next((row for row in csv.reader(source, delimiter=_delimiter(path)) if row), [])
    except csv.Error:
        first = []
    names = tuple(first)
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        _diagnose(path)
    return names


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _read_csv(path: Path, text: Sequence[str], numbers: Sequence[str]) -> pa.Table:
    """Read the columns; numbers as text where a cell is no number."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    coded = pa.dictionary(pa.int32(), pa.string())

    def read(kind: pa.DataType) -> pa.Table:
        types = dict.fromkeys(text, coded) | dict.fromkeys(numbers, kind)
        return arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(use_threads=False),
            parse_options=arrow_csv.ParseOptions(
                delimiter=_delimiter(path), newlines_in_values=True
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=[*text, *numbers],
                column_types=types,
                strings_can_be_null=False,
            ),
        )

    try:
        return read(pa.float64())
    except pa.ArrowInvalid:
        if not numbers:
            raise
    return read(pa.string())


def _need(wanted: Sequence[str], names: Sequence[str], table: str) -> None:
    absent = [name for name in dict.fromkeys(wanted) if name not in names]
    if absent:
        raise InputError(
            Problem(
                code="T-V101",
                message=f"{table} has no column {' and no column '.join(map(repr, absent))}; "
                f"its columns are {', '.join(map(repr, names))}.",
                remedy="Name columns as they are written in the first line.",
            )
        )


def _diagnose(path: Path) -> None:
    """Raise the strict reader's account of a damaged file, which names the line."""
    if path.stat().st_size <= DIAGNOSED_BYTES:
        parse_table(path.read_bytes(), name=path.name)


def _refuse_kinds(table: pa.Table, name: str) -> None:
    """Refuse columns of Parquet whose cells are neither text, numbers, truths nor dates."""
    import pyarrow as pa

    def plain(kind: pa.DataType) -> bool:
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        return not (
            pa.types.is_nested(kind)
            or pa.types.is_binary(kind)
            or pa.types.is_large_binary(kind)
            or pa.types.is_fixed_size_binary(kind)
            or pa.types.is_duration(kind)
            or pa.types.is_interval(kind)
        )

    strange = [column for column in table.schema if not plain(column.type)]
    if strange:
        raise InputError(
            *(
                Problem(
                    code="T-V117",
                    message=f"column {column.name!r} of {name} holds {column.type}; a column "
                    "holds one text, number, truth value or date for each case.",
                    remedy="Write one value into each cell, or leave the column out.",
                )
                for column in strange
            )
        )


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(
        Problem(
            code="T-V100",
            message=f"{path.name or path} cannot be read as a table ({reason}).",
            remedy="Name a CSV file in UTF-8 or a Parquet file with a row for each case.",
        )
    )


def _text(cells: pa.ChunkedArray, name: str) -> Column:
    import pyarrow as pa

    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if pa.types.is_floating(kind):
        cells = pa.chunked_array([pa.array(_written(cells), pa.string())])
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        cells = cells.cast(pa.string())
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    whole = cells.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0)
    names = [BLANK if text is None else text for text in whole.dictionary.to_pylist()]
    code = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    if (code < 0).any():
        blank = names.index(BLANK) if BLANK in names else len(names)
        names = names if blank < len(names) else [*names, BLANK]
        code[code < 0] = blank
    return Column(name=name, code=code, names=tuple(names))


def _written(cells: pa.ChunkedArray) -> list[str | None]:
    """Write floats in their shortest form, whole ones without ``.0``."""
    return [
        None
        if value is None or value != value
        else str(int(value))
        if value.is_integer() and abs(value) < 2**53
        else repr(value)
        for value in cells.to_pylist()
    ]


def _numbers(cells: pa.ChunkedArray) -> Floats:
    import pyarrow as pa

    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type):
        return np.asarray(cells.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return np.array([_number(text) for text in cells.cast(pa.string()).to_pylist()])


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def encode(name: str, values: NDArray[np.object_] | Sequence[str]) -> Column:
    """Turn a list of text into a column.

    Args:
        name: of the column.
        values: n texts.
    """
    import pyarrow as pa

    return _text(pa.chunked_array([pa.array(values, pa.string())]), name)
