"""SCALE-Sim's tables are read as SCALE-Sim reads them, and wrong rows are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from titian.accelerator.workload.topology import read_topology
from titian.errors import InputError

HEAD = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
    "Num Filter, Strides,\n"
)


def write(folder: Path, text: str) -> Path:
    path = folder / "net.csv"
    path.write_text(text)
    return path


def test_a_convolution_becomes_a_product(tmp_path: Path) -> None:
    work = read_topology(write(tmp_path, HEAD + "Conv1, 227, 227, 11, 11, 3, 96, 4,\n"))
    (layer,) = work.layers
    assert (layer.name, layer.m, layer.k, layer.n) == ("Conv1", 55 * 55, 363, 96)
    assert (layer.inputs, layer.weights) == (227 * 227 * 3, 363 * 96)


def test_a_window_may_hang_over_the_edge(tmp_path: Path) -> None:
    # (226 - 3 + 2) / 2 = 112.5, which SCALE-Sim rounds up.
    work = read_topology(write(tmp_path, HEAD + "a, 226, 226, 3, 3, 3, 32, 2,\n"))
    assert work.layers[0].m == 113 * 113


def test_a_depthwise_row_is_one_layer_per_channel(tmp_path: Path) -> None:
    work = read_topology(write(tmp_path, HEAD + "Block1_DP, 10, 10, 3, 3, 4, 1, 1,\n"))
    assert [layer.name for layer in work.layers] == [
        f"Block1_DPChannel_{channel}" for channel in range(4)
    ]
    assert {(layer.m, layer.k, layer.n, layer.inputs) for layer in work.layers} == {
        (64, 9, 1, 100)
    }


def test_products_strides_and_sparsity_are_read(tmp_path: Path) -> None:
    work = read_topology(
        write(
            tmp_path, "Layer, M, N, K,\nqk, 7, 5, 3,\nv,8,6,4,2:4,\n\nc,9,9,3,3,1,2,2,3,1:1\n"
        )
    )
    assert [(x.name, x.m, x.k, x.n) for x in work.layers] == [
        ("qk", 7, 3, 5),
        ("v", 8, 4, 6),
        ("c", 4 * 3, 9, 2),
    ]
    assert work.notes == ("Sparsity ratios are not modelled: every layer is counted dense.",)


def test_all_wrong_rows_are_told_with_their_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path, HEAD + "a, 2, 2, 3, 3, 1, 1, 1,\nb, 0, 2, 1, 1, 1, 1, 1,\nc, 1, 2,\n"
    )
    with pytest.raises(InputError) as caught:
        read_topology(path)
    assert str(caught.value) == (
        "T-C012: net.csv:2: a filter of 3 x 3 does not fit an input of 2 x 2. State the input "
        "with its padding.\n"
        "T-C011: net.csv:3: '0' is not a whole number from 1 to 2147483647. Give whole "
        "numbers.\n"
        "T-C011: net.csv:4: a row of 3 fields is neither a convolution (8) nor a product (4). "
        "Write name, IH, IW, FH, FW, channels, filters, stride; or name, M, N, K."
    )


@pytest.mark.parametrize("text", ["", HEAD])
def test_a_table_without_layers_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        read_topology(write(tmp_path, text))
    assert str(caught.value) == (
        "T-C010: topology net.csv cannot be used: it holds no layer. Give a table of "
        "comma-separated values in SCALE-Sim's format."
    )


def test_a_missing_or_binary_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"T-C010: topology none\.csv cannot be read"):
        read_topology(tmp_path / "none.csv")
    (tmp_path / "net.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"T-C010.*it is no UTF-8 text"):
        read_topology(tmp_path / "net.csv")


def test_too_many_channels_and_products_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="more than 1,000,000 layers"):
        read_topology(write(tmp_path, HEAD + "DP, 3, 3, 3, 3, 2000000, 1, 1,\n"))
    big = 2**31 - 1
    with pytest.raises(InputError, match=r"its products exceed 2\^60"):
        read_topology(write(tmp_path, f"l,M,N,K\na,{big},{big},{big}\n"))
