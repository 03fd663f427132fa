"""Two dossiers compared: what remains after dropping what time and signer change."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

VOLATILE = ("start", "end", "environment", "actor")


def essence(dossier: Path) -> list[dict[str, Any]]:
    """Return the dossier's statements without time, environment and signer.

    Statement digests depend on time, so each is written as the name of its stage.
    """
    entries = json.loads((dossier / "ledger.json").read_bytes())["entries"]
    statements = []
    names: dict[str, str] = {}
    for entry in entries:
        payload = base64.b64decode(entry["envelope"]["payload"])
        statement = json.loads(payload)
        names[hashlib.sha256(payload).hexdigest()] = f"<{statement['predicate']['stage']}>"
        statements.append(statement)
    text = json.dumps([_stable(statement) for statement in statements], sort_keys=True)
    for digest, name in names.items():
        text = text.replace(digest, name)
    return json.loads(text)


def _stable(statement: dict[str, Any]) -> dict[str, Any]:
    predicate = {k: v for k, v in statement["predicate"].items() if k not in VOLATILE}
    subject = statement["subject"]
    if predicate["stage"] == "verdict":
        # Its input and its output name statements by digests that hold times.
        predicate = {k: v for k, v in predicate.items() if k not in ("inputs", "key")}
        subject = []
    return {"subject": subject, "predicate": predicate}
