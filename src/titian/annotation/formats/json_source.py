"""JSON from outside, read strictly: each wrong field is named by its path.

Refused: NaN and infinity, keys that appear twice, nesting too deep for the reader, lone
surrogates (text that no file could hold).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from titian.annotation.formats.complaints import Complaints, refusal, shorten

_FIX = "Correct the field."
_MISSING = object()


def parse_json(text: str, *, name: str, line: int = 0) -> object:
    """Parse one JSON document; `line` is where it lies in a file of several.

    Raises:
        InputError: it is no JSON as RFC 8259 has it, or is refused.
    """
    place = f"line {line}, " if line else ""

    def no_constant(constant: str) -> NoReturn:
        raise _Refused(f"holds {constant}, which is no JSON number")

    def no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [key for key, _ in pairs]
            twin = next(key for key in names if names.count(key) > 1)
            raise _Refused(f"has the key {shorten(twin)} twice in one object")
        return table

    try:
        value = json.loads(text, parse_constant=no_constant, object_pairs_hook=no_twins)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        at = f"column {error.colno}" if line else f"line {error.lineno}, column {error.colno}"
        what = f"{place}{at}: is not JSON ({error.msg.lower()})"
    except _Refused as error:
        what = f"{place}{error}"
    except RecursionError:
        what = f"{place}is nested too deep"
    except UnicodeEncodeError:
        what = f"{place}holds half of a surrogate pair, which is no character"
    except ValueError:
        what = f"{place}holds a whole number of thousands of digits"
    else:
        return value
    raise refusal("T-A103", name, what, "Export the file again as JSON.")


class _Refused(Exception):
    """Parsed, but not taken."""


class Node:
    """A value within a JSON document that knows its path and complains by itself."""

    __slots__ = ("complaints", "path", "value")

    def __init__(self, value: object, path: str, complaints: Complaints) -> None:
        self.value = value
        self.path = path
        self.complaints = complaints

    def complain(self, what: str, *, code: str = "T-A107", remedy: str = _FIX) -> None:
        """Note a problem with this value."""
        self.complaints.add(code, self.path, what, remedy)

    def _wrong(self, wanted: str) -> None:
        if self.value is _MISSING:
            self.complain(f"is missing; {wanted} is needed", code="T-A105", remedy="Add it.")
        else:
            self.complain(f"is {shorten(self.value)}, not {wanted}", code="T-A106")

    def has(self, key: str) -> bool:
        """Say whether an object has the key with a value other than null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def __getitem__(self, key: str | int) -> Node:
        if isinstance(key, int):
            items = self.value if isinstance(self.value, list) else []
            value = items[key] if key < len(items) else _MISSING
            return Node(value, f"{self.path}[{key}]", self.complaints)
        value = self.value.get(key, _MISSING) if isinstance(self.value, dict) else _MISSING
        return Node(value, f"{self.path}.{key}", self.complaints)

    def object(self) -> Node:
        """Return itself, or an empty stand-in where it is no object."""
        if isinstance(self.value, dict):
            return self
        self._wrong("an object")
        return Node({}, self.path, Complaints(""))

    def keys(self) -> list[str]:
        """Return the keys of an object."""
        return list(self.value) if isinstance(self.value, dict) else []

    def items(self) -> Iterator[Node]:
        """Go through a list."""
        if not isinstance(self.value, list):
            self._wrong("a list")
            return
        for place, value in enumerate(self.value):
            yield Node(value, f"{self.path}[{place}]", self.complaints)

    def text(self) -> str:
        """Return a text."""
        if isinstance(self.value, str):
            return self.value
        self._wrong("text")
        return ""

    def label(self) -> str:
        """Return a text that is not empty."""
        if isinstance(self.value, str) and self.value:
            return self.value
        self._wrong("a text that is not empty")
        return ""

    def number(self) -> float:
        """Return a finite number."""
        value = self.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        self._wrong("a finite number")
        return 0.0

    def whole(self, *, least: int | None = None) -> int:
        """Return a whole number; 3.0 is one."""
        value = self.value
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
            if least is None or value >= least:
                return value
            self.complain(f"is {value}; at least {least} is needed")
            return least
        self._wrong("a whole number")
        return least or 0

    def numbers(self, *, least: int = 0) -> list[float]:
        """Return a list of finite numbers, `least` of them or more."""
        values = self.value
        if isinstance(values, list) and len(values) < least:
            self.complain(f"has {len(values)} numbers; at least {least} are needed")
            return [0.0] * least
        if not isinstance(values, list):
            self._wrong("a list of numbers")
            return [0.0] * least
        if all((type(v) is float and math.isfinite(v)) or type(v) is int for v in values):
            try:
                return [float(v) for v in values]
            except OverflowError:
                pass
        return [node.number() for node in self.items()]

    def flag(self) -> bool:
        """Return true or false; 0 and 1 count."""
        if isinstance(self.value, bool) or self.value in (0, 1):
            return bool(self.value)
        self._wrong("true or false")
        return False

    def texts(self) -> dict[str, str]:
        """Return an object of texts; numbers and truths are written as JSON has them."""
        if not isinstance(self.value, dict):
            self._wrong("an object")
            return {}
        return {key: as_text(value) for key, value in self.value.items()}


def as_text(value: object) -> str:
    """Return a text as it is, and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write_json(document: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write one document, a member a line at the top levels, always the same way."""
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
