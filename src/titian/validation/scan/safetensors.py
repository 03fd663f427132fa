"""safetensors: a JSON header, then the tensors side by side.

Source: the format's page in its repository (huggingface/safetensors, README).
"""

from __future__ import annotations

import json
from math import prod
from typing import Any, Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source
from titian.validation.scan.text import program_breach

BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip

_SPARSE: Final = 256  # bytes; a longer header that is mostly brackets is no table


def looks_like(source: Source) -> bool:
    """Return whether a length and the brace of a header stand at the start."""
    head = source.read(0, 9)
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") >= 2


def examine(part: Part, exam: Examination) -> None:
    """Check that the header describes every byte of the file once."""
    exam.name_format("safetensors", part)
    source, prefix = part.source, part.prefix
    length = int.from_bytes(source.exactly(0, 8), "little")
    if length > exam.policy.header_bytes:
        raise Refused("T-S050", f"{prefix}byte 0: a header of {length} bytes")
    if 8 + length > source.size:
        raise Refused(
            "T-S050", f"{prefix}byte 0: a header of {length} bytes, {source.size - 8} are left"
        )
    if length > exam.policy.json_bytes:
        raise Refused("T-S004", f"{prefix}byte 0: a header of {length} bytes")
    header = _parsed(source.exactly(8, length), prefix)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Refused("T-S050", f"{prefix}__metadata__ is no table of texts")
    for key, value in metadata.items():
        breach = program_breach(value)
        if breach:
            raise Refused("T-S095", f"{prefix}__metadata__ {key!r:.60} says {breach!r}")
    spans = sorted(_span(name, entry, prefix) for name, entry in header.items())
    at = 0
    for start, end, name in spans:
        if start != at:
            what = "an overlap" if start < at else "bytes that belong to no tensor"
            raise Refused(
                "T-S051", f"{prefix}{name!r:.100}: {what} at data byte {min(start, at)}"
            )
        at = end
    if 8 + length + at != source.size:
        left = source.size - 8 - length - at
        what = (
            f"{left} bytes follow the last tensor" if left > 0 else f"{-left} bytes are missing"
        )
        raise Refused(
            "T-S051" if left > 0 else "T-S002", f"{prefix}byte {8 + length + at}: {what}"
        )


def _parsed(data: bytes, prefix: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise Refused("T-S050", f"{prefix}the header has a key twice")
        return table

    def constant(name: str) -> None:
        raise ValueError(name)

    if len(data) > _SPARSE and (
        data.count(b"[") > len(data) // 2 or data.count(b"{") > len(data) // 4
    ):
        raise Refused("T-S050", f"{prefix}the header is no table")
    try:
        header = json.loads(
            data.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant
        )
    except (ValueError, RecursionError):
        raise Refused("T-S050", f"{prefix}byte 8: the header is no JSON") from None
    if not isinstance(header, dict) or data[:1] != b"{":
        raise Refused("T-S050", f"{prefix}byte 8: the header is no table")
    return header


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _span(name: str, entry: object, prefix: str) -> tuple[int, int, str]:
    where = f"{prefix}{name!r:.100}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise Refused(
            "T-S050", f"{where}: an entry without dtype, shape and data_offsets alone"
        )
    shape, offsets, bits = entry["shape"], entry["data_offsets"], BITS.get(str(entry["dtype"]))
    if bits is None:
        raise Refused("T-S050", f"{where}: dtype {entry['dtype']!r:.40} is not known")
    good = isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2
    if not good or not all(map(_count, [*shape, *offsets])) or offsets[0] > offsets[1]:
        raise Refused("T-S050", f"{where}: shape or offsets are no counts")
    if prod(shape) * bits != (offsets[1] - offsets[0]) * 8:
        raise Refused(
            "T-S051",
            f"{where}: {offsets[1] - offsets[0]} bytes for shape {shape} of {entry['dtype']}",
        )
    return offsets[0], offsets[1], name
