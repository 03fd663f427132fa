"""Where in a pickle the reading is: opcodes' arguments, and the place for reasons."""

from __future__ import annotations

from typing import Final, NoReturn

from titian.validation.scan.hidden import encoded_pickle, ends_as_pickle, is_pickle_like
from titian.validation.scan.pickle_values import LONGEST_TEXT
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import CHUNK, Source

_LONGEST_LINE: Final = 1 << 16  # bytes of a text argument


class Cursor:
    """Reads arguments from a source through a window.

    Args:
        source: holds the pickle.
        start: offset of its first opcode.
        where: prefix of the places named (a member and a colon), or "".
    """

    def __init__(self, source: Source, start: int, where: str) -> None:
        self.source, self.prefix = source, where
        self.base, self.at, self.buffer = start, 0, b""
        self.opcode = "PROTO"
        self.opcode_at = start

    # Places --------------------------------------------------------------------------

    def here(self) -> str:
        """Return the place of the opcode at hand."""
        return f"{self.prefix}byte {self.opcode_at}, {self.opcode}"

    def fail(self, code: str, what: str) -> NoReturn:
        """Refuse at the opcode at hand."""
        raise Refused(code, f"{self.here()}: {what}")

    # Bytes ---------------------------------------------------------------------------

    def fill(self, count: int) -> None:
        """Make sure that ``count`` bytes lie ahead; refuse where the source ends before."""
        if self.at + count <= len(self.buffer):
            return
        self.base += self.at
        self.at = 0
        self.buffer = self.source.read(self.base, max(CHUNK, count))
        if len(self.buffer) < count:
            self.fail("T-S002", "the pickle ends in the middle of an opcode")

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        self.fill(count)
        data = self.buffer[self.at : self.at + count]
        self.at += count
        return data

    def line(self) -> bytes:
        """Return what stands before the next end of a line."""
        end = self.buffer.find(b"\n", self.at)
        if end < 0:
            self.fill(min(_LONGEST_LINE, self.source.size - self.base - self.at))
            end = self.buffer.find(b"\n", self.at)
            if end < 0:
                self.fail(
                    "T-S019", f"a line of more than {_LONGEST_LINE} bytes, or without an end"
                )
        data = self.buffer[self.at : end]
        self.at = end + 1
        return data

    def counted(self, width: int) -> bytes | None:
        """Return a counted argument, or None where it is too long to be looked at."""
        size = int.from_bytes(self.take(width), "little")
        offset = self.base + self.at
        if offset + size > self.source.size:
            self.fail(
                "T-S002", f"{size} bytes are claimed, {self.source.size - offset} are left"
            )
        if size <= LONGEST_TEXT:
            return self.take(size)
        self.look_inside(offset, size)
        self.go(offset + size)
        return None

    def go(self, offset: int) -> None:
        """Go to an offset of the source."""
        if self.base <= offset <= self.base + len(self.buffer):
            self.at = offset - self.base
        else:
            self.base, self.at, self.buffer = offset, 0, b""

    def look_inside(self, offset: int, size: int) -> None:
        """Refuse a long argument that is itself a pickle."""
        head = self.source.read(offset, min(size, 64))
        if is_pickle_like(head) or encoded_pickle(head):
            self.hidden(self.source.read(offset, min(size, CHUNK)), cut=size > CHUNK)

    def hidden(self, data: bytes, cut: bool = False) -> None:
        """Refuse an argument that is itself a pickle; ``cut`` where only its head is here."""
        if is_pickle_like(data) and ends_as_pickle(data, cut):
            self.fail("T-S017", f"its {len(data)} bytes are a pickle of their own")
        inner = encoded_pickle(data)
        if inner and ends_as_pickle(inner, cut):
            self.fail("T-S017", f"its {len(data)} bytes are a pickle in base64 or hexadecimal")
