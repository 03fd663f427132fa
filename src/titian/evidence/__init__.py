"""Evidence: signed statements, the ledger that keeps them, and their verification."""

from titian.evidence.bundle import ledger_document, seal, write_ledger_part
from titian.evidence.envelope import open_envelope, seal_statement
from titian.evidence.keys import (
    SigningKey,
    default_key_folder,
    load_or_make_key,
    make_key,
    public_pem,
)
from titian.evidence.ledger import Entry, Ledger
from titian.evidence.statement import build_statement, statement_digest, timestamp
from titian.evidence.verify import Report, canonical, read_public_key
from titian.evidence.verify import verify as verify_dossier

__all__ = [
    "Entry",
    "Ledger",
    "Report",
    "SigningKey",
    "build_statement",
    "canonical",
    "default_key_folder",
    "ledger_document",
    "load_or_make_key",
    "make_key",
    "open_envelope",
    "public_pem",
    "read_public_key",
    "seal",
    "seal_statement",
    "statement_digest",
    "timestamp",
    "verify_dossier",
    "write_ledger_part",
]
