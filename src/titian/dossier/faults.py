"""Planted faults of the verdict: statements that must not be judged *met*.

Each control hands `titian.dossier.judge` a small invented run and looks at the answer. The
judgement is exact arithmetic, so the false-alarm rate of every control is 0.
"""

from __future__ import annotations

from typing import Any

from titian.dossier.judge import Witness, judge
from titian.values import (
    Control,
    Finding,
    Interval,
    Measurement,
    Requirement,
    Severity,
    VerdictValue,
    to_json,
)

_NEEDS = Requirement(id="planted", measure="planted_measure", at_least=0.80)
_FORBIDS = Requirement(id="planted", finding="planted.finding", at_most=0)


def verdict_controls(alpha: float) -> tuple[Control, ...]:
    """Judge each planted fault at `alpha` and say whether the answer was the right one."""
    finding = Finding(
        code="planted.finding",
        severity=Severity.ERROR,
        what="Planted.",
        where="case 0",
        remedy="None: this finding is planted.",
    )
    caught = Control(
        check="planted.finding",
        fault="planted",
        found=True,
        detail="",
        false_alarm_rate=0.0,
    )
    return (
        _control(
            "verdict.violation",
            "a measurement whose whole interval violates its bound",
            requirement=_NEEDS,
            predicate=_measured(0.60, 0.55, 0.65, alpha=alpha),
            alpha=alpha,
            expected=VerdictValue.NOT_MET,
        ),
        _control(
            "verdict.undecided",
            "a good estimate whose interval reaches past its bound",
            requirement=_NEEDS,
            predicate=_measured(0.85, 0.70, 0.95, alpha=alpha),
            alpha=alpha,
            expected=VerdictValue.NOT_SHOWN,
        ),
        _control(
            "verdict.missing_measurement",
            "a requirement on a measure that nobody measured",
            requirement=_NEEDS,
            predicate={},
            alpha=alpha,
            expected=VerdictValue.NOT_SHOWN,
        ),
        _control(
            "verdict.finding",
            "a finding that the release forbids",
            requirement=_FORBIDS,
            predicate={"findings": [to_json(finding)], "controls": [to_json(caught)]},
            alpha=alpha,
            expected=VerdictValue.NOT_MET,
        ),
        _control(
            "verdict.unchecked_finding",
            "a requirement on a finding that no check of the run looks for",
            requirement=_FORBIDS,
            predicate={},
            alpha=alpha,
            expected=VerdictValue.NOT_SHOWN,
        ),
    )


def _measured(value: float, low: float, high: float, *, alpha: float) -> dict[str, Any]:
    measurement = Measurement(
        name="planted_measure",
        value=value,
        n=400,
        intervals=(Interval(alpha=alpha, low=low, high=high),),
    )
    return {"measurements": [to_json(measurement)]}


def _control(
    check: str,
    fault: str,
    *,
    requirement: Requirement,
    predicate: dict[str, Any],
    alpha: float,
    expected: VerdictValue,
) -> Control:
    (row,) = judge([requirement], [Witness(digest="", predicate=predicate)], alpha=alpha)
    return Control(
        check=check,
        fault=fault,
        found=row.verdict == expected,
        detail=f"judged {row.verdict.value!r}, expected {expected.value!r}",
        false_alarm_rate=0.0,
    )
