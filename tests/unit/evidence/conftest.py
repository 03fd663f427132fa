"""A statement of a run to sign, with what a test wants changed."""

from datetime import UTC, datetime

import pytest

from titian.evidence.keys import SigningKey, make_key
from titian.evidence.statement import build_statement
from titian.values import Artifact, Measurement, Replay

NOW = datetime(2026, 11, 22, 20, 29, 33, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def key() -> SigningKey:
    return make_key()


@pytest.fixture
def make_statement():
    def make(**changes):
        artifact = Artifact(
            kind="records", name="records.parquet", digest="ab" * 32, size_bytes=18233
        )
        fields = {
            "project": "chest-xray-triage",
            "stage": "ingest",
            "key": "cd" * 32,
            "settings": {"table": "labels.csv"},
            "seed": 7,
            "inputs": [],
            "outputs": [artifact],
            "measurements": [Measurement(name="auc", value=0.75, n=40)],
            "environment": {"python": "3.11.7", "platform": "linux-x86_64"},
            "actor": "0" * 64,
            "site": None,
            "start": NOW,
            "end": NOW,
            "replay": Replay(derivable=True, tolerance=0.0, reason="deterministic"),
            "private_names": frozenset({"moonbase", "amirah"}),
        }
        return build_statement(**(fields | changes))

    return make
