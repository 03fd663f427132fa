"""`titian validate plan`: options in, a number, a curve or one JSON document out."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from titian.cli.app import app

RUNNER = CliRunner()
SENSITIVITY = ("--measure", "sensitivity", "--expect", "0.9", "--at-least", "0.85")


def call(*words: str, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["validate", "plan", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_the_number_and_its_curve_are_printed() -> None:
    text = call(*SENSITIVITY, "--prevalence", "0.1")
    assert "To show sensitivity >= 0.85 where 0.9 is expected, with 90% power" in text
    assert "483 positives" in text
    assert "4755 cases, the number of each kind left to chance" in text
    assert "Power: exact binomial power of Wilson's interval." in text


def test_json_holds_what_was_asked_and_what_was_found() -> None:
    document = json.loads(call(*SENSITIVITY, "--json"))
    assert document["denominator"] == {"counts": "positives", "n": 483}
    assert document["cases"] is None
    assert document["curve_counts"] == "positives"
    assert [point["n"] for point in document["curve"]][3] == 483
    assert document["power"] >= document["power_wanted"] == 0.9


def test_a_gap_of_clustered_cases() -> None:
    text = call(
        "--measure", "specificity", "--gap", "--around", "0.9", "--expect", "0.02", "--at-most",
        "0.15", "--prevalence", "0.2", "--cases-per-subject", "3", "--icc", "0.3",
    )  # fmt: skip
    assert "gap of specificity <= 0.15" in text
    assert "design effect 1.60" in text


def test_a_bad_call_is_refused() -> None:
    assert "T-V221: 0.8 is expected" in call(
        "--measure", "sensitivity", "--expect", "0.8", "--at-least", "0.85", code=2
    )
