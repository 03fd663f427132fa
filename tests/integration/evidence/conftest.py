"""A small sealed dossier of two sites, built once."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from titian.evidence.bundle import ledger_document, seal, write_ledger_part
from titian.evidence.exchange import admit
from titian.evidence.keys import SigningKey, make_key, save_key
from titian.evidence.ledger import Ledger
from titian.evidence.statement import build_statement
from titian.values import Measurement, Replay

NOW = datetime(2026, 11, 22, 20, 29, 33, tzinfo=UTC)
STAGES = ("ingest", "split", "train", "predict", "validate", "verdict")
POINTER = "/predicate/measurements/0/value"


def statement(project, stage, key, value):
    return build_statement(
        project=project,
        stage=stage,
        key="cd" * 32,
        settings={"note": "Grün \U0001f600"},
        seed=7,
        inputs=[],
        outputs=[],
        measurements=[Measurement(name="auc", value=value, n=40, reason="as text")],
        environment={"python": "3.11.7"},
        actor=key.key_id,
        site=None,
        start=NOW,
        end=NOW,
        replay=Replay(derivable=True, tolerance=0.0, reason="deterministic"),
    )


@dataclass
class Sample:
    """A dossier and what it was made from."""

    root: Path
    folder: Path
    archive: Path
    ledger: Ledger
    key: SigningKey
    other: SigningKey

    def copy(self, to: Path) -> Path:
        return Path(shutil.copytree(self.folder, to / "dossier"))


def write_pages(folder, project, entries):
    references = [
        {
            "statement": entry.digest,
            "pointer": POINTER,
            "value": entry.statement["predicate"]["measurements"][0]["value"],
        }
        for entry in entries
    ]
    document = {"project": {"name": project}, "verdicts": references}
    (folder / "dossier.json").write_text(json.dumps(document, indent=1))
    cells = "\n".join(
        f'<td><data value="{r["value"]}" data-statement="{r["statement"]}"'
        f' data-pointer="{POINTER}">{r["value"]:.2f}</data></td>'
        for r in references
    )
    (folder / "index.html").write_text(f"<!doctype html>\n<table>\n{cells}\n</table>\n")


def build(root, project, *, key, other) -> Sample:
    root.mkdir(parents=True, exist_ok=True)
    away = Ledger.open(root / "away")
    away.record(statement(project, "annotate", other, 0.5), other)
    export = ledger_document(away, list(away.statements()), other, project=project, now=NOW)
    ledger = Ledger.open(root / ".titian" / "ledger")
    admit(ledger, export, trusted=[other.public_key])
    for place, stage in enumerate(STAGES):
        value = (place + len(project)) / 70
        ledger.record(statement(project, stage, key, value), key)
    folder = root / "dossier"
    folder.mkdir()
    entries = list(ledger.statements())
    write_pages(folder, project, entries)
    (folder / "dossier.pdf").write_bytes(bytes(range(256)) * 4)
    (folder / "ml-bom.json").write_text('{"bomFormat": "CycloneDX"}')
    write_ledger_part(folder, ledger, entries, key, project=project, now=NOW)
    archive = seal(folder, key, now=NOW)
    return Sample(root, folder, archive, ledger, key, other)


@pytest.fixture(scope="session")
def keys():
    return make_key(), make_key()


@pytest.fixture(scope="session")
def sample(tmp_path_factory, keys) -> Sample:
    root = tmp_path_factory.mktemp("sample") / "study"
    sample = build(root, "chest-xray-triage", key=keys[0], other=keys[1])
    for name, key in zip(("lead", "other"), keys, strict=True):
        (root / f"{name}.pem").write_text(key.public_pem())
        save_key(key, root / f"{name}-private.pem")
    return sample


@pytest.fixture(scope="session")
def foreign(tmp_path_factory, keys) -> Sample:
    """A dossier of another project, signed with the same keys."""
    root = tmp_path_factory.mktemp("foreign") / "study"
    return build(root, "heart-disease", key=keys[0], other=keys[1])
