"""The whole dossier as content, in the order in which a reviewer asks."""

from __future__ import annotations

import re

from titian.dossier.card import card_section
from titian.dossier.content import Cell, Code, Digest, Document, Facts, Inline, Section
from titian.dossier.glossary import WORDS
from titian.dossier.lineage import flow_section, ledger_section
from titian.dossier.outcome import (
    controls_section,
    findings_section,
    not_shown_section,
    verdict_section,
)
from titian.dossier.pictures import figures_section
from titian.dossier.reference import Evidence, Ref, StatementRef
from titian.values import Project

SIMULATED = "data.simulated"
_SIMULATED_WORDS = re.compile(r"\b(simulated|synthetic|phantom)\b", re.IGNORECASE)
_OUTCOME = (
    ("met", "verdicts_met"),
    ("not met", "verdicts_not_met"),
    ("not shown", "verdicts_not_shown"),
)


def compose(
    project: Project, evidence: Evidence, *, verdict: StatementRef, version: str
) -> Document:
    """Return the dossier's content.

    Args:
        project: the project as it was run.
        evidence: the run's statements in order.
        verdict: the verdict stage's statement, one of them.
        version: Titian's version.
    """
    sections = (
        verdict_section(project, verdict, evidence),
        not_shown_section(verdict),
        findings_section(evidence),
        figures_section(evidence, project),
        flow_section(evidence),
        card_section(project, evidence),
        controls_section(evidence),
        ledger_section(evidence),
        Section(
            id="words",
            title="Words",
            lead="As they are used on these pages.",
            blocks=(Facts(rows=WORDS),),
        ),
    )
    return Document(
        title=project.name,
        purpose=project.intended_use,
        outcome=_outcome(verdict),
        facts=_facts(evidence),
        simulated=is_simulated(project, evidence),
        sections=tuple(section for section in sections if section is not None),
        end=str(verdict.predicate.get("end", "")),
        verdict=verdict.digest,
        version=version,
    )


def is_simulated(project: Project, evidence: Evidence) -> bool:
    """Tell whether a finding or the project's own words say that data are simulated."""
    if _SIMULATED_WORDS.search(f"{project.name} {project.intended_use}".replace("-", " ")):
        return True
    return any(
        item["code"] == SIMULATED
        for statement in evidence.statements
        for _, item in statement.items("findings")
    )


def _outcome(verdict: StatementRef) -> tuple[tuple[str, Ref], ...]:
    counts = [(word, verdict.measurement(name)) for word, name in _OUTCOME]
    return tuple(
        (word, verdict.at(f"{pointer}/value", form="count"))
        for word, pointer in counts
        if pointer is not None
    )


def _facts(evidence: Evidence) -> Facts:
    signers: list[Inline] = []
    for actor in dict.fromkeys(str(s.predicate.get("actor", "")) for s in evidence.statements):
        signers += [", ", Digest(hex=actor)] if signers else [Digest(hex=actor)]
    verify: Cell = (
        "In this folder: ",
        Code(text="python verify.py ."),
        " checks every file, signature and number (it needs Python and the package "
        "cryptography). With ",
        Code(text="--key FILE"),
        ", the signer's public key from a source you trust, it also checks who signed. ",
        Code(text="titian verify . --replay"),
        " derives the numbers again.",
    )
    return Facts(rows=(("signed by key", tuple(signers)), ("how to verify this", verify)))
