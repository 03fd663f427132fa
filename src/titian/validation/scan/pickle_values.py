"""What the pickle machine would hold: only as much of it as the rules must know."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

LONGEST_TEXT: Final = 256  # bytes; a longer text is data whose words no rule asks for
WIDEST: Final = 64  # entries of a tuple or a dict that rules look into
DEEPEST: Final = 8  # tuples within tuples that rules look into


class Opaque(Enum):
    """A value of which only this is known."""

    DATA = "data"
    MIXED = "data that hold a callable"
    MARK = "mark"


DATA, MIXED = Opaque.DATA, Opaque.MIXED


@dataclass(frozen=True, slots=True)
class Global:
    """A module's attribute that is on the allow-list, and the rule that binds it."""

    name: str
    rule: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Plain data out of the memo, of a place that was written within a run."""

    number: int


@dataclass(frozen=True, slots=True)
class Row:
    """A tuple that is small enough to look into."""

    items: tuple[Value, ...]
    mixed: bool
    depth: int


@dataclass(slots=True)
class Box:
    """A list, dict or set that is being filled."""

    kind: str
    mixed: bool = False
    items: list[Value] | None = field(default_factory=list)
    place: int = -1  # in the memo
    count: int = 0


@dataclass(slots=True)
class Made:
    """What a call on the allow-list returned.

    Attributes:
        name: of what was called.
        rule: that binds it, and so says what may follow.
        state: what BUILD may give it: "", "dict" or "any".
        facts: what later rules must know (storage, shape, itemsize).
        box: what was put into it, where it is a mapping.
        closed: whether BUILD has had its turn.
    """

    name: str
    rule: str
    state: str = ""
    mixed: bool = False
    facts: dict[str, Value] = field(default_factory=dict)
    box: Box | None = None
    closed: bool = False
    place: int = -1


Value: TypeAlias = (
    "Opaque | Global | Place | Row | Box | Made | str | bytes | int | float | None"
)


def is_opaque(value: Value) -> bool:
    """Return whether nothing is known of the value but that it is plain data."""
    return value is DATA or isinstance(value, Place)


def is_mixed(value: Value) -> bool:
    """Return whether a callable is, or lies within, the value."""
    if isinstance(value, Global):
        return value.rule not in {"type", "dtype type", "storage type"}
    if isinstance(value, Row | Box | Made):
        return value.mixed
    return value is MIXED


def is_data(value: Value) -> bool:
    """Return whether nothing need be remembered of the value but that it is data."""
    if isinstance(value, Made):
        return not value.mixed and value.rule in {"data", "array", "estimator"}
    return not isinstance(value, Global) and not is_mixed(value)


def row(items: tuple[Value, ...]) -> Value:
    """Return a tuple of the items, or what is known of it where it is too large."""
    mixed = any(map(is_mixed, items))
    depth = 1 + max((i.depth for i in items if isinstance(i, Row)), default=0)
    if len(items) > WIDEST or depth > DEEPEST:
        return MIXED if mixed or not all(map(is_data, items)) else DATA
    return Row(items, mixed, depth)
