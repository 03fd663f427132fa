"""`titian accelerator estimate, explore, package`: options in, a table or one document out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.accelerator.models import small
from typer.testing import CliRunner

from titian.accelerator.exploration import space as spaces
from titian.cli.app import app

RUNNER = CliRunner()
TABLE = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
    "Num Filter, Strides,\n"
    "Conv1, 18, 18, 3, 3, 8, 16, 1,\n"
    "Block_DP, 18, 18, 3, 3, 4, 1, 1,\n"
)


def call(*words: str, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["accelerator", *words])
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_package_is_priced_in_words_and_in_json() -> None:
    text = call(
        "package", "--node", "5nm", "--area", "800", "--chiplets", "5", "--integration", "mcm"
    )
    assert "packaged        383.610 USD" in text
    assert "chiplets cost 45.1% less" in text
    assert "CSET 2020" in text
    document = json.loads(call("package", "--node", "5nm", "--area", "800", "--json"))
    assert document["yield"] == pytest.approx(0.43024, abs=5e-6)
    assert document["known_good_die_usd"] == pytest.approx(671.592, abs=5e-4)
    assert document["packaged_usd"] == pytest.approx(698.578, abs=5e-4)
    assert document["gross_dies_per_wafer"] == pytest.approx(58.79, abs=0.01)
    assert document["inputs"]["wafer_usd"]["date"] == "2020"
    assert document["sensitivity"][0]["input"] == "die_area_mm2"
    measured = {item["name"]: item["value"] for item in document["measurements"]}
    assert (measured["die_area"], measured["node"], measured["dies"]) == (800, 5, 1)


def test_a_given_price_is_shown_as_given() -> None:
    text = call(
        "package", "--node", "7nm", "--area", "100", "--wafer-price", "9000",
        "--price-source", "quotation of 2026-10-01",
    )  # fmt: skip
    assert "wafer: 9000 USD per wafer (quotation of 2026-10-01)" in text


def test_a_wrong_package_exits_with_2() -> None:
    result = RUNNER.invoke(app, ["accelerator", "package", "--node", "5nm", "--area", "-1"])
    assert result.exit_code == 2
    assert "T-C002" in result.output


def test_a_table_is_estimated_layer_by_layer(tmp_path: Path) -> None:
    path = tmp_path / "net.csv"
    path.write_text(TABLE)
    words = ("estimate", str(path), "--rows", "8", "--cols", "8", "--dataflow", "ws")
    document = json.loads(call(*words, "--json"))
    assert document["design"]["machine"] == "scalesim"
    assert [layer["name"] for layer in document["layers"]] == [
        "Conv1",
        *(f"Block_DPChannel_{channel}" for channel in range(4)),
    ]
    first = document["layers"][0]
    assert first["cycles"] == 9 * 2 * (256 + 16 + 8 - 2) - 1
    assert first["utilization"] == pytest.approx(256 * 72 * 16 / (first["cycles"] * 64))
    assert first["stall_cycles"] == 0
    assert document["total"]["cycles"] == sum(x["cycles"] for x in document["layers"])
    text = call(*words)
    assert "net.csv on 8 x 8 ws (scalesim)" in text
    assert "No bandwidth was stated" in text


def test_a_model_is_estimated_and_what_is_left_out_is_named(tmp_path: Path) -> None:
    path = str(small(tmp_path, "n"))
    words = ("estimate", path, "--rows", "8", "--cols", "8", "--dataflow", "os")
    result = RUNNER.invoke(app, ["accelerator", *words])
    assert result.exit_code == 2
    assert "--shape x=1,3,32,32" in result.output
    words = (*words, "--shape", "x=1,3,32,32", "--bandwidth", "1")
    text = call(*words)
    assert "Softmax softmax: the operator is not supported" in text
    document = json.loads(call(*words, "--json"))
    assert document["not_accelerated"]["count"] == 1
    assert document["total"]["stall_cycles"] > 0
    names = {item["name"] for item in document["measurements"]}
    assert {"mac_units", "operand_bits", "clock", "dense_tops", "die_area"} <= names
    assert {"transistors", "memory_bandwidth", "node"} <= names


def test_a_front_is_found_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = spaces.Space(
        rows=(4, 16), cols=(8,), sram_kib=(64.0,), bandwidths_gbps=(3.2,), nodes=("28nm",)
    )
    monkeypatch.setattr(spaces, "make_space", lambda **_: made)
    path = str(small(tmp_path))
    document = json.loads(
        call("explore", path, "--figures", str(tmp_path / "pictures"), "--json")
    )
    assert document["points"] == made.points
    assert document["front"]
    assert {"latency_ms", "energy_mj", "price_usd", "chiplets"} <= set(document["front"][0])
    drawn = sorted(Path(name).name for name in document["figures"])
    assert drawn == [
        "cost_by_chiplets.svg",
        "pareto_front.svg",
        "roofline.svg",
        "utilization.svg",
    ]
    assert all(Path(name).read_text().startswith("<svg") for name in document["figures"])
    assert "that no other beats" in call("explore", path)


def test_pictures_that_cannot_be_written_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = spaces.Space(rows=(4,), cols=(8,), nodes=("28nm",), chiplets=(1,))
    monkeypatch.setattr(spaces, "make_space", lambda **_: made)
    blocked = tmp_path / "file"
    blocked.write_text("")
    result = RUNNER.invoke(
        app, ["accelerator", "explore", str(small(tmp_path)), "--figures", str(blocked)]
    )
    assert result.exit_code == 2
    assert "T-C026" in result.output
