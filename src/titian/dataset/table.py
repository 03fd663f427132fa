"""Reading a CSV or Parquet table strictly: what is doubtful is refused with its place.

CSV is RFC 4180 in UTF-8 (a byte order mark is allowed) with commas, or tabs where the name
ends in ``.tsv``. Blank lines are skipped, as every reader of CSV does.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.errors import InputError, Problem

FIELD_LIMIT = 1_000_000  # characters in one cell; more is an unclosed quotation mark
SHOWN = 5  # places named in one message; the rest are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table as text.

    Attributes:
        name: file name, for messages.
        columns: column -> its n cells as they are written; of Parquet, numbers in their
            shortest form, whole floats without ``.0``, and nulls as ``""``.
        lines: shape (n,), the line on which each row ends; None for Parquet.
    """

    name: str
    columns: dict[str, list[str]]
    lines: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def place(self, row: int) -> str:
        """Name a row, counted from 0, as its reader would look it up."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"

    def places(self, rows: NDArray[np.int64] | list[int]) -> str:
        """Name some rows: the first few, and how many more there are."""
        named = ", ".join(self.place(int(row)) for row in rows[:SHOWN])
        more = len(rows) - SHOWN
        return f"{named} and {more} more" if more > 0 else named


def read_table(path: Path) -> Table:
    """Read a table.

    Raises:
        InputError: the file is missing, empty, damaged, not UTF-8, ragged, has two columns
            of one name, or has no rows.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise _no_access(path, "Not a regular file")  # reading a pipe waits for ever
        data = path.read_bytes()
    except OSError as error:
        raise _no_access(path, error.strerror) from error
    return parse_table(data, name=path.name)


def _no_access(path: Path, reason: str | None) -> InputError:
    return _refused(
        "T-D001",
        f"the table {path.name} cannot be read ({reason}).",
        "Correct data.table, which is relative to the data folder (--data).",
    )


def parse_table(data: bytes, *, name: str) -> Table:
    """Parse the bytes of a table; the suffix of `name` says which kind it is.

    Raises:
        InputError: as `read_table`.
    """
    if not data:
        raise _refused("T-D002", f"the table {name} is empty (0 bytes).", _GIVE_ROWS)
    if name.lower().endswith((".parquet", ".pq")) or data[:4] == b"PAR1":
        table = _parse_parquet(data, name=name)
    else:
        table = _parse_csv(data, name=name)
    if not len(table):
        raise _refused("T-D002", f"the table {name} has a header and no rows.", _GIVE_ROWS)
    return table


_GIVE_ROWS = "Give a table with a header and at least one row."


def _refused(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))


def _parse_csv(data: bytes, *, name: str) -> Table:
    rows, lines = _rows(_decode(data, name=name), name=name)
    if not rows:
        raise _refused("T-D002", f"the table {name} holds only blank lines.", _GIVE_ROWS)
    header = [cell.strip() for cell in rows[0]]
    _check_names(header, name=name)
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise _refused(
            "T-D006",
            f"the header of {name} is one cell, {header[0]!r}; cells are separated by commas "
            "(.csv) or tabs (.tsv).",
            "Save the table with commas.",
        )
    ragged = [place for place, row in enumerate(rows) if len(row) != len(header)]
    if ragged:
        named = ", ".join(f"line {lines[i]} has {len(rows[i])}" for i in ragged[:SHOWN])
        more = f" and {len(ragged) - SHOWN} more rows differ" if len(ragged) > SHOWN else ""
        raise _refused(
            "T-D005",
            f"{name} has {len(header)} columns, but {named}{more}; "
            "every row has as many cells as the header.",
            "Complete the rows, or put quotation marks around cells that hold commas.",
        )
    columns = [list(cells) for cells in zip(*rows[1:], strict=True)] or [[] for _ in header]
    return Table(
        name=name,
        columns=dict(zip(header, columns, strict=True)),
        lines=np.asarray(lines[1:], dtype=np.int64),
    )


def _decode(data: bytes, *, name: str) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _refused(
            "T-D003",
            f"{name} is UTF-16 (it starts with the bytes {data[0]:02x} {data[1]:02x}); "
            "tables are UTF-8.",
            "Save the table as UTF-8.",
        )
    zero = data.find(b"\0")
    if zero >= 0:
        raise _refused(
            "T-D004",
            f"{name} has a NUL byte on line {_line(data, zero)}; text holds none.",
            "Export the table again; the file is damaged or not text.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from behind the byte order mark.
        start = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        raise _refused(
            "T-D003",
            f"{name} is not UTF-8: line {_line(data, start)} holds the byte "
            f"0x{data[start]:02x}, which no character has there.",
            "Save the whole table as UTF-8; parts of it may come from files in Latin-1 or "
            "Windows-1252.",
        ) from error


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _rows(text: str, *, name: str) -> tuple[list[list[str]], list[int]]:
    delimiter = "\t" if name.lower().endswith(".tsv") else ","
    before = csv.field_size_limit(FIELD_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise _refused(
            "T-D005",
            f"{name} cannot be parsed at line {reader.line_num} ({error}).",
            "Check the quotation marks from the row before on.",
        ) from error
    finally:
        csv.field_size_limit(before)
    return rows, lines


def _check_names(header: list[str], *, name: str) -> None:
    problems = [
        Problem(
            code="T-D007",
            message=f"column {place} of {name} has no name.",
            remedy="Name it in the header, or remove the column.",
        )
        for place, column in enumerate(header, start=1)
        if not column
    ]
    for column in sorted({c for c in header if c and header.count(c) > 1}):
        at = " and ".join(str(i) for i, c in enumerate(header, start=1) if c == column)
        problems.append(
            Problem(
                code="T-D007",
                message=f"columns {at} of {name} are both named {column!r}; "
                "names are used once.",
                remedy="Rename or remove all but one.",
            )
        )
    if problems:
        raise InputError(*problems)


def _parse_parquet(data: bytes, *, name: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
        names = list(table.column_names)
        _check_names(names, name=name)
        columns = {column: _cells(table.column(column), column, name) for column in names}
    except (OSError, pa.ArrowException) as error:
        reason = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        raise _refused(
            "T-D008",
            f"{name} cannot be read as Parquet ({reason}).",
            "Export it again; the file is damaged or cut short.",
        ) from error
    if not columns:
        raise _refused("T-D002", f"the table {name} has no columns.", _GIVE_ROWS)
    return Table(name=name, columns=columns)


def _cells(column: object, label: str, name: str) -> list[str]:
    import pyarrow as pa

    kind = column.type  # type: ignore[attr-defined]  # pyarrow has no types
    if pa.types.is_nested(kind):
        raise _refused(
            "T-D009",
            f"column {label!r} of {name} has the type {kind}; cells hold one value each.",
            "Flatten the column, or remove it.",
        )
    return [_cell(value) for value in column.to_pylist()]  # type: ignore[attr-defined]  # as above


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            if value != value:
                return ""
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case bytes():
            return value.decode("utf-8", errors="backslashreplace")
        case _:
            return str(value)
