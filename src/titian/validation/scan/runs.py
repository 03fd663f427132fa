"""Long runs of plain data in a pickle, recognised many opcodes at a time.

Within the frame that a MARK opens the pickle machine cannot reach below the mark: an opcode
that tries fails. So a frame that holds nothing but plain data holds nothing but plain data
after any run of opcodes that push, combine or remember plain data, whatever their order.
A regular expression reads such a run at the speed of C; every byte of it belongs to an
opcode that was recognised. Whatever it does not match is read opcode by opcode.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

_CLOSERS: Final = rb"[etul]|[d\x90\x91]"
_NESTING: Final = 3  # frames within frames that are recognised in one go
_WORDS: Final = 256  # a length byte's values
_INNER: Final = 96  # lengths of texts within frames; more patterns take longer to compile
_SHORT: Final = 48  # lengths of bytes, and of texts in an opcode that is rarely used for them


# Texts that begin like this are looked into one by one: a pickle within, plain or encoded.
_HIDDEN: Final = rb"(?!\x80|gA[JNSW]|Y[0-9A-Za-z]{3}|800[2-5]|63)"


def _counted(opcode: bytes, tail: bytes, most: int = _WORDS, ahead: bytes = b"") -> bytes:
    """Return the pattern of an opcode, a length below 256 and as many bytes."""
    branches = [
        re.escape(bytes([n])) + tail + ((ahead if n > 11 else b"") + b".{%d}" % n if n else b"")
        for n in range(most)
    ]
    return opcode + b"(?:" + b"|".join(branches) + b")"


def _strings(modern: bool, most: int) -> tuple[bytes, ...]:
    """Return the patterns of texts and bytes below a length."""
    pairs: tuple[tuple[bytes, bytes, int], ...]
    if modern:
        pairs = ((rb"\x8c", b"", most), (b"X", rb"\x00\x00\x00", _SHORT), (b"C", b"", _SHORT))
    else:
        pairs = ((b"X", rb"\x00\x00\x00", most), (b"U", b"", _SHORT))
    return tuple(_counted(code, tail, n, _HIDDEN) for code, tail, n in pairs)


_LONG: Final = _counted(rb"\x8a", b"", 17)
_PLAIN: Final = rb"K.(?:K.K.K.K.K.K.K.)?+|G.{8}(?:G.{8}G.{8}G.{8})?+|M..(?:M..M..M..)?+|J.{4}"


def _token(modern: bool, gets: bytes, *, memo: bool = True, most: int = _WORDS) -> bytes:
    marks = rb"\x94]" if modern and memo else b"]"
    singles = rb"[\x85-\x89N)}\]as\x8f" + marks
    writes = [rb"q.|r.{4}"] if memo and not modern else []
    reads = [gets] if gets else []
    return b"|".join([_PLAIN, singles, *_strings(modern, most), *writes, *reads, _LONG])


@lru_cache(maxsize=16)
def run_pattern(modern: bool, gets: bytes) -> re.Pattern[bytes]:
    """Return the pattern of as many plain opcodes as follow each other.

    Args:
        modern: protocol 4 or 5 (MEMOIZE), not 1 to 3 (BINPUT).
        gets: pattern of the memo reads that yield plain data, or nothing.
    """
    inner = _token(modern, gets, most=_INNER)
    whole = inner
    for level in range(_NESTING):
        token = inner if level < _NESTING - 1 else _token(modern, gets)
        whole = token + rb"|\((?:" + whole + b")*+(?:" + _CLOSERS + b")"
    return re.compile(b"(?:" + whole + b")*+", re.DOTALL)


@cache
def flat_pattern(modern: bool) -> re.Pattern[bytes]:
    """Return the pattern of one opcode of a run; its group is what the memo is told."""
    gets = rb"h.|j.{4}"
    memo = rb"(\x94)|" if modern else rb"(q.|r.{4})|"
    token = _token(modern, gets, memo=False)
    return re.compile(memo + token + rb"|\(|" + _CLOSERS, re.DOTALL)


@cache
def writes_pattern(modern: bool) -> re.Pattern[bytes]:
    """Return the pattern of one write to the memo and of what stands before it in a run.

    Its group is what the write names: MEMOIZE itself, or the place of a BINPUT. At the end
    of a run it is empty.
    """
    token = _token(modern, rb"h.|j.{4}", memo=False)
    write = rb"(\x94)" if modern else rb"[qr]((?<=q).|(?<=r).{4})"
    return re.compile(
        b"(?:" + token + rb"|\(|" + _CLOSERS + b")*+(?:" + write + rb"|\Z)", re.DOTALL
    )


def plain_gets(special: frozenset[int]) -> bytes:
    """Return the pattern of memo reads that miss every special place.

    Args:
        special: memo indices that hold something else than plain data.
    """
    low = [i for i in range(256) if i not in special]
    if not low:
        return b""
    parts = [b"h[" + b"".join(re.escape(bytes([i])) for i in low) + b"]"]
    high = sorted(i for i in special)
    if len(high) <= 64:
        banned = b"".join(b"(?!" + re.escape(i.to_bytes(4, "little")) + b")" for i in high)
        parts.append(b"j" + banned + b".{4}")
    return b"|".join(parts)
