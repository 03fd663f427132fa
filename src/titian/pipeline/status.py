"""Where a project stands: its stages, its last run, its verdicts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from titian.evidence.ledger import Entry, Ledger
from titian.pipeline.plan import plan
from titian.pipeline.project import read_project
from titian.pipeline.publish import FOLDER, RECORD
from titian.pipeline.registry import STAGES
from titian.pipeline.store import STATE_FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatus:
    """One stage of the project.

    Attributes:
        name: the stage.
        summary: what it does.
        end: when its statement of the last whole run was signed; None when it has not run.
        findings: how many findings it made.
        controls_found: planted faults that its checks caught, of `controls`.
    """

    name: str
    summary: str
    end: str | None
    findings: int
    controls_found: int
    controls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectStatus:
    """The whole project.

    Attributes:
        dossier: the folder, or None when no run has finished since it last changed.
        verdicts: how many rows are met, not met and not shown.
    """

    project: str
    stages: tuple[StageStatus, ...]
    dossier: Path | None
    verdicts: dict[str, int]


def status(folder: Path) -> ProjectStatus:
    """Return where the project in `folder` stands, without running anything.

    Raises:
        InputError: the project file is wrong.
    """
    project = read_project(folder)
    folder = folder if folder.is_dir() else folder.parent
    last = _last_run(folder)
    verdicts: Counter[str] = Counter()
    for entry in last.values():
        verdicts.update(v["verdict"] for v in entry.statement["predicate"]["verdicts"])
    dossier = folder / FOLDER
    return ProjectStatus(
        project=project.name,
        stages=tuple(
            _stage(step.stage.name, step.stage.summary, last.get(step.stage.name))
            for step in plan(STAGES, project)
        ),
        dossier=dossier if last and dossier.is_dir() else None,
        verdicts=dict(verdicts),
    )


def _last_run(folder: Path) -> dict[str, Entry]:
    state = folder / STATE_FOLDER
    try:
        wanted = set(json.loads((state / RECORD).read_bytes())["statements"])
    except FileNotFoundError:
        return {}
    ledger = Ledger.open(state / "ledger")
    return {
        entry.statement["predicate"]["stage"]: entry
        for entry in ledger.statements()
        if entry.digest in wanted
    }


def _stage(name: str, summary: str, entry: Entry | None) -> StageStatus:
    predicate = entry.statement["predicate"] if entry else {"findings": [], "controls": []}
    return StageStatus(
        name=name,
        summary=summary,
        end=predicate.get("end"),
        findings=len(predicate["findings"]),
        controls_found=sum(control["found"] for control in predicate["controls"]),
        controls=len(predicate["controls"]),
    )
