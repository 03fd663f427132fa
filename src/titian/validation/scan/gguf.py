"""GGUF: metadata, descriptions of tensors, then the tensors, each at its aligned place.

Source: docs/gguf.md of the ggml repository; block sizes of ggml-common.h.
"""

from __future__ import annotations

from math import prod
from typing import Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source
from titian.validation.scan.text import template_breach

_WIDTH: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TEXT, _ARRAY, _U32 = 8, 9, 4
_BLOCKS: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 36), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4),
    27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66),
}  # fmt: skip  # type: elements and bytes of a block
_KEYS: Final = 100_000
_TENSORS: Final = 100_000
_LONGEST_KEY: Final = 1 << 16
_LONGEST_TEXT: Final = 1 << 24
_WINDOW: Final = 1 << 18


class _Reader:
    """Reads numbers and texts one after another."""

    def __init__(self, source: Source, prefix: str) -> None:
        self.source, self.prefix, self.at = source, prefix, 0
        self._buffer, self._base = b"", 0

    def take(self, count: int) -> bytes:
        offset = self.at - self._base
        if offset < 0 or offset + count > len(self._buffer):
            self._base, offset = self.at, 0
            self._buffer = self.source.exactly(
                self.at, max(count, min(_WINDOW, self.source.size - self.at))
            )
        self.at += count
        return self._buffer[offset : offset + count]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def text(self, longest: int) -> str:
        size = self.number(8)
        if size > min(longest, self.source.size - self.at):
            raise self.fail(f"a text of {size} bytes")
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail("a text that is not UTF-8") from None

    def skip(self, count: int) -> None:
        if count > self.source.size - self.at:
            raise self.fail(f"{count} bytes are claimed, {self.source.size - self.at} are left")
        self.at += count

    def fail(self, what: str) -> Refused:
        return Refused("T-S060", f"{self.prefix}byte {self.at}: {what}")


def examine(part: Part, exam: Examination) -> None:
    """Check counts, lengths, templates, and that the tensors fill the file."""
    exam.name_format("gguf", part)
    reader = _Reader(part.source, part.prefix)
    reader.at = 4
    version, tensors, keys = reader.number(4), reader.number(8), reader.number(8)
    if version not in (2, 3):
        raise reader.fail(f"version {version}")
    if keys > _KEYS or tensors > _TENSORS:
        raise reader.fail(f"{keys} entries and {tensors} tensors are claimed")
    seen: set[str] = set()
    alignment = 32
    for _ in range(keys):
        key = reader.text(_LONGEST_KEY)
        if key in seen:
            raise reader.fail(f"the key {key!r:.100} is there twice")
        seen.add(key)
        value = _value(reader, key, exam)
        if key == "general.alignment":
            alignment = value
    if not 1 <= alignment <= 1 << 20 or alignment & (alignment - 1):
        raise reader.fail(f"an alignment of {alignment}")
    spans = _spans(reader, tensors, alignment)
    _cover(reader, spans, alignment)


def _value(reader: _Reader, key: str, exam: Examination) -> int:
    kind = reader.number(4)
    if kind == _TEXT:
        text = reader.text(_LONGEST_TEXT)
        if "chat_template" in key:
            breach = template_breach(text)
            if breach:
                exam.refuse(
                    "T-S091", f"{reader.prefix}byte {reader.at}: {key} says {breach!r:.60}"
                )
        return 0
    if kind == _ARRAY:
        inner, count = reader.number(4), reader.number(8)
        if inner in _WIDTH:
            reader.skip(_WIDTH[inner] * count)
        elif inner == _TEXT:
            if count > reader.source.size // 8:
                raise reader.fail(f"{count} texts are claimed")
            for _ in range(count):
                reader.text(_LONGEST_TEXT)
        else:
            raise reader.fail(f"an array of type {inner}")
        return 0
    if kind not in _WIDTH:
        raise reader.fail(f"metadata of type {kind}")
    return reader.number(_WIDTH[kind])


def _spans(reader: _Reader, count: int, alignment: int) -> list[tuple[int, int, str]]:
    spans, names = [], set()
    for _ in range(count):
        name = reader.text(_LONGEST_KEY)
        rank = reader.number(4)
        if name in names or rank > 8:
            raise reader.fail(f"the tensor {name!r:.100} is there twice, or of rank {rank}")
        names.add(name)
        shape = [reader.number(8) for _ in range(rank)]
        kind, offset = reader.number(4), reader.number(8)
        block = _BLOCKS.get(kind)
        if block is None or offset % alignment or (shape and shape[0] % block[0]):
            raise reader.fail(f"the tensor {name!r:.100} of type {kind} at {offset}")
        spans.append((offset, prod(shape) // block[0] * block[1], name))
    return sorted(spans)


def _cover(reader: _Reader, spans: list[tuple[int, int, str]], alignment: int) -> None:
    """Check that tensors and padding of zeros fill the file."""
    data = reader.at + (-reader.at % alignment)
    at = reader.at
    for offset, size, name in spans:
        start = data + offset
        if start < at or start - at >= alignment:
            raise reader.fail(f"the tensor {name!r:.100} overlaps another, or leaves a gap")
        _zeros(reader, at, start)
        at = start + size
        if at > reader.source.size:
            raise reader.fail(f"the tensor {name!r:.100} reaches beyond the end")
    if reader.source.size - at >= max(alignment, 1) and reader.source.size != data:
        raise reader.fail(f"{reader.source.size - at} bytes follow the last tensor")
    _zeros(reader, at, reader.source.size)


def _zeros(reader: _Reader, start: int, end: int) -> None:
    if reader.source.exactly(start, end - start).strip(b"\0"):
        raise Refused("T-S005", f"{reader.prefix}byte {start}: the padding holds something")
