"""A planted fault that a check must catch: proof that the check can fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The outcome of running one check against its planted fault.

    Attributes:
        check: what was put to the test, such as ``data.subject_leak``.
        fault: what was planted, in words a reader understands.
        found: whether the check caught it.
        detail: what the check answered.
        false_alarm_rate: probability that the check accuses an honest input, in [0, 1];
            0.0 for a deterministic check.
    """

    check: str
    fault: str
    found: bool
    detail: str
    false_alarm_rate: float
