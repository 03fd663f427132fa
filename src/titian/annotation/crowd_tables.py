"""Columns of a crowd's tables: text as codes and names, numbers, and what is wrong there."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from titian.dataset.table import parse_table
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    import pyarrow as pa

Codes = NDArray[np.int32]
Floats = NDArray[np.float64]

NUMBERS = ("seconds", "cost")
SHOWN = 5  # places named in one message; the rest are counted
DIAGNOSED_BYTES = 100_000_000  # a larger damaged file is not read again to name the line


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text as codes and names.

    Attributes:
        code: shape (n,), index into `names`.
        names: each text once, verbatim.
    """

    code: Codes
    names: tuple[str, ...]


def open_table(path: Path) -> pa.Table:
    """Return a pyarrow table whose text columns are dictionaries."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError as error:
        raise refused(
            "T-A020",
            f"{path.name} cannot be read ({error.strerror}).",
            "Correct the path.",
        ) from error
    parquet = path.suffix.lower() in (".parquet", ".pq") or head[:4] == b"PAR1"
    if not parquet and head[:64].lstrip()[:1] in (b"{", b"[", b"<"):
        raise refused(
            "T-A412",
            f"{path.name} is JSON or XML; labels, gold and probabilities are tables.",
            "Export it as CSV or Parquet. Boxes, spans and segments go by titian annotation "
            "consensus --from FORMAT, and by convert.",
        )
    if not size or head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        parse_table(head, name=path.name)  # raises, saying which
    try:
        table = pq.read_table(path) if parquet else _read_csv(path, head)
    except (OSError, pa.ArrowException) as error:
        _diagnose(path, size)
        reason = str(error).split("\n", maxsplit=1)[0].rstrip(".")
        raise refused(
            "T-A024",
            f"{path.name} cannot be read as a table ({reason}).",
            "Export it again as CSV in UTF-8 or as Parquet.",
        ) from error
    names = table.column_names
    if not table.num_rows or len(set(names)) < len(names) or not all(map(str.strip, names)):
        _diagnose(path, size)
        raise refused("T-A002", f"{path.name} holds no rows.", "Give at least one row.")
    return table


def _read_csv(path: Path, head: bytes) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    text = io.StringIO(head.decode("utf-8-sig", "ignore"))
    try:
        first = next((row for row in csv.reader(text, delimiter=delimiter) if row), [])
    except csv.Error:
        first = []  # pyarrow or the strict reader says what is wrong
    kind = pa.dictionary(pa.int32(), pa.string())
    return arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(use_threads=False),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types={c: pa.string() if c in NUMBERS else kind for c in first},
            strings_can_be_null=False,
        ),
    )


def _diagnose(path: Path, size: int) -> None:
    """Raise the strict reader's account of a damaged file, which names the line."""
    if size <= DIAGNOSED_BYTES:
        parse_table(path.read_bytes(), name=path.name)


def need(table: pa.Table, needed: tuple[str, ...], name: str) -> None:
    """Refuse a table that lacks a column: T-A021."""
    absent = [column for column in needed if column not in table.column_names]
    if absent:
        raise refused(
            "T-A021",
            f"{name} has no column {' and no column '.join(map(repr, absent))}; "
            f"its columns are {', '.join(map(repr, table.column_names))}.",
            f"Name the columns {', '.join(needed)} in the first line.",
        )


def text_column(
    table: pa.Table, column: str, name: str, problems: list[Problem], *, empty: bool = False
) -> Column:
    """Read text verbatim; what is wrong with it goes to `problems`, `empty` allows blanks."""
    import pyarrow as pa

    cells = table.column(column)
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    textual = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (textual or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        problems.append(
            Problem(
                code="T-A029",
                message=f"column {column!r} of {name} has the type {kind}; {column} is text "
                "or an integer, so that it comes back as it was written.",
                remedy="Write the column as text.",
            )
        )
        return Column(code=np.zeros(0, dtype=np.int32), names=())
    if not textual:
        cells = cells.cast(pa.string())
    if not pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    whole = cells.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0) if whole.num_chunks else pa.array([], cells.type)
    names = ["" if text is None else text for text in whole.dictionary.to_pylist()]
    code = whole.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    blank = [place for place, text in enumerate(names) if not text.strip()]
    missing = np.flatnonzero((code < 0) | np.isin(code, blank))
    if len(missing) and not empty:
        problems.append(
            Problem(
                code="T-A022",
                message=f"column {column!r} of {name} is empty in {len(missing)} rows "
                f"({_places(missing)}); a vote has a task, a worker and a label.",
                remedy="Complete the rows, or remove them: a missing vote has no row.",
            )
        )
    if (code < 0).any():
        names = [*names, ""]
        code[code < 0] = len(names) - 1
    odd = [text for text in names if "\0" in text]
    if odd:
        problems.append(
            Problem(
                code="T-A024",
                message=f"column {column!r} of {name} holds NUL characters "
                f"(first: {odd[0]!r}); text holds none.",
                remedy="Export the table again; the file is damaged or not text.",
            )
        )
    return _by_appearance(code, names)


def _by_appearance(code: Codes, names: list[str]) -> Column:
    """Number the names by first appearance, each text once, unused names left out."""
    first = np.full(len(names), len(code), dtype=np.int64)
    first[code[::-1]] = np.arange(len(code))[::-1]  # the last write, the earliest row, stays
    order = [int(i) for i in np.argsort(first, kind="stable") if first[i] < len(code)]
    table = np.full(len(names), -1, dtype=np.int32)
    table[order] = np.arange(len(order), dtype=np.int32)
    return Column(code=table[code], names=tuple(names[i] for i in order))


def number_column(
    table: pa.Table,
    column: str,
    name: str,
    problems: list[Problem],
    *,
    probability: bool = False,
) -> Floats:
    """Read numbers; an empty cell is NaN."""
    import pyarrow as pa

    cells = table.column(column)
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type):
        value: Floats = cells.cast(pa.float64()).to_numpy().astype(np.float64)
        written = None
    else:
        written = [text or "" for text in cells.cast(pa.string()).to_pylist()]
        value = np.asarray([_number(text) for text in written], dtype=np.float64)
    if probability:
        return value
    blank = np.isnan(value) if written is None else np.asarray([not t.strip() for t in written])
    wrong = np.flatnonzero(~blank & ~(np.isfinite(value) & (value >= 0)))
    if len(wrong):
        shown = value[wrong[0]] if written is None else repr(written[wrong[0]])
        problems.append(
            Problem(
                code="T-A023",
                message=f"column {column!r} of {name} has {len(wrong)} cells that are no "
                f"number of at least 0 (first: {shown} at {place_of(int(wrong[0]))}).",
                remedy="Correct the cells; leave a cell empty where nothing is known.",
            )
        )
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def place_of(row: int) -> str:
    """Name a row, counted from 0, as people count rows."""
    return f"row {row + 1} below the header"


def _places(rows: NDArray[np.int64]) -> str:
    named = ", ".join(str(int(row) + 1) for row in rows[:SHOWN])
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"row {named}{more} below the header"


def more(items: list[str]) -> str:
    """Count what a message does not name."""
    return f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""


def refused(code: str, message: str, remedy: str) -> InputError:
    """Return the error of one problem."""
    return InputError(Problem(code=code, message=message, remedy=remedy))
