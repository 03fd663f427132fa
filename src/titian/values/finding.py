"""Something a person should look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Severity, what, where and remedy.

    Attributes:
        code: dotted noun such as ``data.subject_leak``; a requirement may count it.
        severity: how much it matters.
        what: one sentence.
        where: case numbers (rows of the table counted from 0), such as ``cases 12, 87``;
            never a name, a path or another value about a person.
        remedy: the next move, an imperative sentence.
    """

    code: str
    severity: Severity
    what: str
    where: str
    remedy: str
