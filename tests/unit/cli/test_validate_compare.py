"""`titian validate compare`: two tables in, a table of verdicts or one JSON document out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from titian.cli.app import app

RUNNER = CliRunner()
COMMON = ("--case", "id", "--label", "y", "--prediction", "p", "--score", "s")


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(11)
    n = 500
    label = rng.random(n) < 0.4
    common = rng.standard_normal(n)
    paths = tmp_path / "old.csv", tmp_path / "new.csv"
    for path, distance in zip(paths, (1.5, 2.6), strict=True):
        reading = 0.7 * common + 0.71 * rng.standard_normal(n) + distance * label
        score = 1 / (1 + np.exp(-(distance * reading - distance**2 / 2 - 0.4)))
        with path.open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["id", "y", "p", "s", "sex", "patient"])
            for i in rng.permutation(n):
                out.writerow(
                    [i, int(label[i]), int(score[i] > 0.4), score[i], "fm"[i % 2], i // 2]
                )
    return paths


def call(*words: object, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["validate", "compare", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


def test_json_gives_both_models_their_difference_and_the_verdicts(
    tables: tuple[Path, Path],
) -> None:
    document = json.loads(
        call(
            *tables, *COMMON, "--group", "sex", "--subject", "patient", "--margin", 0.05,
            "--json",
        )
    )  # fmt: skip
    assert document["cases"] == 500
    assert document["confidence"] == 0.95
    assert document["margin"] == 0.05
    assert document["correction"] == {"method": "Holm", "family": 2}
    rows = document["comparisons"]
    assert len(rows) == 11 * 3
    first = rows[0]
    assert first["name"] == "sensitivity"
    assert first["subgroup"] is None
    assert first["difference"]["value"] == pytest.approx(
        first["b"]["value"] - first["a"]["value"]
    )
    assert (
        first["difference"]["low"] < first["difference"]["value"] < first["difference"]["high"]
    )
    assert set(first["test"]) == {
        "name",
        "p_value",
        "adjusted_p_value",
        "exact_p_value",
        "only_a",
        "only_b",
    }
    assert rows[1]["subgroup"] == {"sex": "f"}
    auc = next(row for row in rows if row["name"] == "auc" and row["subgroup"] is None)
    assert auc["verdict"] == "better"
    assert auc["non_inferiority"] == "non-inferior"
    assert auc["test"]["name"] == "paired DeLong by subject (Obuchowski)"


def test_the_table_says_which_test_was_used(tables: tuple[Path, Path]) -> None:
    text = call(*tables, *COMMON, "--measure", "sensitivity", "--measure", "auc")
    assert "p of sensitivity: McNemar's mid-p." in text
    assert "p of auc: paired DeLong." in text
    assert "better" in text


def test_unequal_cases_are_refused(tables: tuple[Path, Path], tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    lines = tables[1].read_text().splitlines()
    short.write_text("\n".join(lines[:-3]) + "\n")
    text = call(tables[0], short, *COMMON, code=2)
    assert "T-V202: 3 of 500 cases stand in old.csv alone (first: " in text
    document = json.loads(
        RUNNER.invoke(
            app, ["validate", "compare", str(tables[0]), str(short), *COMMON, "--json"]
        ).stdout
    )
    assert document["errors"][0]["code"] == "T-V202"


def test_a_table_compared_with_itself_shows_nothing(tables: tuple[Path, Path]) -> None:
    document = json.loads(call(tables[0], tables[0], *COMMON, "--json"))
    assert {row["verdict"] for row in document["comparisons"]} == {"not shown"}
    assert {row["difference"]["value"] for row in document["comparisons"]} == {0.0}
