"""The ``verdict`` stage: holds the requirements against the run's earlier statements."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from titian.dossier.faults import verdict_controls
from titian.dossier.judge import Witness, judge
from titian.errors import InputError, Problem
from titian.stage import Context, Stage, StageResult
from titian.values import (
    Attribute,
    Control,
    Measurement,
    Project,
    Replay,
    Requirement,
    Severity,
    Verdict,
    VerdictValue,
    to_json,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSettings:
    """What the verdict depends on besides the statements.

    Attributes:
        alpha: one minus the coverage of the intervals shown.
        requirements: what the release needs.
        label: the label column.
        attributes: the columns reported by.
    """

    alpha: float
    requirements: tuple[Requirement, ...]
    label: str
    attributes: tuple[Attribute, ...]


def read_witnesses(path: Path) -> tuple[Witness, ...]:
    """Read the JSON list of the run's earlier statements.

    Raises:
        InputError: T-R001, the file is no list of ``{"digest", "predicate"}``.
    """
    try:
        items = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            Witness(digest=item["digest"], predicate=item["predicate"]) for item in items
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            Problem(
                code="T-R001",
                message=f"{path.name} is no list of statements ({error!r}); each item holds "
                "'digest' and 'predicate'.",
                remedy="Run the stage through `titian run`, which writes this file.",
            )
        ) from error


def tally(
    verdicts: Sequence[Verdict], witnesses: Sequence[Witness], controls: Sequence[Control]
) -> tuple[Measurement, ...]:
    """Count verdicts, findings by severity and controls, so that a page can refer to them.

    Args:
        verdicts: the verdict table.
        witnesses: the run's earlier statements.
        controls: the verdict stage's own controls, counted with those of the run.
    """
    by_value = Counter(row.verdict for row in verdicts)
    found = [item for witness in witnesses for item in witness.predicate.get("findings", ())]
    by_severity = Counter(item["severity"] for item in found)
    outcomes = [
        bool(item["found"])
        for witness in witnesses
        for item in witness.predicate.get("controls", ())
    ] + [control.found for control in controls]
    counts = [
        ("verdicts_met", by_value[VerdictValue.MET], len(verdicts)),
        ("verdicts_not_met", by_value[VerdictValue.NOT_MET], len(verdicts)),
        ("verdicts_not_shown", by_value[VerdictValue.NOT_SHOWN], len(verdicts)),
        *(
            (f"findings_{severity.value}", by_severity[severity.value], len(found))
            for severity in Severity
        ),
        ("controls_caught", sum(outcomes), len(outcomes)),
    ]
    return tuple(
        Measurement(name=name, value=float(count), n=n, unit="count", method="count")
        for name, count, n in counts
    )


def _configure(project: Project) -> VerdictSettings:
    return VerdictSettings(
        alpha=project.alpha,
        requirements=project.requirements,
        label=project.data.label,
        attributes=project.data.attributes,
    )


def _run(
    settings: VerdictSettings, inputs: Mapping[str, Path], context: Context
) -> StageResult:
    witnesses = read_witnesses(inputs["statements"])
    verdicts = judge(
        settings.requirements,
        witnesses,
        alpha=settings.alpha,
        label=settings.label,
        attributes=settings.attributes,
    )
    controls = verdict_controls(settings.alpha)
    target = context.folder / "verdicts.json"
    rows: Any = to_json(verdicts)
    target.write_text(
        json.dumps(rows, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n",
        encoding="utf-8",
    )
    context.progress("requirements", len(settings.requirements), len(settings.requirements))
    return StageResult(
        artifacts={"verdicts": target},
        verdicts=verdicts,
        measurements=tally(verdicts, witnesses, controls),
        controls=controls,
        replay=Replay(derivable=True, tolerance=0.0, reason="exact arithmetic on statements"),
    )


VERDICT: Stage[VerdictSettings] = Stage(
    name="verdict",
    summary="Hold the requirements against what the run measured.",
    reads=("statements",),
    writes=("verdicts",),
    configure=_configure,
    run=_run,
)
