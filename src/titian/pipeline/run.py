"""One run of a project: survey the data, take each stage from the ledger or perform it, sign.

The ledger is the cache: a stage whose key stands in a statement that this key signed, and
whose outputs are in the store, is not run again and appends nothing. There is no second
record that a kill could leave out of step with the first.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from titian.dataset.survey import survey
from titian.errors import InputError, Problem
from titian.evidence.keys import SigningKey, default_key_folder, load_or_make_key
from titian.evidence.ledger import Entry, Ledger
from titian.evidence.statement import build_statement
from titian.evidence.verify import canonical
from titian.pipeline import closure
from titian.pipeline.context import RunContext
from titian.pipeline.engine import Engine, open_engine
from titian.pipeline.plan import Step, plan
from titian.pipeline.project import read_project
from titian.pipeline.publish import publish
from titian.pipeline.registry import STAGES
from titian.pipeline.reporter import Reporter, SilentReporter
from titian.pipeline.store import STATE_FOLDER, Store, file_digest, project_lock
from titian.values import Artifact, Finding, Project, Verdict, from_json, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """How one stage of a run went."""

    name: str
    cached: bool
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What a run came to.

    Attributes:
        dossier: the dossier's folder; its zip lies beside it.
        verdicts: one row per requirement and group.
        findings: of all stages, in their order.
        stages: how each stage went.
        key_id: who signed.
    """

    dossier: Path
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    stages: tuple[StageRun, ...]
    key_id: str


def run(
    folder: Path,
    *,
    data: Path | None = None,
    engine: str | None = None,
    reporter: Reporter | None = None,
) -> RunOutcome:
    """Run the project in `folder` on the data in `data` (the same folder by default).

    Raises:
        InputError: the project file or the data are wrong, or another run is at work.
        EnvironmentFault: the engine, the store or the machine failed.
    """
    project = read_project(folder)
    folder = folder if folder.is_dir() else folder.parent
    return run_project(
        project,
        folder,
        data=data or folder,
        engine=engine,
        reporter=reporter or SilentReporter(),
    )


def run_project(
    project: Project,
    folder: Path,
    *,
    data: Path,
    engine: str | None = None,
    reporter: Reporter,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),  # noqa: TID251 - the shell
    key_folder: Path | None = None,
) -> RunOutcome:
    """Run a project that was read already.

    Args:
        project: what is wanted.
        folder: where state and dossier go.
        data: the data folder.
        engine: where parallel work goes; None for processes on this machine.
        reporter: hears the run.
        clock: tells the time, with its zone.
        key_folder: where keys lie; the user's configuration folder by default.
    """
    if not data.is_dir():
        raise InputError(
            Problem(
                code="T-X024",
                message=f"the data folder {data} does not exist or is not a folder.",
                remedy="Give the folder that the project's data.table is relative to.",
            )
        )
    state = folder / STATE_FOLDER
    state.mkdir(parents=True, exist_ok=True)
    keys = key_folder or default_key_folder()
    with project_lock(state), open_engine(engine) as opened:
        key, made = load_or_make_key(project.key, folder=keys)
        if made:
            reporter.note(f"Made a signing key; its id is {key.key_id[:16]}.")
        runner = _Runner(project, folder, data, key, opened, reporter, clock)
        return runner.run()


