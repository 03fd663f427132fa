"""One text per value, so that ``positive: 1`` matches 1, 1.0, ``"1"`` and ``"1.0"``."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable

_DECIMAL = re.compile(r"([+-]?)(0|[1-9][0-9]*)(?:\.([0-9]*))?")
_BOOLEANS = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}
_NOT_A_NUMBER = frozenset({"nan", "NaN", "NAN"})


def canonical(value: str) -> str:
    """Return the canonical text of a label or category.

    Surrounding blanks go; ``1.0``, ``+1`` and ``1.`` become ``1``; ``-0`` becomes ``0``;
    ``1.50`` becomes ``1.5``; ``True`` becomes ``true``. Codes with leading zeros such as
    ``007`` and everything else stay as they are.
    """
    value = value.strip()
    if value in _BOOLEANS:
        return _BOOLEANS[value]
    match = _DECIMAL.fullmatch(value)
    if match is None:
        return value
    sign, whole, fraction = match.group(1), match.group(2), (match.group(3) or "").rstrip("0")
    number = f"{whole}.{fraction}" if fraction else whole
    return f"-{number}" if sign == "-" and number != "0" else number


def is_missing(value: str, missing: Iterable[str] = ()) -> bool:
    """Say whether a text means "missing": blank, not-a-number, or listed by the project."""
    bare = value.strip()
    return not bare or bare in _NOT_A_NUMBER or bare in missing


def number(value: str) -> float | None:
    """Return the number a text stands for (NaN where blank), or None if it is none."""
    bare = value.strip()
    if not bare:
        return math.nan
    if "_" in bare:  # Python reads 1_000 as a number; tables do not
        return None
    try:
        return float(bare)
    except ValueError:
        return None


def band(value: float, edges: tuple[float, ...]) -> str:
    """Return the band [low,high) that holds `value`, ``""`` for NaN or outside all bands."""
    for low, high in itertools.pairwise(edges):
        if low <= value < high:
            return f"[{low:g},{high:g})"
    return ""
