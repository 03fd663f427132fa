"""Keras v3: a configuration that may name code, and weights in HDF5."""

from __future__ import annotations

from typing import Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.source import Source
from titian.validation.scan.text import json_keys, json_tokens

_MODULES: Final = (
    "keras.layers", "keras.models", "keras.initializers", "keras.optimizers", "keras.losses",
    "keras.metrics", "keras.activations", "keras.regularizers", "keras.constraints",
    "keras.src.models.", "keras.src.layers.", "keras.src.optimizers.",
    "keras.src.initializers.", "keras.src.losses.", "keras.src.metrics.",
    "keras.dtype_policies",
)  # fmt: skip


def examine(part: Part, exam: Examination, contents: dict[str, Source]) -> None:
    """Check the configuration for code, then the other members."""
    exam.name_format("keras", part)
    for name, source in contents.items():
        where = f"{part.prefix}{name}"
        if name == "config.json":
            inner = Part(source=source, name=name, place=where, depth=part.depth)
            json_keys(inner, exam)
            config(source, where, exam)
        else:
            exam.descend(part, source, name)


def config(source: Source, where: str, exam: Examination) -> None:
    """Refuse Lambda layers, pickled functions and classes from outside Keras."""
    key = ""
    for kind, start, token in json_tokens(source, f"{where}: "):
        if kind == "key":
            key = token[1:-1].decode("utf-8", "replace")
            continue
        text = token[1:-1].decode("utf-8", "replace") if token[:1] == b'"' else ""
        if key == "class_name" and text in {"Lambda", "__lambda__", "TFSMLayer", "function"}:
            exam.refuse("T-S070", f"{where}: byte {start}: a layer of class {text}")
        elif key == "vocabulary" and text:
            exam.refuse(
                "T-S070", f"{where}: byte {start}: a vocabulary in the file {text!r:.80}"
            )
        elif key == "module" and text and not text.startswith(_MODULES):
            exam.refuse(
                "T-S070", f"{where}: byte {start}: an object of the module {text!r:.80}"
            )
        elif key == "registered_name" and ">" in text and not text.startswith("keras"):
            exam.refuse("T-S070", f"{where}: byte {start}: a custom object {text!r:.80}")
        elif key in {"fn_name", "fn_module"}:
            exam.refuse("T-S070", f"{where}: byte {start}: a function {text!r:.80}")
