"""What a run came to, in a table and in a document."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from titian.cli.verdicts import exit_code, print_outcome, run_document
from titian.pipeline.run import RunOutcome, StageRun
from titian.values import Finding, Severity, Verdict, VerdictValue

MET = Verdict(
    id="R1",
    verdict=VerdictValue.MET,
    measure="auc",
    bound=">= 0.75",
    value=0.9,
    low=0.85,
    high=0.95,
    n=120,
)
NOT_MET = Verdict(
    id="R2",
    verdict=VerdictValue.NOT_MET,
    measure="sensitivity",
    bound=">= 0.70",
    subgroup={"age": "[40,65)"},
    value=0.4,
    low=0.3,
    high=0.5,
    adjusted_low=0.28,
    adjusted_high=0.53,
    adjusted_alpha=0.025,
    n=1234,
)
NOT_SHOWN = Verdict(
    id="R3",
    verdict=VerdictValue.NOT_SHOWN,
    measure="sensitivity",
    bound=">= 0.70",
    subgroup={"sex": "X"},
    n=3,
    reason="3 positives, fewer than min_count 30",
)
COUNT = Verdict(
    id="R4",
    verdict=VerdictValue.NOT_MET,
    measure="data.subject_leak",
    bound="<= 0",
    value=2.0,
)
FINDINGS = (
    Finding(
        code="data.rare_value",
        severity=Severity.INFO,
        what="One value is seen once.",
        where="cases 4",
        remedy="Merge it.",
    ),
    Finding(
        code="data.subject_leak",
        severity=Severity.ERROR,
        what="A subject stands on two sides [train, test].",
        where="cases 1, 2",
        remedy="Mend the split column.",
    ),
)


def outcome(*verdicts: Verdict, findings: tuple[Finding, ...] = FINDINGS) -> RunOutcome:
    return RunOutcome(
        dossier=Path("study/dossier"),
        verdicts=verdicts,
        findings=findings,
        stages=(StageRun(name="ingest", cached=True, seconds=0.01234, cpu_seconds=0.01),),
        key_id="ab" * 32,
    )


def printed(result: RunOutcome, width: int = 160) -> str:
    stream = io.StringIO()
    print_outcome(Console(file=stream, width=width), result)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [((), 0), ((MET,), 0), ((MET, NOT_SHOWN), 0), ((MET, NOT_MET, NOT_SHOWN), 1)],
)
def test_a_run_exits_1_if_any_requirement_is_not_met(verdicts, code):
    assert exit_code(verdicts) == code


def test_the_document_has_the_promised_keys():
    document = json.loads(json.dumps(run_document(outcome(MET, NOT_MET, NOT_SHOWN))))
    assert document["dossier"] == "study/dossier"
    keys = ("id", "verdict", "measure", "subgroup", "value", "low", "high", "n")
    assert [{key: row[key] for key in keys} for row in document["verdicts"]] == [
        {
            "id": "R1",
            "verdict": "met",
            "measure": "auc",
            "subgroup": None,
            "value": 0.9,
            "low": 0.85,
            "high": 0.95,
            "n": 120,
        },
        {
            "id": "R2",
            "verdict": "not met",
            "measure": "sensitivity",
            "subgroup": {"age": "[40,65)"},
            "value": 0.4,
            "low": 0.3,
            "high": 0.5,
            "n": 1234,
        },
        {
            "id": "R3",
            "verdict": "not shown",
            "measure": "sensitivity",
            "subgroup": {"sex": "X"},
            "value": None,
            "low": None,
            "high": None,
            "n": 3,
        },
    ]
    assert {key: document["findings"][1][key] for key in ("code", "severity", "where")} == {
        "code": "data.subject_leak",
        "severity": "error",
        "where": "cases 1, 2",
    }
    assert document["stages"] == [{"name": "ingest", "cached": True, "seconds": 0.012}]


def test_the_table_says_every_verdict_in_words():
    lines = printed(outcome(MET, NOT_MET, NOT_SHOWN, COUNT), width=120).splitlines()
    assert [" ".join(line.split()) for line in lines[1:13]] == [
        "Verdicts",
        "id verdict requirement group value interval n",
        "R1 + met auc >= 0.75 all 0.900 0.850 to 0.950 120",
        "R2 x not met sensitivity >= 0.70 age = [40,65) 0.400 0.300 to 0.500 1,234",
        "R3 ? not shown sensitivity >= 0.70 sex = X - 3",
        "R4 x not met data.subject_leak <= 0 all 2",
        "",
        "R2, age = [40,65): corrected for its family 0.280 to 0.530.",
        "R3, sex = X: 3 positives, fewer than min_count 30.",
        "",
        "1 met, 2 not met, 1 not shown.",
        "",
    ]


def test_a_narrow_terminal_cuts_nothing_off():
    long = replace(MET, measure="expected_calibration_error", bound="<= 0.08")
    text = printed(outcome(long, NOT_MET, findings=()), width=60)
    assert "…" not in text
    assert "0.850 to 0.950" in text


def test_what_would_settle_a_row_is_said():
    row = replace(NOT_SHOWN, more_cases=1200)
    assert (
        "R3, sex = X: 3 positives, fewer than min_count 30; about 1,200 more cases would "
        "settle it." in printed(outcome(row))
    )


def test_errors_come_before_warnings_and_notes():
    text = printed(outcome(MET))
    assert text.index("data.subject_leak") < text.index("data.rare_value")
    assert "A subject stands on two sides [train, test]. (cases 1, 2)" in text


def test_many_findings_of_one_code_are_counted():
    text = printed(outcome(MET, findings=FINDINGS[1:] * 35))
    assert "Findings (35)" in text
    assert text.count("A subject stands on two sides") == 3
    assert "... and 32 more of data.subject_leak: see the dossier." in text


def test_the_dossier_is_named_on_one_line_with_the_command_that_checks_it():
    long = outcome(MET, findings=())
    lines = printed(long, width=30).splitlines()
    assert lines[-2] == "Dossier: study/dossier/index.html"
    assert lines[-1] == "Check it: titian verify study/dossier"
    assert "No findings." in lines


def test_a_project_without_requirements_says_so():
    assert "The project names no requirements, so there is nothing to judge." in printed(
        outcome()
    )
