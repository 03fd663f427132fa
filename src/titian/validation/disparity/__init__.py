"""Disparity: every measure for each group and intersection, and the gaps between them."""

from titian.validation.disparity.faults import controls
from titian.validation.disparity.findings import findings
from titian.validation.disparity.gaps import GAPS, Gap, GapDefinition, Unshown
from titian.validation.disparity.outcomes import Outcomes, Roles, admit, read_outcomes
from titian.validation.disparity.pictures import figures
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
    "controls",
    "disparity",
    "figures",
    "findings",
    "read_outcomes",
]
