"""The dossier's pages, written into a folder; `titian.evidence` seals them afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from titian.dossier.bom import bom
from titian.dossier.html import render_html
from titian.dossier.pdf import render_pdf
from titian.dossier.record import record
from titian.dossier.reference import Evidence, StatementRef
from titian.dossier.review import compose
from titian.errors import InputError, Problem
from titian.evidence.verify import canonical
from titian.values import Project

__all__ = ["StatementRef", "write_dossier"]


def write_dossier(
    folder: Path,
    *,
    project: Project,
    statements: Sequence[StatementRef],
    version: str,
    verdict_statement: str | None = None,
    cases_file: Path | None = None,
) -> None:
    """Write index.html, dossier.pdf, dossier.json and mlbom.cdx.json.

    The bytes depend on the arguments alone: no clock, no random number.

    Args:
        folder: an existing folder.
        project: as it was run; its key is left out of the pages.
        statements: the run's statements, in order.
        version: Titian's version.
        verdict_statement: digest of the verdict stage's statement; None takes the last
            statement of a stage named ``verdict``.
        cases_file: table of cases, shipped as ``cases.parquet`` only if the project
            allows it.

    Raises:
        InputError: T-R005, no statement holds the verdicts.
    """
    evidence = Evidence(statements)
    verdict = _verdict(evidence, verdict_statement)
    document = compose(project, evidence, verdict=verdict, version=version)
    (folder / "index.html").write_text(render_html(document, evidence), encoding="utf-8")
    (folder / "dossier.pdf").write_bytes(render_pdf(document, evidence))
    (folder / "dossier.json").write_bytes(
        canonical(record(project, evidence, verdict=verdict, version=version)) + b"\n"
    )
    components = bom(project, evidence, verdict=verdict, version=version)
    text = json.dumps(components, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / "mlbom.cdx.json").write_text(text + "\n", encoding="utf-8")
    if cases_file is not None and project.dossier.cases:
        shutil.copyfile(cases_file, folder / "cases.parquet")


def _verdict(evidence: Evidence, digest: str | None) -> StatementRef:
    for statement in reversed(evidence.statements):
        if statement.digest == digest or (digest is None and statement.stage == "verdict"):
            return statement
    wanted = "of the stage 'verdict'" if digest is None else digest
    raise InputError(
        Problem(
            code="T-R005",
            message=f"no statement {wanted} among the {len(evidence.statements)} given; a "
            "dossier is drawn around the verdicts.",
            remedy="Run the whole project, so that the verdict stage runs.",
        )
    )
