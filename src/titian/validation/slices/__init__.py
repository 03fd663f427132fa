"""The worst subgroups that nobody named: an exact search, corrected for having searched.

See docs/explanation/slices.md for the score, the bound and its proof, and what a p-value
here means.
"""

from titian.validation.slices.bands import feature_of, feature_of_codes
from titian.validation.slices.faults import slice_controls
from titian.validation.slices.feature import Feature
from titian.validation.slices.findings import (
    slice_figures,
    slice_findings,
    slice_measurements,
)
from titian.validation.slices.report import (
    Member,
    Problematic,
    Slice,
    SliceReport,
    find_slices,
    least_cases,
)
from titian.validation.slices.score import Evidence, SliceLine

__all__ = [
    "Evidence",
    "Feature",
    "Member",
    "Problematic",
    "Slice",
    "SliceLine",
    "SliceReport",
    "feature_of",
    "feature_of_codes",
    "find_slices",
    "least_cases",
    "slice_controls",
    "slice_figures",
    "slice_findings",
    "slice_measurements",
]
