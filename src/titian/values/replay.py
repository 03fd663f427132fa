"""Whether, and how closely, a stage's outputs can be derived again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Re-derivable within a tolerance, or integrity-only with the reason.

    Attributes:
        derivable: whether running the stage again must give the same measurements.
        tolerance: largest absolute difference of a measurement that counts as the same,
            in the measurement's own unit; 0.0 means identical.
        reason: why this tolerance, or why the stage cannot be derived again.
    """

    derivable: bool
    tolerance: float
    reason: str
