"""Derive a dossier's numbers again and say how they compare.

With the data, the whole road is run in a fresh folder. Without, what the dossier carries
is enough for the verdicts (from the statements) and, where cases were shipped, for the
validation. Each stage's statement says how close "the same" is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a stage's numbers compare with the statement's."""

    IDENTICAL = "identical"
    WITHIN = "within tolerance"
    DIFFERS = "differs"
    NOT_REPLAYED = "not replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRow:
    """One stage's comparison; `detail` names the largest difference, or why none was made."""

    stage: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """All stages of a dossier."""

    rows: tuple[ReplayRow, ...]

    @property
    def failed(self) -> bool:
        """Whether any stage differs."""
        return any(row.outcome is Outcome.DIFFERS for row in self.rows)

    @property
    def lines(self) -> list[str]:
        """One line a stage, for people."""
        return [f"{row.stage}: {row.outcome} ({row.detail})" for row in self.rows]


Predicate = Mapping[str, Any]


def compare(then: Predicate, now: Predicate, *, tolerance: float) -> ReplayRow:
    """Compare the numbers, findings and verdicts of two runs of one stage.

    Args:
        then: the predicate of the dossier's statement.
        now: what a new run gave.
        tolerance: largest absolute difference of a number that counts as the same.
    """
    largest, where = 0.0, ""
    for name in ("measurements", "verdicts"):
        old, new = _rows(then[name]), _rows(now[name])
        if old.keys() != new.keys():
            lost = min(old.keys() ^ new.keys())
            return _row(then, Outcome.DIFFERS, f"{name[:-1]} {lost} is in one run only")
        for key, numbers in old.items():
            gap = _distance(numbers, new[key])
            if gap > largest:
                largest, where = gap, key
    if largest > tolerance:
        return _row(then, Outcome.DIFFERS, f"{where} by {largest:.3g}; allowed {tolerance:.3g}")
    for name, fields in (("findings", ("code", "where")), ("controls", ("check", "found"))):
        if _told(then[name], fields) != _told(now[name], fields):
            return _row(then, Outcome.DIFFERS, f"the {name} are not the same")
    if largest > 0:
        detail = f"{where} by {largest:.3g}; allowed {tolerance:.3g}"
        return _row(then, Outcome.WITHIN, detail)
    numbers_of = len(then["measurements"]) + len(then["verdicts"])
    return _row(then, Outcome.IDENTICAL, f"{numbers_of} measurements and verdicts")


def not_replayed(predicate: Predicate, reason: str) -> ReplayRow:
    """Say why a stage was not derived again."""
    return _row(predicate, Outcome.NOT_REPLAYED, reason)


def _row(predicate: Predicate, outcome: Outcome, detail: str) -> ReplayRow:
    return ReplayRow(stage=predicate["stage"], outcome=outcome, detail=detail)


def _rows(items: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Index measurements or verdicts by what they are about."""
    rows = {}
    for item in items:
        name = item["name"] if "name" in item else f"{item['id']} {item['measure']}"
        group = json.dumps(item["subgroup"], sort_keys=True) if item["subgroup"] else ""
        rows[f"{name} {group}".strip()] = {
            field: item.get(field)
            for field in ("value", "n", "intervals", "low", "high", "verdict")
        }
    return rows


def _distance(old: object, new: object) -> float:
    """Return the largest absolute difference of two JSON values; infinite if unlike."""
    match old, new:
        case (bool(), _) | (_, bool()) | (str(), _) | (_, str()) | (None, _) | (_, None):
            return 0.0 if old == new else math.inf
        case (int() | float(), int() | float()):
            return abs(old - new)
        case (list(), list()) if len(old) == len(new):
            return max((_distance(a, b) for a, b in zip(old, new, strict=True)), default=0.0)
        case (dict(), dict()) if old.keys() == new.keys():
            return max((_distance(old[key], new[key]) for key in old), default=0.0)
        case _:
            return math.inf


def _told(items: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> list[list[object]]:
    return sorted(([item[field] for field in fields] for item in items), key=repr)
