"""The machine-learning bill of materials: CycloneDX 1.6 (ECMA-424) as JSON.

One component of type ``machine-learning-model`` with its model card, one ``data`` component
per input from outside, one ``library`` per library and version that a stage imported.
CycloneDX writes measures as text; each carries the reference as properties of the card.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from titian.dossier.glossary import LIMITS, MEASURES
from titian.dossier.reference import Evidence, StatementRef
from titian.evidence.verify import number
from titian.values import Project

SPEC_VERSION = "1.6"


def bom(
    project: Project, evidence: Evidence, *, verdict: StatementRef, version: str
) -> dict[str, Any]:
    """Return the CycloneDX document; its serial number is derived from the statements.

    Args:
        project: as it was run.
        evidence: the run's statements in order.
        verdict: the verdict stage's statement, whose end is the document's time.
        version: Titian's version.
    """
    digests = "\n".join(item.digest for item in evidence.statements)
    serial = uuid.UUID(bytes=hashlib.sha256(digests.encode()).digest()[:16], version=4)
    data = list(_data(project, evidence))
    libraries = list(_libraries(evidence))
    model = _model(project, evidence, [item["bom-ref"] for item in data])
    metadata: dict[str, Any] = {
        "tools": {
            "components": [{"type": "application", "name": "titian", "version": version}]
        },
        "component": {
            "type": "application",
            "bom-ref": "project",
            "name": project.name,
            "description": project.intended_use,
        },
    }
    if verdict.predicate.get("end"):
        metadata["timestamp"] = verdict.predicate["end"]
    refs = [item["bom-ref"] for item in (*data, *libraries)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": metadata,
        "components": [model, *data, *libraries],
        "dependencies": [
            {"ref": "project", "dependsOn": ["model"]},
            {"ref": "model", "dependsOn": refs},
        ],
    }


def _model(project: Project, evidence: Evidence, data_refs: list[str]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": project.name,
        "description": project.intended_use,
    }
    for _, item in _artifacts(evidence, "subject"):
        if _kind(item).startswith("model"):
            component["hashes"] = [{"alg": "SHA-256", "content": item["digest"]["sha256"]}]
            component["version"] = item["digest"]["sha256"][:12]
            break
    metrics = list(_metrics(evidence))
    task = "classification"
    card: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": task,
            "datasets": [{"ref": ref} for ref in data_refs],
            "inputs": [{"format": "image" if project.data.image else "table"}],
            "outputs": [{"format": "score per class"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": [metric for metric, _ in metrics]},
        "considerations": {
            "useCases": [project.intended_use],
            "technicalLimitations": [
                *LIMITS,
                *(f"{name} cannot show: {note.silent_on}." for name, note in MEASURES.items()),
            ],
            "fairnessAssessments": [
                {"groupAtRisk": f"each value of {attribute.column}"}
                for attribute in project.data.attributes
            ],
        },
        "properties": [
            {"name": f"titian:metric:{at}", "value": place}
            for at, (_, place) in enumerate(metrics)
        ],
    }
    component["modelCard"] = card
    return component


def _metrics(evidence: Evidence) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each known measure and the place of its number: digest and pointer."""
    for statement in evidence.statements:
        for pointer, item in statement.items("measurements"):
            if item["name"] not in MEASURES or item["value"] is None:
                continue
            metric: dict[str, Any] = {
                "type": item["name"],
                "value": number(float(item["value"])),
            }
            if item.get("subgroup"):
                metric["slice"] = ", ".join(f"{k} = {v}" for k, v in item["subgroup"].items())
            if item["intervals"]:
                first = item["intervals"][0]
                metric["confidenceInterval"] = {
                    "lowerBound": number(float(first["low"])),
                    "upperBound": number(float(first["high"])),
                }
            yield metric, f"{statement.digest}{pointer}/value"


def _data(project: Project, evidence: Evidence) -> Iterator[dict[str, Any]]:
    made = {item["digest"]["sha256"] for _, item in _artifacts(evidence, "subject")}
    seen: set[str] = set()
    for _, item in _artifacts(evidence, "inputs"):
        digest = item["digest"]["sha256"]
        if digest in made or digest in seen or _kind(item) == "statements":
            continue
        seen.add(digest)
        yield {
            "type": "data",
            "bom-ref": f"data-{digest[:16]}",
            "name": str(item["name"]),
            "hashes": [{"alg": "SHA-256", "content": digest}],
            "data": [
                {
                    "type": "dataset",
                    "name": str(item["name"]),
                    "contents": {
                        "properties": [
                            {"name": "titian:kind", "value": _kind(item)},
                            {"name": "titian:label", "value": project.data.label},
                        ]
                    },
                }
            ],
        }


def _libraries(evidence: Evidence) -> Iterator[dict[str, Any]]:
    seen: set[tuple[str, str]] = set()
    for statement in evidence.statements:
        environment = statement.predicate.get("environment") or {}
        for name, version in (environment.get("libraries") or {}).items():
            seen.add((str(name), str(version)))
    for name, version in sorted(seen):
        yield {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name.lower()}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name.lower()}@{version.replace('+', '%2B')}",
        }


def _artifacts(
    evidence: Evidence, side: str
) -> Iterator[tuple[StatementRef, Mapping[str, Any]]]:
    for statement in evidence.statements:
        holder = statement.statement if side == "subject" else statement.predicate
        for item in holder.get(side) or ():
            yield statement, item


def _kind(item: Mapping[str, Any]) -> str:
    return str((item.get("annotations") or {}).get("kind", ""))
