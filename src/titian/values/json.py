"""Values to plain JSON and back, one rule for all of them."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeAlias, TypeVar

JsonValue: TypeAlias = (
    "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
)
T = TypeVar("T")


def to_json(value: object) -> JsonValue:
    """Return `value` as plain JSON: dataclasses become objects, tuples lists, enums values.

    Raises:
        TypeError: the value is not made of dataclasses, mappings, sequences and scalars.
    """
    match value:
        case Enum():
            return to_json(value.value)
        case None | bool() | int() | float() | str():
            return value
        case Mapping():
            return {str(key): to_json(item) for key, item in value.items()}
        case tuple() | list():
            return [to_json(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} is not a value of JSON")


def from_json(kind: type[T], value: object) -> T:
    """Rebuild a dataclass from what `to_json` made of it.

    Raises:
        TypeError: the object has keys that `kind` lacks, or lacks keys it needs.
    """
    return typing.cast("T", _build(kind, value))


def _build(kind: Any, value: Any) -> Any:  # noqa: ANN401 - follows annotations at run time
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        inner = [arm for arm in typing.get_args(kind) if arm is not type(None)]
        return value if value is None or len(inner) != 1 else _build(inner[0], value)
    if origin is tuple:
        arms = typing.get_args(kind)
        if len(arms) == 2 and arms[1] is Ellipsis:
            return tuple(_build(arms[0], item) for item in value)
        return tuple(_build(arm, item) for arm, item in zip(arms, value, strict=True))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: _build(hints[name], item) for name, item in _object(value, hints)})
    if kind is float and isinstance(value, int):
        return float(value)
    return value


def _object(value: Any, hints: Mapping[str, Any]) -> list[tuple[str, Any]]:  # noqa: ANN401
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise TypeError(f"unknown key {unknown[0]!r}; known are {', '.join(sorted(hints))}")
    return list(value.items())
