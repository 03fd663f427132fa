"""A content-addressed store of files, and the project's state folder.

Files are written aside and renamed in under their SHA-256 digest, so that a run killed at
any instant leaves either nothing or the whole file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from titian.errors import EnvironmentFault, InputError, Problem
from titian.values import Artifact

STATE_FOLDER = ".titian"


@dataclass(frozen=True, slots=True)
class Store:
    """The artifacts of a project, by digest.

    Attributes:
        folder: where they lie, as ``ab/abcdef...``.
    """

    folder: Path

    def put(self, path: Path, *, kind: str) -> Artifact:
        """Move a finished file into the store and return what it is known by."""
        digest = file_digest(path)
        size_bytes = path.stat().st_size
        place = self._place(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(place)
        return Artifact(kind=kind, name=path.name, digest=digest, size_bytes=size_bytes)

    def holds(self, artifact: Artifact) -> bool:
        """Say whether the artifact is here with its full length."""
        try:
            return self._place(artifact.digest).stat().st_size == artifact.size_bytes
        except FileNotFoundError:
            return False

    def path(self, artifact: Artifact) -> Path:
        """Return where the artifact lies, after reading all of it against its digest.

        Raises:
            EnvironmentFault: T-X020, the stored file is missing or has changed.
        """
        place = self._place(artifact.digest)
        if not place.is_file() or file_digest(place) != artifact.digest:
            place.unlink(missing_ok=True)
            raise EnvironmentFault(
                Problem(
                    code="T-X020",
                    message=f"the stored {artifact.kind} ({artifact.name}, "
                    f"{artifact.digest[:12]}) is missing or was changed on disk; stored "
                    "files are read only by Titian.",
                    remedy="It was dropped from the store: run again to make it anew.",
                )
            )
        return place

    def _place(self, digest: str) -> Path:
        return self.folder / digest[:2] / digest


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_folder(new: Path, place: Path) -> None:
    """Put the folder `new` where `place` is; a kill in between loses neither.

    The old folder is renamed aside first and removed last, since a folder cannot be
    renamed over a full one.
    """
    old = place.with_name(f".{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.replace(old)
    new.replace(place)
    shutil.rmtree(old, ignore_errors=True)


def restore_folder(place: Path) -> None:
    """Finish what a kill inside `replace_folder` left."""
    old = place.with_name(f".{place.name}.old")
    if old.exists():
        if place.exists():
            shutil.rmtree(old)
        else:
            old.replace(place)


@contextlib.contextmanager
def project_lock(state: Path) -> Iterator[None]:
    """Hold the project for one run; the system frees it when the process dies.

    Raises:
        InputError: T-X021, another run holds it.
    """
    lock = FileLock(state / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            Problem(
                code="T-X021",
                message=f"another run is at work in {state.parent}; one project takes one "
                "run at a time.",
                remedy="Wait for it, or stop it, then run again.",
            )
        ) from None
    try:
        yield
    finally:
        lock.release()
