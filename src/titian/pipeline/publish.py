"""The dossier of a run: drawn aside, sealed, and put in place whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from titian import __version__
from titian.dossier.write import StatementRef, write_dossier
from titian.evidence.bundle import seal, write_ledger_part
from titian.evidence.keys import SigningKey
from titian.evidence.ledger import Entry, Ledger
from titian.evidence.store import write_aside
from titian.evidence.verify import canonical
from titian.pipeline import closure
from titian.pipeline.store import STATE_FOLDER, file_digest, replace_folder, restore_folder
from titian.values import Project, to_json

FOLDER = "dossier"
RECORD = "run.json"


def publish(
    project: Project,
    folder: Path,
    *,
    ledger: Ledger,
    entries: Sequence[Entry],
    cases: Path | None,
    key: SigningKey,
    now: datetime,
) -> Path:
    """Write ``dossier/`` and ``dossier.zip`` in `folder`, unless they are there already.

    The dossier in place is kept when it was drawn from the same statements by the same
    source and no byte of it has changed since; so a run in which nothing changed changes
    nothing.
    """
    state = folder / STATE_FOLDER
    place = folder / FOLDER
    archive = folder / f"{FOLDER}.zip"
    restore_folder(place)
    record = {
        "project": hashlib.sha256(canonical(to_json(project))).hexdigest(),
        "statements": [entry.digest for entry in entries],
        "source": closure.source_digest(write_dossier),
        "signer": key.key_id,
    }
    if _last_record(state / RECORD) == record | {"files": _digests(place, archive)}:
        return place
    (state / RECORD).unlink(missing_ok=True)
    new = state / "work" / FOLDER
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    write_dossier(
        new,
        project=project,
        statements=[StatementRef(digest=e.digest, statement=e.statement) for e in entries],
        cases_file=cases,
        version=__version__,
    )
    write_ledger_part(
        new, ledger=ledger, entries=entries, key=key, project=project.name, now=now
    )
    new_archive = seal(new, key, now=now)
    replace_folder(new, place)
    new_archive.replace(archive)
    write_aside(state / RECORD, canonical(record | {"files": _digests(place, archive)}))
    return place


def _last_record(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _digests(place: Path, archive: Path) -> dict[str, str]:
    """Return the SHA-256 of the archive and of every file in the folder."""
    files = sorted(path for path in [*place.rglob("*"), archive] if path.is_file())
    return {path.relative_to(place.parent).as_posix(): file_digest(path) for path in files}
