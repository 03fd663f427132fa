"""numpy's array file: a header that is a literal, then exactly the array.

Source: NEP 1. The header is read with a pattern of its own; nothing evaluates it.
"""

from __future__ import annotations

import re
from math import prod
from typing import Final

from titian.validation.scan.calls import itemsize_of
from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.pickle_machine import Machine
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source

MAGIC: Final = b"\x93NUMPY"
_LONGEST: Final = 1 << 16  # bytes of a header
_HEADER: Final = re.compile(
    r"\{\s*'descr':\s*(?P<descr>'[^']{1,40}'|\[.*\]),\s*'fortran_order':\s*(?:True|False),\s*"
    r"'shape':\s*\((?P<shape>[0-9L, ]*)\),?\s*\}\s*",
    re.DOTALL,
)
_FIELD: Final = re.compile(
    r"\s*\((?:'[^'\\]*'|\('[^'\\]*',\s*'[^'\\]*'\)),\s*'(?P<type>[^'\\]{1,40})'"
    r"(?:,\s*\((?P<shape>[0-9, ]*)\))?\)\s*,?"
)


def examine(part: Part, exam: Examination) -> None:
    """Check the header, and that the array fills the file."""
    exam.name_format("npy", part)
    source = part.source
    version = source.exactly(6, 2)
    if version not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise Refused("T-S002", f"{part.prefix}byte 6: unknown npy version {list(version)}")
    width = 2 if version[0] == 1 else 4
    length = int.from_bytes(source.exactly(8, width), "little")
    if length > _LONGEST:
        raise Refused("T-S004", f"{part.prefix}byte 8: a header of {length} bytes")
    start = 8 + width
    try:
        text = source.exactly(start, length).decode("utf-8" if version[0] == 3 else "latin-1")
    except UnicodeDecodeError:
        raise Refused(
            "T-S002", f"{part.prefix}byte {start}: a header that is no text"
        ) from None
    found = _HEADER.fullmatch(text)
    size = _itemsize(found["descr"]) if found else None
    if not found or size is None:
        raise Refused(
            "T-S002", f"{part.prefix}byte {start}: the header is none that numpy writes"
        )
    shape = [int(n.strip(" L")) for n in found["shape"].split(",") if n.strip()]
    _body(part, exam, source, start + length, size, prod(shape))


def _body(
    part: Part, exam: Examination, source: Source, offset: int, size: int, count: int
) -> None:
    if size == 0:
        machine = Machine(source, offset, exam.policy, where=part.prefix, refuse=exam.refuse)
        end = machine.run()
    else:
        end = offset + size * count
    if end > source.size:
        raise Refused(
            "T-S002",
            f"{part.prefix}byte {offset}: {end - offset} bytes are claimed, "
            f"{source.size - offset} are left",
        )
    if end < source.size:
        raise Refused("T-S005", f"{part.prefix}byte {end}: {source.size - end} bytes too many")


def _itemsize(descr: str) -> int | None:
    """Return the bytes of one element; 0 where elements are pickled objects."""
    if descr.startswith("'"):
        return itemsize_of(descr[1:-1])
    total, at, inner, objects = 0, 0, descr[1:-1], False
    while at < len(inner):
        found = _FIELD.match(inner, at)
        size = itemsize_of(found["type"]) if found else None
        if not found or size is None:
            return None
        objects = objects or size == 0
        total += size * prod(int(n) for n in (found["shape"] or "1").split(",") if n.strip())
        at = found.end()
    return 0 if objects else total
