"""ONNX: every field known, standard operators only, external data inside the folder.

Source: onnx.proto of ONNX 1.18 (IR version 13), "External Data" in its documentation.
"""

from __future__ import annotations

import json
from functools import cache
from math import prod
from pathlib import Path
from typing import Final

from titian.validation.scan.examination import Examination, Outside, Part
from titian.validation.scan.protobuf import Message, Schema, Wire
from titian.validation.scan.reason import Refused

_ENTRY: Final = "StringStringEntry"
SCHEMA: Final[Schema] = {
    "Model": {
        1: "int", 2: "text", 3: "text", 4: "text", 5: "int", 6: "text", 7: "Graph",
        8: "OperatorSet", 14: _ENTRY, 20: "Training", 25: "Function", 26: "Devices",
    },
    "Graph": {
        1: "Node", 2: "text", 5: "Tensor", 10: "text", 11: "ValueInfo", 12: "ValueInfo",
        13: "ValueInfo", 14: "Quantization", 15: "Sparse", 16: _ENTRY,
    },
    "Node": {
        1: "text", 2: "text", 3: "text", 4: "text", 5: "Attribute", 6: "text", 7: "text",
        8: "text", 9: _ENTRY, 10: "bytes",
    },
    "Attribute": {
        1: "text", 2: "f32", 3: "int", 4: "bytes", 5: "Tensor", 6: "Graph", 7: "f32",
        8: "int", 9: "bytes", 10: "Tensor", 11: "Graph", 13: "text", 14: "Type", 15: "Type",
        20: "int", 21: "text", 22: "Sparse", 23: "Sparse",
    },
    "Tensor": {
        1: "int", 2: "int", 3: "Segment", 4: "f32", 5: "int", 6: "bytes", 7: "int", 8: "text",
        9: "bytes", 10: "f64", 11: "int", 12: "text", 13: _ENTRY, 14: "int", 16: _ENTRY,
    },
    "Segment": {1: "int", 2: "int"},
    "Sparse": {1: "Tensor", 2: "Tensor", 3: "int"},
    "ValueInfo": {1: "text", 2: "Type", 3: "text", 4: _ENTRY},
    "Type": {
        1: "TensorType", 4: "Sequence", 5: "Map", 6: "text", 7: "Opaque", 8: "TensorType",
        9: "Sequence",
    },
    "TensorType": {1: "int", 2: "Shape"},
    "Shape": {1: "Dimension"},
    "Dimension": {1: "int", 2: "text", 3: "text"},
    "Sequence": {1: "Type"},
    "Map": {1: "int", 2: "Type"},
    "Opaque": {1: "text", 2: "text"},
    "OperatorSet": {1: "text", 2: "int"},
    _ENTRY: {1: "text", 2: "text"},
    "Training": {1: "Graph", 2: "Graph", 3: _ENTRY, 4: _ENTRY},
    "Function": {
        1: "text", 4: "text", 5: "text", 6: "text", 7: "Node", 8: "text", 9: "OperatorSet",
        10: "text", 11: "Attribute", 12: "ValueInfo", 13: "text", 14: _ENTRY,
    },
    "Quantization": {1: "text", 2: _ENTRY},
    "Devices": {1: "text", 2: "int", 3: "text"},
}  # fmt: skip
_BYTES: Final = {
    1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16,
    16: 2, 17: 1, 18: 1, 19: 1, 20: 1, 24: 1,
}  # fmt: skip  # data type to bytes per element; 4-bit types are not listed
_MOST: Final = 5_000_000  # messages in one model
_OPERATORS: Final = Path(__file__).with_name("onnx_operators.json")


@cache
def standard_operators() -> dict[str, frozenset[str]]:
    """Return the names of the operators of each domain of the standard."""
    table = json.loads(_OPERATORS.read_text(encoding="utf-8"))
    found = {domain: frozenset(names) for domain, names in table["domains"].items()}
    return found | {"ai.onnx": found[""]}


def looks_like(part: Part) -> bool:
    """Return whether the top level reads as a model with a graph."""
    wire = Wire(part.source, SCHEMA, "T-S042", "")
    seen = set()
    try:
        for field in wire.fields(Message("Model", 0, part.source.size)):
            seen.add(field.number)
            if len(seen) > 1 and 7 in seen:
                return True
    except Refused:
        return {1, 7} <= seen or {1, 8} <= seen
    return 7 in seen or {1, 8} <= seen


