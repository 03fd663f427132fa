"""Bytes to look at: part of a file, read at any place, never all at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Final

from titian.validation.scan.reason import Refused

CHUNK: Final = 1 << 20  # bytes read at a time


class Source:
    """A stretch of an open file.

    Args:
        descriptor: of an open file; stays open as long as the source is used.
        start: first byte of the stretch in the file.
        size: bytes in the stretch.
    """

    __slots__ = ("descriptor", "size", "start")

    def __init__(self, descriptor: int, start: int, size: int) -> None:
        self.descriptor = descriptor
        self.start = start
        self.size = size

    def read(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes at ``offset``; fewer only at the end."""
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        data = os.pread(self.descriptor, count, self.start + offset)
        if len(data) == count:
            return data
        parts = [data]
        have = len(data)
        while have < count:
            part = os.pread(self.descriptor, count - have, self.start + offset + have)
            if not part:
                raise Refused(
                    "T-S007", f"byte {offset + have}: the file ended while being read"
                )
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def exactly(self, offset: int, count: int) -> bytes:
        """Return ``count`` bytes at ``offset``.

        Raises:
            Refused: the stretch ends before.
        """
        if count < 0 or offset < 0 or offset + count > self.size:
            raise Refused(
                "T-S002",
                f"byte {offset}: {count} bytes are claimed, {max(self.size - offset, 0)} left",
            )
        return self.read(offset, count)

    def part(self, offset: int, size: int) -> Source:
        """Return the stretch of ``size`` bytes at ``offset``."""
        if size < 0 or offset < 0 or offset + size > self.size:
            raise Refused("T-S002", f"byte {offset}: {size} bytes are claimed beyond the end")
        return Source(self.descriptor, self.start + offset, size)

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """Yield everything from ``offset`` on, a chunk at a time."""
        while offset < self.size:
            data = self.read(offset, CHUNK)
            offset += len(data)
            yield data


class Spool:
    """Unpacked bytes, kept in an unnamed temporary file that vanishes with the process."""

    __slots__ = ("_file", "limit", "size", "what")

    def __init__(self, limit: int, what: str) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as its sources
        self.limit = limit
        self.size = 0
        self.what = what

    def write(self, data: bytes) -> None:
        """Append.

        Raises:
            Refused: more than the limit came out.
        """
        self.size += len(data)
        if self.size > self.limit:
            self.close()
            raise Refused("T-S004", f"{self.what}: more than {self.limit} bytes come out")
        self._file.write(data)

    def source(self) -> Source:
        """Return what was written."""
        self._file.flush()
        return Source(self._file.fileno(), 0, self.size)

    def close(self) -> None:
        """Give the space back."""
        self._file.close()
