"""`titian validate predictions`: one document, three exits, nothing that vanishes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from titian.cli.app import app


def call(*words: object):
    return CliRunner().invoke(app, ["validate", "predictions", *map(str, words)])


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Path:
    rng = np.random.default_rng(3)
    n = 1_200
    label = rng.random(n) < 0.4
    group = rng.choice(["f", "m"], n)
    missed = label & (group == "f") & (rng.random(n) < 0.5)
    called = label & ~missed
    path = tmp_path_factory.mktemp("scored") / "scored.csv"
    rows = [
        f"{int(a)},{int(b)},{g}" for a, b, g in zip(label, called, group.tolist(), strict=True)
    ]
    path.write_text("\n".join(["y,p,sex", *rows, "0,0,x", "0,0,x"]) + "\n")
    return path


def test_the_document_names_measures_gaps_and_what_is_not_shown(scored):
    result = call(scored, "--label", "y", "--prediction", "p", "--group", "sex", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["cases"] == 1_202
    overall = document["measurements"][0]
    assert set(overall) == {"name", "subgroup", "value", "low", "high", "n", "unit", "method"}
    assert (overall["name"], overall["subgroup"]) == ("prevalence", None)
    hidden = next(
        item
        for item in document["measurements"]
        if item["name"] == "sensitivity" and item["subgroup"] == {"sex": "x"}
    )
    assert hidden["value"] is None
    assert hidden["verdict"] == "not shown"
    assert hidden["reason"] == "no positives; at least 10 are needed"
    assert hidden["cases_needed"] == 10
    gap = next(item for item in document["gaps"] if item["name"] == "equal_opportunity")
    assert gap["by"] == ["sex"]
    assert gap["low"] > 0.3
    assert gap["high"] >= 0.99  # nothing is known of x
    assert gap["lowest"] == {"sex": "f"}
    assert gap["not_shown"][0]["subgroup"] == {"sex": "x"}
    assert "verdict" not in gap


def test_a_bound_that_is_not_met_exits_1(scored):
    result = call(
        scored,
        "--label",
        "y",
        "--prediction",
        "p",
        "--group",
        "sex",
        "--max-gap",
        0.1,
        "--json",
    )
    assert result.exit_code == 1
    gaps = {gap["name"]: gap for gap in json.loads(result.stdout)["gaps"]}
    assert gaps["equal_opportunity"]["verdict"] == "not met"
    assert "verdict" not in gaps["equal_opportunity_ratio"]


def test_the_table_says_what_is_not_shown(scored):
    result = call(scored, "--label", "y", "--prediction", "p", "--group", "sex")
    assert result.exit_code == 0, result.output
    assert "Gaps by sex" in result.stdout
    assert (
        "Not shown for sex=x: 2 cases; at least 10 are needed, no positives;" in result.stdout
    )


def test_a_wrong_call_exits_2_with_a_document(scored):
    result = call(scored, "--label", "y", "--prediction", "p", "--group", "age", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["errors"][0]["code"] == "T-V101"


def test_what_a_cell_holds_does_not_steer_the_terminal(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("y,p,g\n" + "1,1,\x1b[31mred\n0,0,blue\n" * 20)
    result = call(path, "--label", "y", "--prediction", "p", "--group", "g")
    assert result.exit_code == 0, result.output
    assert "\x1b[31mred" not in result.output
    assert "g=\\x1b[31mred" in result.output
