"""The evidence in a dossier: ledger part, verifier, signed manifest and archive."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from titian.errors import InputError, Problem
from titian.evidence import verify
from titian.evidence.envelope import seal_payload
from titian.evidence.keys import SigningKey
from titian.evidence.ledger import Entry, Ledger
from titian.evidence.statement import timestamp
from titian.evidence.store import write_aside
from titian.values import JsonValue


def ledger_document(
    ledger: Ledger,
    entries: Iterable[Entry],
    key: SigningKey,
    *,
    project: str,
    now: datetime,
    public_keys: Iterable[bytes] = (),
) -> bytes:
    """Return entries with proofs, a signed tree head and the signers' public keys.

    Args:
        ledger: where the entries are.
        entries: which of them.
        key: signs the tree head.
        project: all entries must be of it.
        now: time of the tree head.
        public_keys: raw keys of signers that the ledger does not know.

    Raises:
        InputError: T-E006 an entry is of another project; T-E007 a signer's public key is
            not known.
    """
    known = ledger.public_keys() | {verify.key_id(raw): raw for raw in public_keys}
    known[key.key_id] = key.public_key
    rows = []
    signers = {key.key_id}
    problems = []
    for entry in sorted(entries, key=lambda entry: entry.index):
        named = entry.statement["predicate"]["project"]
        if named != project:
            problems.append(_foreign(entry.index, named, project))
        if entry.key_id not in known:
            problems.append(_unknown_signer(entry.index, entry.key_id))
        signers.add(entry.key_id)
        rows.append(
            {
                "index": entry.index,
                "envelope": verify.parse(ledger.envelope(entry.index)),
                "proof": [
                    base64.b64encode(value).decode() for value in ledger.proof(entry.index)
                ],
            }
        )
    if problems:
        raise InputError(*problems)
    head: dict[str, JsonValue] = {
        "size": len(ledger),
        "root": ledger.root().hex(),
        "project": project,
        "time": timestamp(now),
    }
    return verify.canonical(
        {
            "entries": rows,
            "head": verify.parse(seal_payload(head, verify.HEAD_TYPE, key)),
            "keys": {signer: base64.b64encode(known[signer]).decode() for signer in signers},
        }
    )


def write_ledger_part(
    folder: Path,
    ledger: Ledger,
    entries: Iterable[Entry],
    key: SigningKey,
    *,
    project: str,
    now: datetime,
    public_keys: Iterable[bytes] = (),
) -> Path:
    """Write ``ledger.json`` into a dossier's folder; arguments as `ledger_document`."""
    path = folder / "ledger.json"
    document = ledger_document(
        ledger, entries, key, project=project, now=now, public_keys=public_keys
    )
    write_aside(path, document)
    return path


def seal(folder: Path, key: SigningKey, *, now: datetime) -> Path:
    """Finish a dossier: add `verify.py` and the signed manifest, and write the zip beside it.

    Args:
        folder: holds every other file of the dossier, and nothing else.
        key: signs the manifest.
        now: time in the manifest.

    Returns:
        The zip, ``<folder>.zip``.

    Raises:
        InputError: T-E008 the folder holds a link, a special file, an empty folder, an odd
            file name or too much.
    """
    write_aside(folder / "verify.py", Path(verify.__file__).read_bytes())
    (folder / "manifest.json").unlink(missing_ok=True)
    try:
        files = verify.read_folder(folder)
        manifest = _manifest(files, key, now)
        archive = verify.deterministic_zip({**files, "manifest.json": manifest})
    except verify.Fault as fault:
        raise InputError(
            Problem(
                code="T-E008",
                message=f"the dossier cannot be sealed: {fault}.",
                remedy="Remove or rename it, and seal again.",
            )
        ) from None
    write_aside(folder / "manifest.json", manifest, aside=folder.parent)
    target = folder.with_name(f"{folder.name}.zip")
    write_aside(target, archive)
    return target


def _manifest(files: Mapping[str, bytes], key: SigningKey, now: datetime) -> bytes:
    listed: list[JsonValue] = [
        {"name": name, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(files.items())
    ]
    payload: dict[str, JsonValue] = {
        "files": listed,
        "public_key": base64.b64encode(key.public_key).decode(),
        "time": timestamp(now),
    }
    return seal_payload(payload, verify.MANIFEST_TYPE, key)


def _foreign(index: int, named: str, project: str) -> Problem:
    return Problem(
        code="T-E006",
        message=f"entry {index} of the ledger is of project {named!r}, not {project!r}.",
        remedy="Choose the entries of one project.",
    )


def _unknown_signer(index: int, signer: str) -> Problem:
    return Problem(
        code="T-E007",
        message=f"the public key of {signer}, who signed entry {index}, is not known.",
        remedy="Import the statement with `titian ledger import`, which brings the key.",
    )
