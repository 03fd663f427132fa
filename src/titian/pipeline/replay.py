"""Replay a dossier: with the data the whole road, without them what the dossier carries."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from titian.dossier.stage import VERDICT
from titian.evidence.verify import LedgerEntry, read_folder, read_ledger, read_zip
from titian.pipeline.comparison import Predicate, ReplayReport, compare, not_replayed
from titian.pipeline.context import RunContext
from titian.pipeline.engine import open_engine
from titian.pipeline.registry import STAGES
from titian.pipeline.reporter import Reporter, SilentReporter
from titian.pipeline.run import run_project, statements_json
from titian.stage import Stage, StageResult
from titian.validation.disparity.stage import DISPARITY
from titian.validation.stage import VALIDATE, measure_cases
from titian.values import JsonValue, Project, from_json, to_json

NEEDS_DATA = "needs the data: --data PATH"


def replay(
    dossier: Path, *, data: Path | None = None, reporter: Reporter | None = None
) -> ReplayReport:
    """Derive the numbers of a dossier again and compare each stage with its statement.

    Args:
        dossier: folder or zip; check its integrity first.
        data: the data folder that the project was run on; None replays what the dossier
            itself carries.
        reporter: hears the new run.

    Raises:
        InputError: `data` is not what the project can be run on.
    """
    files = read_folder(dossier) if dossier.is_dir() else read_zip(dossier)
    then = _by_stage(read_ledger(files["ledger.json"]).entries)
    project = _project(json.loads(files["dossier.json"])["project"])
    reporter = reporter or SilentReporter()
    with tempfile.TemporaryDirectory(prefix="titian-replay-") as name:
        folder = Path(name)
        if data is None:
            now = _from_dossier(project, then, files, folder, reporter)
        else:
            now = _from_data(project, then, folder, data, reporter)
    tolerance = 0.0
    rows = []
    for stage, entry in then.items():
        predicate = entry.statement["predicate"]
        stated = predicate["replay"]
        # A stage downstream can be no closer than what it was given.
        tolerance = max(tolerance, stated["tolerance"])
        if stage in now and stated["derivable"]:
            rows.append(compare(predicate, now[stage], tolerance=tolerance))
        else:
            reason = NEEDS_DATA if stated["derivable"] else stated["reason"]
            rows.append(not_replayed(predicate, reason))
    return ReplayReport(rows=tuple(rows))


def _project(document: Mapping[str, JsonValue]) -> Project:
    """Rebuild the project that the dossier states, each block in its stage's own type."""
    project = from_json(Project, document)
    blocks: dict[str, object] = {
        stage.block: from_json(stage.block_type, project.blocks[stage.block])
        for stage in STAGES
        if stage.block is not None
        and stage.block_type is not None
        and stage.block in project.blocks
    }
    return replace(project, blocks=blocks)


def _by_stage(entries: Iterable[LedgerEntry]) -> dict[str, LedgerEntry]:
    return {entry.statement["predicate"]["stage"]: entry for entry in entries}


def _from_data(
    project: Project,
    then: Mapping[str, LedgerEntry],
    folder: Path,
    data: Path,
    reporter: Reporter,
) -> dict[str, Predicate]:
    """Run the project anew, with a key of its own that is thrown away.

    A stage that says of itself that it cannot be derived (a timing) is not run: the verdicts
    are judged from the new statements and, for such a stage, from its own.
    """
    recorded = {
        stage: entry.statement["predicate"]
        for stage, entry in then.items()
        if not entry.statement["predicate"]["replay"]["derivable"]
    }
    idle = {stage.block for stage in STAGES if stage.name in recorded}
    blocks = {name: block for name, block in project.blocks.items() if name not in idle}
    for block in blocks.values():
        model = getattr(block, "onnx", None)
        if model is not None and (data / model).is_file():
            shutil.copyfile(data / model, folder / Path(model).name)
    outcome = run_project(
        replace(project, key=None, blocks=blocks),
        folder,
        data=data,
        reporter=reporter,
        key_folder=folder / "keys",
    )
    entries = read_ledger((outcome.dossier / "ledger.json").read_bytes()).entries
    now = {s: entry.statement["predicate"] for s, entry in _by_stage(entries).items()}
    if recorded and VERDICT.name in then:
        earlier = [
            (entry.digest, recorded.get(stage) or now[stage])
            for stage, entry in then.items()
            if stage in recorded or (stage in now and stage != VERDICT.name)
        ]
        content = {"statements": statements_json(earlier)}
        now[VERDICT.name] = _Again(project, folder, reporter).predicate(
            VERDICT, VERDICT.run, content
        )
    return now


def _from_dossier(
    project: Project,
    then: Mapping[str, LedgerEntry],
    files: Mapping[str, bytes],
    folder: Path,
    reporter: Reporter,
) -> dict[str, Predicate]:
    """Derive the verdicts from the statements, and the validation from shipped cases."""
    now: dict[str, Predicate] = {}
    again = _Again(project, folder, reporter)
    earlier = [
        (entry.digest, entry.statement["predicate"])
        for stage, entry in then.items()
        if stage != VERDICT.name
    ]
    if VERDICT.name in then:
        content = {"statements": statements_json(earlier)}
        now[VERDICT.name] = again.predicate(VERDICT, VERDICT.run, content)
    if "cases.parquet" in files:
        content = {"cases": files["cases.parquet"]}
        for stage, run in ((VALIDATE, measure_cases), (DISPARITY, DISPARITY.run)):
            if stage.name in then:
                now[stage.name] = again.predicate(stage, run, content)
    return now


@dataclass(frozen=True, slots=True)
class _Again:
    """Runs single stages on given bytes."""

    project: Project
    folder: Path
    reporter: Reporter

    def predicate(
        self,
        stage: Stage[Any],
        run: Callable[[Any, Mapping[str, Path], RunContext], StageResult],
        content: Mapping[str, bytes],
    ) -> Predicate:
        """Return what a new statement would say of numbers, findings and controls."""
        output = self.folder / stage.name
        scratch = self.folder / f"{stage.name}-scratch"
        output.mkdir()
        scratch.mkdir()
        inputs = {kind: self.folder / kind for kind in content}
        for kind, path in inputs.items():
            path.write_bytes(content[kind])
        with open_engine(None) as engine:
            context = RunContext(
                stage=stage.name,
                folder=output,
                scratch=scratch,
                seed=self.project.seed,
                clock=lambda: datetime.now(UTC),  # noqa: TID251 - the shell reads the clock
                engine=engine,
                reporter=self.reporter,
            )
            result = run(stage.configure(self.project), inputs, context)
        return {
            "stage": stage.name,
            **{
                name: to_json(getattr(result, name))
                for name in ("measurements", "findings", "controls", "verdicts")
            },
        }
