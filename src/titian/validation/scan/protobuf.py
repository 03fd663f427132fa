"""Protocol buffers on the wire: fields one after another, against a table of what may come.

Source: the encoding page of the Protocol Buffers documentation. Messages within messages
are put on a list instead of being called into, so that nesting costs no stack.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source

Schema: TypeAlias = Mapping[str, Mapping[int, str]]
"""Message to field number to kind: int, text, bytes, f32, f64, or the name of a message."""

_WINDOW: Final = 1 << 16
_DEEPEST: Final = 64  # messages within messages; libraries stop at 100
SHORT: Final = 4096  # bytes of a text that is looked at


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        number: of the field.
        kind: from the schema.
        value: of a number; of lengths, the size.
        start: offset of the content.
        packed: whether it is a length and as many bytes.
    """

    number: int
    kind: str
    value: int
    start: int
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A stretch of bytes that holds one message."""

    name: str
    start: int
    end: int
    depth: int = 0
    parent: int = -1


class Wire:
    """Reads fields from a source."""

    def __init__(self, source: Source, schema: Schema, code: str, prefix: str) -> None:
        self.source, self.schema, self.code, self.prefix = source, schema, code, prefix
        self._buffer, self._base = b"", 0

    def fail(self, at: int, what: str) -> Refused:
        """Return the reason at an offset."""
        return Refused(self.code, f"{self.prefix}byte {at}: {what}")

    def _byte(self, at: int) -> int:
        offset = at - self._base
        if not 0 <= offset < len(self._buffer):
            self._base, self._buffer = at, self.source.read(at, _WINDOW)
            offset = 0
            if not self._buffer:
                raise Refused("T-S002", f"{self.prefix}byte {at}: the message is cut")
        return self._buffer[offset]

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            if at >= end:
                raise self.fail(at, "a number reaches beyond its message")
            byte = self._byte(at)
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise self.fail(at, "a number of more than 64 bits")
        return value & 0xFFFFFFFFFFFFFFFF, at

    def text(self, field: Field) -> str:
        """Return a short text."""
        if field.value > SHORT:
            raise self.fail(field.start, f"a name of {field.value} bytes")
        try:
            return self.source.exactly(field.start, field.value).decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail(field.start, "a text that is not UTF-8") from None

    def fields(self, message: Message) -> Iterator[Field]:
        """Yield the fields of a message; what the schema does not know is refused."""
        known = self.schema[message.name]
        if message.depth > _DEEPEST:
            raise self.fail(message.start, f"more than {_DEEPEST} messages within another")
        at = message.start
        while at < message.end:
            begin = at
            key, at = self._varint(at, message.end)
            number, wire = key >> 3, key & 7
            kind = known.get(number)
            if kind is None:
                raise self.fail(begin, f"{message.name} has no field {number}")
            if wire == 0:
                value, at = self._varint(at, message.end)
                if kind != "int":
                    raise self.fail(begin, f"field {number} of {message.name} is no number")
                yield Field(number, kind, value, begin)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
                if kind != ("f64" if wire == 1 else "f32") or at + size > message.end:
                    raise self.fail(
                        begin, f"field {number} of {message.name} is no fixed number"
                    )
                yield Field(number, kind, 0, at)
                at += size
            elif wire == 2:
                size, at = self._varint(at, message.end)
                if size > message.end - at:
                    raise self.fail(
                        begin, f"{size} bytes are claimed, {message.end - at} are left"
                    )
                yield Field(number, kind, size, at, True)
                at += size
            else:
                raise self.fail(begin, f"wire type {wire} is not used any more")
