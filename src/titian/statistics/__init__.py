"""Intervals, calibration error and families of tests: pure functions of arrays.

Nothing here knows of stages, files or measurements' names; see docs/explanation/statistics.md
for the sources and the measured coverage.
"""

from titian.statistics.calibration import (
    Bin,
    CalibrationError,
    calibration_bins,
    expected_calibration_error,
)
from titian.statistics.comparison import Difference, holm, proportion_difference
from titian.statistics.composites import balanced_accuracy, f1
from titian.statistics.discrimination import auc, average_precision
from titian.statistics.estimate import Estimate, ladder
from titian.statistics.families import FamilyRow, Judgement, interval_at, judge_family
from titian.statistics.proportions import proportion, wilson
from titian.statistics.squared_error import brier

__all__ = [
    "Bin",
    "CalibrationError",
    "Difference",
    "Estimate",
    "FamilyRow",
    "Judgement",
    "auc",
    "average_precision",
    "balanced_accuracy",
    "brier",
    "calibration_bins",
    "expected_calibration_error",
    "f1",
    "holm",
    "interval_at",
    "judge_family",
    "ladder",
    "proportion",
    "proportion_difference",
    "wilson",
]
