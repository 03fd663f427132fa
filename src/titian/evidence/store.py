"""The few file operations that the ledger rests on, small enough to be faked in tests.

A store promises no more than a POSIX file system does: written bytes may be lost, torn or
left half done by a crash until `sync` returns, and `replace` is all or nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: the pipeline's own lock must do
    fcntl = None  # type: ignore[assignment]  # the standard idiom for a missing module


class Store(Protocol):
    """Named files that grow at their end, and one that is replaced whole."""

    def read(self, name: str, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start`; fewer, or none, past the end."""

    def size(self, name: str) -> int:
        """Return the file's length; 0 when there is none."""

    def write(self, name: str, start: int, data: bytes) -> None:
        """Write `data` at `start`."""

    def truncate(self, name: str, size: int) -> None:
        """Cut the file to `size` bytes."""

    def sync(self, name: str) -> None:
        """Return once all of the file will outlast a crash."""

    def replace(self, name: str, data: bytes) -> None:
        """Exchange the whole file at once; durable when it returns."""

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other writers out; a dead process holds no lock."""
        yield


class FolderStore:
    """A store in a folder on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, start: int, length: int) -> bytes:
        """See `Store`."""
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except FileNotFoundError:
            return b""

    def size(self, name: str) -> int:
        """See `Store`."""
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return 0

    def write(self, name: str, start: int, data: bytes) -> None:
        """See `Store`."""
        handle = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT, 0o644)
        with os.fdopen(handle, "wb") as file:
            file.seek(start)
            file.write(data)

    def truncate(self, name: str, size: int) -> None:
        """See `Store`."""
        os.truncate(self._folder / name, size)

    def sync(self, name: str) -> None:
        """See `Store`."""
        with (self._folder / name).open("rb") as file:
            os.fsync(file.fileno())

    def replace(self, name: str, data: bytes) -> None:
        """See `Store`."""
        write_aside(self._folder / name, data)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """See `Store`."""
        with (self._folder / "lock").open("ab") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def write_aside(path: Path, data: bytes, *, aside: Path | None = None) -> None:
    """Write a file whole or not at all: aside, synced, renamed, the folder synced.

    Args:
        path: the file; a former one is exchanged.
        data: its content.
        aside: folder for the unfinished file, on the same file system; default the file's.
    """
    unfinished = (aside or path.parent) / f".{path.name}.unfinished"
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:  # most often a full disk: leave no rubbish on it
        unfinished.unlink(missing_ok=True)
        raise
    if os.name == "posix":
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
