"""What a model says of itself: the keys ``titian.*`` of its ONNX metadata.

Every value is JSON text under its own key, so that another tool can read one key without
knowing the rest. `titian.version` counts changes of this format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from titian.errors import InputError, Problem
from titian.values import from_json, to_json

FORMAT_VERSION = 1
PREFIX = "titian."


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How to feed a model and how to read its answer.

    Attributes:
        input: ``image`` (one float32 tensor ``image`` of shape (n, 1, h, w), values in
            [0, 1]) or ``table`` (float32 ``numbers`` of shape (n, p), NaN where missing,
            and string ``texts`` of shape (n, q), ``""`` where missing).
        classes: label texts in the order of the output's columns; for a binary model the
            negative class first.
        positive: the positive class of a binary model; None for an argmax over classes.
        threshold: a binary model answers `positive` from this score on; None otherwise.
        recipe: what made the model: ``cnn``, ``tabular`` or ``vendor``.
        temperature: divisor of the log likelihood ratios; already inside the graph.
        numbers: names of the columns of ``numbers``.
        texts: names of the columns of ``texts``.
        size: (height, width) in pixels where the graph accepts no other; images are
            then resized before they enter it.
        batch: the number of cases per call where the graph accepts no other.
    """

    input: str
    classes: tuple[str, ...]
    positive: str | None = None
    threshold: float | None = None
    recipe: str = "vendor"
    temperature: float = 1.0
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    batch: int | None = None

    @property
    def task(self) -> str:
        """``binary`` (a score against a threshold) or ``multiclass`` (an argmax)."""
        return "multiclass" if self.positive is None else "binary"


def order_classes(labels: Iterable[str], positive: str | None) -> tuple[str, ...]:
    """Return the distinct labels sorted, the positive one last."""
    return tuple(sorted(set(labels), key=lambda label: (label == positive, label)))


def with_card(model: Any, card: Card) -> Any:  # noqa: ANN401 - onnx ships no types
    """Return a copy of an ``onnx.ModelProto`` whose metadata hold `card` alone.

    Metadata under other keys are kept; earlier ``titian.*`` keys are dropped.
    """
    copy = type(model)()
    copy.CopyFrom(model)
    kept = [(p.key, p.value) for p in copy.metadata_props if not p.key.startswith(PREFIX)]
    stated = {"version": FORMAT_VERSION, "task": card.task}
    stated |= {f.name: to_json(getattr(card, f.name)) for f in fields(card)}
    del copy.metadata_props[:]
    for key, value in [
        *kept,
        *((PREFIX + key, json.dumps(value)) for key, value in sorted(stated.items())),
    ]:
        copy.metadata_props.add(key=key, value=value)
    return copy


def read_card(model: Any) -> Card:  # noqa: ANN401 - onnx ships no types
    """Read the card of an ``onnx.ModelProto``.

    Raises:
        InputError: T-M007, the metadata are missing or not what `with_card` writes.
    """
    stated = {
        p.key.removeprefix(PREFIX): p.value
        for p in model.metadata_props
        if p.key.startswith(PREFIX)
    }
    if not stated:
        raise _odd("the model holds no 'titian.*' metadata")
    try:
        values = {key: json.loads(text) for key, text in stated.items()}
    except ValueError as error:
        raise _odd(f"a 'titian.*' value is not JSON ({error})") from error
    version = values.pop("version", None)
    if version != FORMAT_VERSION:
        raise _odd(f"'titian.version' is {version!r}; this Titian reads {FORMAT_VERSION}")
    task = values.pop("task", None)
    try:
        card = from_json(Card, values)
    except (TypeError, ValueError) as error:
        raise _odd(f"the 'titian.*' keys do not make a card ({error})") from error
    wrong = _wrong(card, task)
    if wrong:
        raise _odd(wrong)
    return card


def _wrong(card: Card, task: object) -> str:
    if card.input not in ("image", "table"):
        return f"'titian.input' is {card.input!r}; known are 'image' and 'table'"
    if len(set(card.classes)) < 2:
        return f"'titian.classes' is {list(card.classes)!r}; a model needs two classes or more"
    if len(set(card.classes)) != len(card.classes):
        return f"'titian.classes' names a class twice: {list(card.classes)!r}"
    if task != card.task:
        return f"'titian.task' is {task!r} where 'titian.positive' makes it {card.task!r}"
    if card.positive is None:
        return ""
    if len(card.classes) != 2 or card.positive != card.classes[1]:
        return (
            f"'titian.positive' is {card.positive!r}; it must be the second of two "
            f"classes, which are {list(card.classes)!r}"
        )
    if card.threshold is None or not 0.0 <= card.threshold <= 1.0:
        return f"'titian.threshold' is {card.threshold!r}; a binary model needs one in [0, 1]"
    return ""


def _odd(message: str) -> InputError:
    return InputError(
        Problem(
            code="T-M007",
            message=f"{message}.",
            remedy="Train the model with `titian run`, or admit it with a `model:` block.",
        )
    )
