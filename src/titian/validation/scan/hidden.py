"""Pickles where none should be: within a text or bytes, plain, in base64 or in hexadecimal."""

from __future__ import annotations

import binascii
import re
from typing import Final

from titian.validation.scan.opcodes import HIGHEST, KINDS, Argument
from titian.validation.scan.source import CHUNK, Source

_SHORTEST: Final = 12  # bytes of a text that could be a pickle in base64
_ENCODED: Final = b"gY8K642 \n"  # how such a text begins, and its letters in hexadecimal
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_\r\n-]+={0,2}\s*")
_URL: Final = bytes.maketrans(b"-_", b"+/")


def encoded_pickle(data: bytes) -> bytes:
    """Return what a text in base64 or hexadecimal stands for, if it begins as a pickle."""
    if len(data) < _SHORTEST or data[0] not in _ENCODED:
        return b""
    text = data.strip()
    try:
        if _HEX.fullmatch(text):
            inner = bytes.fromhex(text[: len(text) & ~1].decode("ascii"))
        elif _BASE64.fullmatch(text):
            bare = text.translate(_URL, b"\r\n=")
            inner = binascii.a2b_base64(bare + b"=" * (-len(bare) % 4))
        else:
            return b""
    except ValueError:
        return b""
    return inner if is_pickle_like(inner) else b""


def is_pickle_like(head: bytes) -> bool:
    """Return whether bytes begin as a pickle does (protocol 2 and later, or a GLOBAL)."""
    if len(head) > 3 and head[0] == 0x80 and 2 <= head[1] <= HIGHEST and KINDS[head[2]] >= 0:
        return True
    return (
        head[:1] in (b"c", b"(")
        and b"\n" in head[:64]
        and head[1:2].isalpha()
        and (head[:1] == b"c" or b"c" in head[:4])
    )


def holds_pickle(source: Source) -> bool:
    """Return whether the first opcodes of a source are opcodes, up to a STOP."""
    return ends_as_pickle(source.read(0, CHUNK), cut=source.size > CHUNK)


def ends_as_pickle(data: bytes, cut: bool = False) -> bool:
    """Return whether data are opcodes up to a STOP, or throughout where they are cut."""
    at, size, seen = 0, len(data), 0
    while at < size:
        kind = KINDS[data[at]]
        if kind < 0:
            return False
        if data[at] == 0x2E:
            return True
        seen += 1
        at += 1
        if kind <= Argument.FIXED8:
            at += kind
        elif kind <= Argument.COUNTED8:
            width = kind - 10
            at += width + int.from_bytes(data[at : at + width], "little")
        else:
            for _ in range(1 if kind == Argument.LINE else 2):
                end = data.find(b"\n", at)
                if end < 0:
                    return False
                at = end + 1
        if seen > 100_000:
            return True
    return cut
