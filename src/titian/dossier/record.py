"""``dossier.json``: what the pages say, for programs.

Every number that was measured is ``{"statement", "pointer", "value"}``, so that
``verify.py`` can follow it. The one exception is ``project``: what the project file asks
for, from which a replay runs the project again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from titian.dossier.glossary import LIMITS, MEASURES
from titian.dossier.lineage import flow_figure
from titian.dossier.reference import Evidence, StatementRef, token
from titian.dossier.review import is_simulated
from titian.values import Project, to_json

FORMAT = "urn:titian:dossier:1"


def record(
    project: Project, evidence: Evidence, *, verdict: StatementRef, version: str
) -> dict[str, Any]:
    """Return the document; every measured number in it is a reference.

    Args:
        project: as it was run. Its key is left out: it may be a path.
        evidence: the run's statements in order.
        verdict: the verdict stage's statement.
        version: Titian's version.
    """
    described: Any = to_json(project)
    described["key"] = None
    return {
        "format": FORMAT,
        "titian": version,
        "project": described,
        "simulated": is_simulated(project, evidence),
        "verdict_statement": verdict.digest,
        "verdicts": _listed(verdict, "verdicts"),
        "findings": [row for item in evidence.statements for row in _listed(item, "findings")],
        "controls": [row for item in evidence.statements for row in _listed(item, "controls")],
        "model_card": _card(project, evidence),
        "data_flow": _flow(evidence),
        "statements": [
            {
                "digest": item.digest,
                "stage": item.stage,
                "actor": item.predicate.get("actor"),
                "site": item.predicate.get("site"),
                "start": item.predicate.get("start"),
                "end": item.predicate.get("end"),
                "replay": referenced(item, "/predicate/replay", item.predicate.get("replay")),
            }
            for item in evidence.statements
        ],
    }


def referenced(statement: StatementRef, pointer: str, value: object) -> Any:  # noqa: ANN401 - JSON
    """Return `value` with each number replaced by a reference to its place.

    A ``subgroup`` and an ``evidence`` (a reference already) stay as they are.
    """
    match value:
        case bool() | str() | None:
            return value
        case int() | float():
            return {"statement": statement.digest, "pointer": pointer, "value": value}
        case Mapping() if {"statement", "pointer"} <= value.keys():
            return dict(value)
        case Mapping():
            return {
                str(key): referenced(statement, f"{pointer}/{token(str(key))}", item)
                for key, item in value.items()
            }
        case list() | tuple():
            return [
                referenced(statement, f"{pointer}/{at}", item) for at, item in enumerate(value)
            ]
        case _:
            raise TypeError(f"{type(value).__name__} is not a value of JSON")


def _listed(statement: StatementRef, name: str) -> list[dict[str, Any]]:
    return [
        {"stage": statement.stage, **referenced(statement, pointer, item)}
        for pointer, item in statement.items(name)
    ]


def _card(project: Project, evidence: Evidence) -> dict[str, Any]:
    return {
        "intended_use": project.intended_use,
        "stages": [
            {
                "stage": item.stage,
                "settings": referenced(
                    item, "/predicate/settings", item.predicate.get("settings")
                ),
                "measurements": _listed(item, "measurements"),
            }
            for item in evidence.statements
        ],
        "measures": {
            name: {"meaning": note.meaning, "cannot_show": note.silent_on}
            for name, note in MEASURES.items()
        },
        "limits": list(LIMITS),
    }


def _flow(evidence: Evidence) -> dict[str, Any]:
    figure = flow_figure(evidence)
    return {
        "nodes": [{"id": name, "label": label} for name, label in figure.nodes],
        "edges": [
            {"from": source, "to": target, "artifact": label}
            for source, target, label in figure.edges
        ],
        "artifacts": [
            {
                "stage": item.stage,
                "inputs": referenced(
                    item, "/predicate/inputs", item.predicate.get("inputs") or []
                ),
                "outputs": referenced(item, "/subject", item.statement.get("subject") or []),
            }
            for item in evidence.statements
        ],
    }
