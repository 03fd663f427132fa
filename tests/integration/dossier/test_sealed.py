"""The pages in a sealed dossier: the verifier follows every number on them."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from titian.dossier.reference import StatementRef
from titian.dossier.write import write_dossier
from titian.evidence.bundle import seal, write_ledger_part
from titian.evidence.keys import make_key
from titian.evidence.ledger import Ledger
from titian.evidence.verify import verify

SAMPLE = Path(__file__).parents[2] / "unit" / "dossier" / "sample.py"
NOW = datetime(2026, 11, 22, 20, 40, tzinfo=UTC)


@pytest.fixture
def build(tmp_path):
    """A function that writes and seals the sample, with `change` applied to the page."""
    spec = importlib.util.spec_from_file_location("dossier_sample_signed", SAMPLE)
    sample = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = sample
    spec.loader.exec_module(sample)
    key = make_key()
    sample.ACTOR = key.key_id
    project, statements = sample.sample_run()
    ledger = Ledger.open(tmp_path / "ledger")
    entries = [ledger.record(item.statement, key) for item in statements]
    refs = [StatementRef(digest=e.digest, statement=e.statement) for e in entries]
    folder = tmp_path / "dossier"
    folder.mkdir()

    def finish(change):
        write_dossier(folder, project=project, statements=refs, version="0.1.0")
        page = folder / "index.html"
        page.write_text(change(page.read_text(encoding="utf-8")), encoding="utf-8")
        write_ledger_part(folder, ledger, entries, key, project=project.name, now=NOW)
        seal(folder, key, now=NOW)
        return verify(folder)

    return finish


def test_sealed_dossier_verifies(build):
    report = build(lambda page: page)
    assert report.ok, report.lines()
    numbers = [line for line in report.lines() if "lead to their statements" in line]
    assert numbers, report.lines()


def test_number_retyped_before_sealing_is_caught(build):
    report = build(lambda page: page.replace('value="0.9012345678901234"', 'value="0.95"', 1))
    assert not report.ok
    assert "shows 0.95 where /predicate" in "\n".join(report.lines())
