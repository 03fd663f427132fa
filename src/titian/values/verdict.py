"""What a requirement came to: met, not met or not shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class VerdictValue(StrEnum):
    """The three values; missing evidence is *not shown*, never *met*."""

    MET = "met"
    NOT_MET = "not met"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One row of the verdict table.

    Attributes:
        id: the requirement's id.
        verdict: met, not met or not shown.
        measure: measure id or finding code.
        bound: in words, such as ``>= 0.80``.
        subgroup: {column: value}, or None.
        value: the estimate or the count of findings; None when unknown.
        low: lower end at the project's alpha; None when unknown.
        high: upper end at the project's alpha; None when unknown.
        adjusted_low: lower end at the level that Holm's correction used.
        adjusted_high: upper end at the level that Holm's correction used.
        adjusted_alpha: that level; None outside a family.
        n: the measure's denominator.
        more_cases: about how many more would settle it; None when settled, unknown, or
            the estimate lies within a standard error of the bound or beyond it.
        reason: why it is not shown; empty otherwise.
        evidence: {statement digest, JSON pointer} of the measurement judged; empty when
            there is none.
    """

    id: str
    verdict: VerdictValue
    measure: str
    bound: str
    subgroup: Mapping[str, str] | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    adjusted_low: float | None = None
    adjusted_high: float | None = None
    adjusted_alpha: float | None = None
    n: int | None = None
    more_cases: int | None = None
    reason: str = ""
    evidence: Mapping[str, str] | None = None
