"""Disparity: every measure for each group and intersection, and the gaps between them."""

from titian.validation.disparity.gaps import GAPS, Gap, GapDefinition, Unshown
from titian.validation.disparity.outcomes import Outcomes, Roles, admit, read_outcomes
from titian.validation.disparity.report import Disparity, Row, disparity

__all__ = [
    "GAPS",
    "Disparity",
    "Gap",
    "GapDefinition",
    "Outcomes",
    "Roles",
    "Row",
    "Unshown",
    "admit",
    "disparity",
    "read_outcomes",
]