def statements_json(earlier: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    """Return the ``statements`` input: digest and predicate of each, without pictures."""
    return canonical(
        [
            {
                "digest": digest,
                "predicate": {n: value for n, value in predicate.items() if n != "figures"},
            }
            for digest, predicate in earlier
        ]
    )


class _Runner:
    """The state of one run."""

    def __init__(
        self,
        project: Project,
        folder: Path,
        data: Path,
        key: SigningKey,
        engine: Engine,
        reporter: Reporter,
        clock: Callable[[], datetime],
    ) -> None:
        self.project = project
        self.folder = folder
        self.state = folder / STATE_FOLDER
        self.data = data
        self.key = key
        self.engine = engine
        self.reporter = reporter
        self.clock = clock
        self.store = Store(self.state / "store")
        self.ledger = Ledger.open(self.state / "ledger")
        if self.ledger.recovered:
            reporter.note(self.ledger.recovered)
        self.known = {
            entry.statement["predicate"]["key"]: entry
            for entry in self.ledger.statements()
            if entry.key_id == key.key_id
        }
        self.work = self.state / "work"
        shutil.rmtree(self.work, ignore_errors=True)
        self.have: dict[str, Artifact] = {}
        self.given: dict[str, Path] = {}

    def run(self) -> RunOutcome:
        steps = plan(STAGES, self.project)
        self._give_source()
        self._give_vendor(steps)
        entries: list[Entry] = []
        stages: list[StageRun] = []
        for place, step in enumerate(steps, start=1):
            if "statements" in step.stage.reads:
                self._give_statements(entries)
            self.reporter.stage_started(step.stage.name, place, len(steps))
            start, start_cpu = time.perf_counter(), time.process_time()
            key = self._key(step)
            entry = self._taken(key)
            cached = entry is not None
            if entry is None:
                entry = self._perform(step, key)
            for item in entry.statement["subject"]:
                self.have[item["annotations"]["kind"]] = _artifact(item)
            seconds = time.perf_counter() - start
            self.reporter.stage_finished(step.stage.name, seconds=seconds, cached=cached)
            entries.append(entry)
            stages.append(
                StageRun(
                    name=step.stage.name,
                    cached=cached,
                    seconds=seconds,
                    cpu_seconds=time.process_time() - start_cpu,
                )
            )
        dossier = publish(
            self.project,
            self.folder,
            ledger=self.ledger,
            entries=entries,
            cases=self._cases(),
            key=self.key,
            now=self.clock(),
        )
        shutil.rmtree(self.work, ignore_errors=True)
        return RunOutcome(
            dossier=dossier,
            verdicts=_collect(Verdict, "verdicts", entries),
            findings=_collect(Finding, "findings", entries),
            stages=tuple(stages),
            key_id=self.key.key_id,
        )

    def _give_source(self) -> None:
        self.reporter.stage_started("survey", 0, 0)
        start = time.perf_counter()
        manifest = survey(
            self.data,
            self.project.data,
            index_file=self.state / "index.bin",
            workers=os.cpu_count() or 1,
            progress=lambda done, total: self.reporter.step("survey", "bytes", done, total),
        )
        self.reporter.stage_finished(
            "survey", seconds=time.perf_counter() - start, cached=False
        )
        self.given["source"] = self.data
        self.have["source"] = Artifact(
            kind="source", name="source", digest=manifest.root, size_bytes=manifest.size_bytes
        )

    def _give_vendor(self, steps: Sequence[Step]) -> None:
        if not any("vendor" in step.stage.reads for step in steps):
            return
        named = Path(getattr(self.project.blocks["model"], "onnx"))  # noqa: B009 - any block
        path = self.folder / named
        if not path.is_file():
            raise InputError(
                Problem(
                    code="T-X025",
                    message=f"$.model.onnx names {named}, which is not a file beside "
                    "titian.yaml.",
                    remedy="Put the model there or mend the path.",
                )
            )
        self._give_file("vendor", path)

    def _give_statements(self, entries: Sequence[Entry]) -> None:
        path = self._fresh("statements") / "statements.json"
        path.write_bytes(statements_json((e.digest, e.statement["predicate"]) for e in entries))
        self._give_file("statements", path)

    def _give_file(self, kind: str, path: Path) -> None:
        self.given[kind] = path
        self.have[kind] = Artifact(
            kind=kind, name=path.name, digest=file_digest(path), size_bytes=path.stat().st_size
        )

    def _key(self, step: Step) -> str:
        """Return the cache key: everything that the stage's result can depend on."""
        return hashlib.sha256(
            canonical(
                {
                    "project": self.project.name,
                    "stage": step.stage.name,
                    "source": closure.source_digest(step.stage.run),
                    "libraries": closure.library_versions(step.stage.run),
                    "platform": _platform(),
                    "settings": to_json(step.settings),
                    "inputs": {kind: self.have[kind].digest for kind in step.stage.reads},
                    "seed": self.project.seed,
                }
            )
        ).hexdigest()

    def _taken(self, key: str) -> Entry | None:
        entry = self.known.get(key)
        if entry and all(self.store.holds(_artifact(s)) for s in entry.statement["subject"]):
            return entry
        return None

    def _perform(self, step: Step, key: str) -> Entry:
        stage = step.stage
        folder = self._fresh(stage.name)
        scratch = self.state / "scratch" / key
        scratch.mkdir(parents=True, exist_ok=True)
        context = RunContext(
            stage=stage.name,
            folder=folder,
            scratch=scratch,
            seed=self.project.seed,
            clock=self.clock,
            engine=self.engine,
            reporter=self.reporter,
        )
        inputs = {kind: self._input(kind) for kind in stage.reads}
        start = self.clock()
        result = stage.run(step.settings, inputs, context)
        if set(result.artifacts) != set(stage.writes):
            raise AssertionError(
                f"stage {stage.name} wrote {sorted(result.artifacts)}, not {stage.writes}"
            )
        outputs = [self.store.put(p, kind=kind) for kind, p in result.artifacts.items()]
        statement = build_statement(
            project=self.project.name,
            stage=stage.name,
            key=key,
            settings=step.settings,
            seed=self.project.seed,
            inputs=[self.have[kind] for kind in stage.reads],
            outputs=outputs,
            measurements=result.measurements,
            findings=result.findings,
            figures=result.figures,
            controls=result.controls,
            verdicts=result.verdicts,
            environment={
                "python": platform.python_version(),
                "platform": _platform(),
                "libraries": closure.library_versions(stage.run),
            },
            actor=self.key.key_id,
            site=self.project.site or None,
            start=start,
            end=self.clock(),
            replay=result.replay,
        )
        entry = self.ledger.record(statement, self.key)
        shutil.rmtree(scratch, ignore_errors=True)
        return entry

    def _input(self, kind: str) -> Path:
        return self.given[kind] if kind in self.given else self.store.path(self.have[kind])

    def _cases(self) -> Path | None:
        wanted = self.project.dossier.cases and "cases" in self.have
        return self.store.path(self.have["cases"]) if wanted else None

    def _fresh(self, name: str) -> Path:
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


def _artifact(item: Mapping[str, Any]) -> Artifact:
    return Artifact(
        kind=item["annotations"]["kind"],
        name=item["name"],
        digest=item["digest"]["sha256"],
        size_bytes=item["annotations"]["size_bytes"],
    )


def _collect(kind: type[Any], name: str, entries: Sequence[Entry]) -> tuple[Any, ...]:
    return tuple(
        from_json(kind, item)
        for entry in entries
        for item in entry.statement["predicate"][name]
    )


def _platform() -> str:
    return f"{sys.platform}-{platform.machine()}"
