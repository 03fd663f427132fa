"""Parquet files whose bytes depend on nothing but their content and pyarrow's version.

Missing text is ``""`` and a missing number NaN in memory; both are null in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.errors import InputError, Problem

Column = NDArray[Any]


def write_columns(columns: Mapping[str, Column], path: Path) -> None:
    """Write named columns of one length, text (kind U or O), integers or floats.

    Raises:
        ValueError: the lengths differ or a column has a kind that is not listed above.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {name: _arrow(column) for name, column in columns.items()}
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise ValueError(f"columns of one table have one length, not {lengths}")
    pq.write_table(
        pa.table(arrays),
        path,
        compression="zstd",
        version="2.6",
        store_schema=False,
        write_statistics=False,
    )


def read_columns(path: Path) -> dict[str, Column]:
    """Read what `write_columns` wrote: text as ``U``, integers as int64, floats as float64.

    Raises:
        InputError: the file is missing, damaged or holds other kinds of column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not read_table: that imports pyarrow's datasets, and they import pandas.
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            Problem(
                code="T-D060",
                message=f"{path.name} cannot be read as Parquet ({error}).",
                remedy="Remove it and run again, so that it is made anew.",
            )
        ) from error
    return {name: _numpy(table.column(name)) for name in table.column_names}


def text(values: object) -> NDArray[np.str_]:
    """Return a sequence of strings as an array of kind ``U``, empty ones included."""
    array = np.asarray(values)
    return array.astype(np.str_) if array.size else np.zeros(array.shape, dtype="U1")


def _arrow(column: Column) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa

    match column.dtype.kind:
        case "U" | "O" | "T":
            values = [str(value) or None for value in column.tolist()]
            return pa.array(values, type=pa.string())
        case "i" | "u":
            return pa.array(column.astype(np.int64))
        case "f":
            return pa.array(column.astype(np.float64), from_pandas=True)
        case kind:
            raise ValueError(f"columns hold text, integers or floats, not kind {kind!r}")


def _numpy(column: Any) -> Column:  # noqa: ANN401
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return text([value or "" for value in column.to_pylist()])
    if pa.types.is_integer(column.type):
        return np.asarray(column.to_numpy(), dtype=np.int64)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
