"""The verdict stage: reads statements, writes the table, proves that it can say no."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from titian.dossier import faults
from titian.dossier.faults import verdict_controls
from titian.dossier.stage import VERDICT, VerdictSettings, read_witnesses
from titian.errors import InputError
from titian.values import (
    Data,
    Finding,
    Interval,
    Measurement,
    Project,
    Requirement,
    Severity,
    VerdictValue,
    to_json,
)


@dataclass
class FakeContext:
    folder: Path
    scratch: Path
    seed: int = 0

    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC)

    def progress(self, step, done, total):
        pass

    def map(self, *args, **kwargs):
        raise AssertionError(args, kwargs)


PROJECT = Project(
    name="p",
    intended_use="u",
    data=Data(table="t.csv", label="y"),
    requirements=(
        Requirement(id="R1", measure="auc", at_least=0.8),
        Requirement(id="R2", finding="data.leak", at_most=0),
    ),
)


def run(tmp_path, statements):
    source = tmp_path / "statements.json"
    source.write_text(json.dumps(statements))
    folder = tmp_path / "out"
    folder.mkdir()
    settings = VERDICT.configure(PROJECT)
    return VERDICT.run(settings, {"statements": source}, FakeContext(folder, tmp_path))


def test_settings_hold_what_the_verdict_depends_on():
    assert VERDICT.configure(PROJECT) == VerdictSettings(
        alpha=0.05, requirements=PROJECT.requirements, label="y", attributes=()
    )


def test_table_is_written_as_it_is_returned(tmp_path):
    auc = Measurement(
        name="auc", value=0.9, n=50, intervals=(Interval(alpha=0.05, low=0.85, high=0.95),)
    )
    leak = Finding(
        code="data.leak", severity=Severity.ERROR, what="w", where="case 1", remedy="r"
    )
    result = run(
        tmp_path,
        [
            {
                "digest": "a" * 64,
                "predicate": {"measurements": [to_json(auc)], "findings": [to_json(leak)]},
            }
        ],
    )
    assert [row.verdict for row in result.verdicts] == ["met", "not met"]
    written = json.loads(result.artifacts["verdicts"].read_text())
    assert written == to_json(result.verdicts)


def test_counts_are_measured_so_that_a_page_can_refer_to_them(tmp_path):
    result = run(tmp_path, [])
    counts = {item.name: (item.value, item.n) for item in result.measurements}
    assert counts == {
        "verdicts_met": (0.0, 2),
        "verdicts_not_met": (0.0, 2),
        "verdicts_not_shown": (2.0, 2),
        "findings_info": (0.0, 0),
        "findings_warning": (0.0, 0),
        "findings_error": (0.0, 0),
        "controls_caught": (5.0, 5),
    }


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.2])
def test_every_planted_fault_of_the_verdict_is_caught(alpha):
    controls = verdict_controls(alpha)
    assert [control.check for control in controls if control.found] == [
        "verdict.violation",
        "verdict.undecided",
        "verdict.missing_measurement",
        "verdict.finding",
        "verdict.unchecked_finding",
    ]


def test_controls_turn_red_when_the_judge_is_lenient(monkeypatch):
    def lenient(requirements, witnesses, *, alpha):
        row = real(requirements, witnesses, alpha=alpha)[0]
        return (replace(row, verdict=VerdictValue.MET),)

    real = faults.judge
    monkeypatch.setattr(faults, "judge", lenient)
    assert not any(control.found for control in verdict_controls(0.05))


def test_statements_file_of_another_form_is_refused(tmp_path):
    path = tmp_path / "statements.json"
    path.write_text('[{"digest": "x"}]')
    with pytest.raises(InputError) as caught:
        read_witnesses(path)
    assert str(caught.value) == (
        "T-R001: statements.json is no list of statements (KeyError('predicate')); each item "
        "holds 'digest' and 'predicate'. Run the stage through `titian run`, which writes "
        "this file."
    )
