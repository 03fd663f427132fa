"""TensorFlow's SavedModel: the operators of its graphs and functions, against a list.

Source: saved_model.proto, meta_graph.proto, graph.proto and function.proto of TensorFlow.
The list holds operators that compute; those that read or write files, run Python, open
connections or load other graphs are not on it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.protobuf import Message, Schema, Wire
from titian.validation.scan.reason import Refused

_OPERATORS: Final = Path(__file__).with_name("tensorflow_operators.json")
SCHEMA: Final[Schema] = {
    "SavedModel": {1: "int", 2: "MetaGraph"},
    "MetaGraph": {
        1: "bytes", 2: "Graph", 3: "bytes", 4: "bytes", 5: "bytes", 6: "bytes", 7: "bytes",
    },
    "Graph": {1: "Node", 2: "Library", 3: "int", 4: "bytes", 5: "bytes"},
    "Library": {1: "Function", 2: "bytes", 3: "bytes"},
    "Function": {
        1: "bytes", 3: "Node", 4: "bytes", 5: "bytes", 6: "bytes", 7: "bytes", 8: "bytes",
    },
    "Node": {
        1: "text", 2: "text", 3: "text", 4: "text", 5: "bytes", 6: "bytes", 7: "bytes",
    },
}  # fmt: skip
_MOST: Final = 5_000_000


@cache
def allowed() -> frozenset[str]:
    """Return the operators that only compute."""
    return frozenset(json.loads(_OPERATORS.read_text(encoding="utf-8"))["operators"])


def looks_like(part: Part) -> bool:
    """Return whether the top level reads as a SavedModel with a graph."""
    if not part.name.endswith(".pb") and part.source.read(0, 2) != b"\x08\x01":
        return False
    wire = Wire(part.source, SCHEMA, "T-S080", "")
    try:
        return 2 in {f.number for f in wire.fields(Message("SavedModel", 0, part.source.size))}
    except Refused:
        return False


def examine(part: Part, exam: Examination) -> None:
    """Name every operator that is not on the list."""
    exam.name_format("saved model", part)
    wire = Wire(part.source, SCHEMA, "T-S080", part.prefix)
    todo = [Message("SavedModel", 0, part.source.size)]
    count, named = 0, set()
    while todo:
        message = todo.pop()
        count += 1
        if count > _MOST:
            raise Refused("T-S080", f"{part.prefix}more than {_MOST} messages")
        for field in wire.fields(message):
            if message.name == "Node" and field.number == 2:
                operator = wire.text(field)
                if operator not in allowed() and operator not in named:
                    named.add(operator)
                    exam.refuse(
                        "T-S080",
                        f"{part.prefix}byte {field.start}: the operator {operator!r:.80} is "
                        "not on the list of those that only compute",
                    )
                    if len(named) > 1000:
                        return
            elif field.kind in SCHEMA and field.value:
                end = field.start + field.value
                todo.append(Message(field.kind, field.start, end, message.depth + 1))
