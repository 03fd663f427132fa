"""torch.export's archive (.pt2): a graph in JSON, weights as raw bytes, examples of inputs.

Source: torch/export/pt2_archive. A graph of standard operators runs no code of the file's;
compiled parts (AOTInductor) do, and are refused.
"""

from __future__ import annotations

import re
from typing import Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import Source
from titian.validation.scan.text import json_tokens

_PLAIN: Final = {
    "archive_format", "archive_version", ".data/version", "byteorder", "version",
    ".data/serialization_id", ".format_version", ".storage_alignment",
}  # fmt: skip
_RAW: Final = re.compile(r"data/(?:weights/weight_\d+|constants/tensor_\d+)")
_JSON: Final = re.compile(r"(?:models/[\w.-]+|data/(?:weights|constants)/[\w.-]+_config)\.json")
_NESTED: Final = re.compile(r"data/sample_inputs/[\w.-]+\.pt")
_TARGET: Final = re.compile(
    r"torch\.ops\.(?:aten|prims|prim)\.\w+(?:\.\w+)?"
    r"|_operator\.(?:add|sub|mul|floordiv|truediv|mod|neg|pow|eq|ne|lt|le|gt|ge|getitem|and_|or_)"
    r"|math\.(?:ceil|floor|trunc|sqrt)|torch\.sym_(?:max|min|float|int|not|ite|sqrt|sum)"
    r"|torch\.ops\.higher_order\.(?:cond|while_loop|wrap_with_set_grad_enabled|wrap_with_autocast)"
)
_FILES: Final = {"from_file"}
_SHORT: Final = 256


def examine(part: Part, exam: Examination, contents: dict[str, Source]) -> None:
    """Check every member."""
    exam.name_format("pt2", part)
    top = next(iter(contents)).partition("/")[0] + "/"
    for name, source in contents.items():
        inner = name.removeprefix(top)
        where = f"{part.prefix}{name}"
        if not name.startswith(top):
            raise Refused("T-S030", f"{where}: lies beside the archive's folder {top!r}")
        if inner in _PLAIN:
            if source.size > _SHORT or not source.read(0, _SHORT).isascii():
                raise Refused("T-S030", f"{where}: is no short text")
        elif _JSON.fullmatch(inner):
            _graph(source, where, exam)
        elif _NESTED.fullmatch(inner):
            exam.descend(part, source, name)
        elif not _RAW.fullmatch(inner):
            raise Refused("T-S031", f"{where}: is no graph, weight or example")


def _graph(source: Source, where: str, exam: Examination) -> None:
    key = ""
    for kind, start, token in json_tokens(source, f"{where}: "):
        text = token[1:-1].decode("utf-8", "replace") if token[:1] == b'"' else ""
        if kind == "key":
            key = text
            if key in {"as_custom_obj", "custom_obj"}:
                exam.refuse("T-S031", f"{where}: byte {start}: an object of a custom class")
        elif key == "target" and text:
            _target(text, f"{where}: byte {start}", exam)
        elif key == "use_pickle" and token == b"true":
            exam.refuse("T-S031", f"{where}: byte {start}: weights that are a pickle")


def _target(text: str, where: str, exam: Examination) -> None:
    if "." not in text or text.startswith(("p_", "b_", "c_")) or " " in text:
        return  # names of weights: a target of an input, not of a call
    known = _TARGET.fullmatch(text)
    operator = text.split(".")[3:4]
    if (known and operator != ["from_file"]) or not text.startswith(
        ("torch.", "_operator.", "math.", "builtins.", "operator.")
    ):
        return
    exam.refuse("T-S031", f"{where}: the operator {text!r:.120} is not standard")
