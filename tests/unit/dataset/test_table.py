"""Tables are read strictly; what is doubtful is refused with its place."""

from __future__ import annotations

import io
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from titian.dataset.table import parse_table, read_table
from titian.errors import InputError


def refusal(data: bytes, name: str = "t.csv") -> str:
    with pytest.raises(InputError) as caught:
        parse_table(data, name=name)
    return str(caught.value)


def test_reads_text_with_or_without_a_byte_order_mark():
    for head in (b"", b"\xef\xbb\xbf"):
        table = parse_table(
            head + 'image,label\n"a,b.png",1\r\n\nc.png,é\n'.encode(), name="t.csv"
        )
        assert table.columns == {"image": ["a,b.png", "c.png"], "label": ["1", "é"]}
        assert table.place(1) == "line 4"


def test_reads_tabs_where_the_name_says_so():
    assert parse_table(b"a\tb\n1\t2\n", name="t.tsv").columns == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize("data", [b"", b"\n\n", b"a,b\n", b"\xef\xbb\xbf"])
def test_refuses_a_table_without_rows(data):
    assert refusal(data).startswith("T-D002: the table t.csv ")


def test_names_the_line_and_the_byte_that_is_not_utf8():
    assert refusal(b"\xef\xbb\xbfa,b\n1,2\n1,caf\xe9\n") == (
        "T-D003: t.csv is not UTF-8: line 3 holds the byte 0xe9, which no character has there. "
        "Save the whole table as UTF-8; parts of it may come from files in Latin-1 or "
        "Windows-1252."
    )


def test_refuses_utf16():
    assert refusal("a,b\n1,2\n".encode("utf-16")) == (
        "T-D003: t.csv is UTF-16 (it starts with the bytes ff fe); tables are UTF-8. "
        "Save the table as UTF-8."
    )


def test_refuses_a_nul_byte_with_its_line():
    assert refusal(b"a,b\n1,\x00\n") == (
        "T-D004: t.csv has a NUL byte on line 2; text holds none. "
        "Export the table again; the file is damaged or not text."
    )


def test_names_every_ragged_row():
    assert refusal(b"a,b\n1\n1,2\n1,2,3\n") == (
        "T-D005: t.csv has 2 columns, but line 2 has 1, line 4 has 3; every row has as many "
        "cells as the header. "
        "Complete the rows, or put quotation marks around cells that hold commas."
    )


def test_refuses_an_unclosed_quotation_mark():
    assert refusal(b'a,b\n"1,2\n3,4\n') == (
        "T-D005: t.csv cannot be parsed at line 3 (unexpected end of data). "
        "Check the quotation marks from the row before on."
    )


def test_refuses_semicolons():
    assert refusal(b"a;b\n1;2\n") == (
        "T-D006: the header of t.csv is one cell, 'a;b'; cells are separated by commas (.csv) "
        "or tabs (.tsv). Save the table with commas."
    )


def test_refuses_duplicate_and_blank_names_together():
    assert refusal(b"a,,a\n1,2,3\n") == (
        "T-D007: column 2 of t.csv has no name. Name it in the header, or remove the column.\n"
        "T-D007: columns 1 and 3 of t.csv are both named 'a'; names are used once. "
        "Rename or remove all but one."
    )


def test_a_missing_table_says_so(tmp_path):
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "labels.csv")
    assert str(caught.value) == (
        "T-D001: the table labels.csv cannot be read (No such file or directory). "
        "Correct data.table, which is relative to the data folder (--data)."
    )


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def test_parquet_numbers_become_their_shortest_text():
    columns = {
        "i": [1, 2],
        "f": [1.0, None],
        "g": [0.5, float("nan")],
        "b": [True, False],
        "t": ["a", None],
    }
    table = parse_table(parquet(pa.table(columns)), name="t.parquet")
    assert table.columns == {
        "i": ["1", "2"],
        "f": ["1", ""],
        "g": ["0.5", ""],
        "b": ["true", "false"],
        "t": ["a", ""],
    }
    assert table.place(1) == "row 1"


def test_refuses_cut_parquet_at_every_length():
    data = parquet(pa.table({"a": np.arange(100)}))
    for length in range(4, len(data), 97):
        assert refusal(data[:length], "t.parquet").startswith(
            "T-D008: t.parquet cannot be read"
        )


def test_refuses_nested_and_empty_parquet():
    assert refusal(parquet(pa.table({"a": [[1], [2]]})), "t.parquet") == (
        "T-D009: column 'a' of t.parquet has the type list<element: int64>; cells hold one "
        "value each. Flatten the column, or remove it."
    )
    empty = parquet(pa.table({"a": pa.array([], pa.int64())}))
    assert refusal(empty, "t.parquet").startswith("T-D002: the table t.parquet has a header")


def test_a_pipe_in_place_of_a_table_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "labels.csv")
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / "labels.csv")
    assert str(caught.value) == (
        "T-D001: the table labels.csv cannot be read (Not a regular file). "
        "Correct data.table, which is relative to the data folder (--data)."
    )