def examine(part: Part, exam: Examination) -> None:
    """Read every field of the model."""
    exam.name_format("onnx", part)
    wire = Wire(part.source, SCHEMA, "T-S042", part.prefix)
    functions: set[tuple[str, str]] = set()
    wanted: list[tuple[str, str, int]] = []
    todo = [Message("Model", 0, part.source.size)]
    count = 0
    while todo:
        message = todo.pop()
        count += 1
        if count > _MOST:
            raise Refused("T-S042", f"{part.prefix}more than {_MOST} messages")
        match message.name:
            case "Node":
                wanted.append(_node(wire, message, todo))
                if len(wanted) > 10_000:
                    _operators(wanted, functions, exam, part, last=False)
            case "Function":
                functions.add(_function(wire, message, todo))
            case "Tensor":
                _tensor(wire, message, exam, part)
            case _:
                for field in wire.fields(message):
                    if field.kind in SCHEMA:
                        _descend(todo, message, field.kind, field.start, field.value)
    _operators(wanted, functions, exam, part, last=True)


def _descend(todo: list[Message], message: Message, kind: str, start: int, size: int) -> None:
    if size:
        todo.append(Message(kind, start, start + size, message.depth + 1))


def _node(wire: Wire, message: Message, todo: list[Message]) -> tuple[str, str, int]:
    domain = operator = ""
    for field in wire.fields(message):
        if field.number == 4:
            operator = wire.text(field)
        elif field.number == 7:
            domain = wire.text(field)
        elif field.kind in SCHEMA:
            _descend(todo, message, field.kind, field.start, field.value)
    return domain, operator, message.start


def _function(wire: Wire, message: Message, todo: list[Message]) -> tuple[str, str]:
    domain = name = ""
    for field in wire.fields(message):
        if field.number == 1:
            name = wire.text(field)
        elif field.number == 10:
            domain = wire.text(field)
        elif field.kind in SCHEMA:
            _descend(todo, message, field.kind, field.start, field.value)
    return domain, name


def _operators(
    wanted: list[tuple[str, str, int]],
    functions: set[tuple[str, str]],
    exam: Examination,
    part: Part,
    *,
    last: bool,
) -> None:
    """Refuse operators that are neither standard nor defined in the model itself."""
    kept = []
    for domain, operator, at in wanted:
        if (domain, operator) in functions:
            continue
        known = standard_operators().get(domain)
        if operator in known if known else domain in exam.policy.domains:
            continue
        if last:
            exam.refuse(
                "T-S041",
                f"{part.prefix}byte {at}: the operator {operator!r:.80} of the domain "
                f"{domain or 'ai.onnx'!r:.80} is not standard",
            )
        else:
            kept.append((domain, operator, at))
    wanted[:] = kept[:20_000]


def _tensor(wire: Wire, message: Message, exam: Examination, part: Part) -> None:
    dims: list[int] = []
    kind, raw, outside, entries = 0, -1, False, {}
    for field in wire.fields(message):
        match field.number:
            case 1 if field.packed:
                dims.extend(_packed(wire, field.start, field.value))
            case 1:
                dims.append(field.value)
            case 2:
                kind = field.value
            case 9:
                raw = field.value
            case 13:
                key, value = _entry(wire, message, field.start, field.value)
                if key in entries:
                    raise wire.fail(field.start, f"external data name {key!r:.40} twice")
                entries[key] = value
            case 14:
                outside = field.value == 1
            case _:
                pass
    if outside or entries:
        _outside(entries, exam, part, message)
    elif raw >= 0 and kind in _BYTES and prod(dims) * _BYTES[kind] != raw:
        raise wire.fail(
            message.start, f"a tensor of shape {dims[:8]} and type {kind} in {raw} bytes"
        )


def _packed(wire: Wire, start: int, size: int) -> list[int]:
    data, found, value, shift = wire.source.exactly(start, min(size, 4096)), [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value = shift = 0
    return found


def _entry(wire: Wire, message: Message, start: int, size: int) -> tuple[str, str]:
    key = value = ""
    for field in wire.fields(Message(_ENTRY, start, start + size, message.depth + 1)):
        if field.number == 1:
            key = wire.text(field)
        else:
            value = wire.text(field)
    return key, value


def _outside(entries: dict[str, str], exam: Examination, part: Part, message: Message) -> None:
    where = f"{part.prefix}byte {message.start}"
    location = entries.get("location", "")
    parts = location.split("/")
    if (
        not location
        or location.startswith(("/", "~"))
        or "\\" in location
        or ":" in location
        or "\0" in location
        or any(p in {"", ".", ".."} for p in parts)
    ):
        exam.refuse("T-S040", f"{where}: external data at {location!r:.200} leave the folder")
        return
    numbers = [entries.get(key, "0") for key in ("offset", "length")]
    if not all(n.isascii() and n.isdigit() and len(n) < 19 for n in numbers):
        exam.refuse("T-S040", f"{where}: external data with the offset {numbers[0]!r:.40}")
        return
    if set(entries) - {"location", "offset", "length", "checksum"}:
        exam.refuse("T-S040", f"{where}: external data with an unknown entry")
        return
    length = int(numbers[1]) if "length" in entries else None
    exam.outside.append(
        Outside(location=location, offset=int(numbers[0]), length=length, where=where)
    )
