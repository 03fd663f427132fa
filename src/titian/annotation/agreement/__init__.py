"""Agreement among workers: alpha, kappas and Gwet's coefficients, with intervals by task."""

from titian.annotation.agreement.drawn import agreement_of_sets
from titian.annotation.agreement.report import (
    COEFFICIENTS,
    Agreement,
    Part,
    agreement,
    krippendorff_alpha,
)
from titian.annotation.agreement.scale import LEVELS, Scale, scale_of

__all__ = [
    "COEFFICIENTS",
    "LEVELS",
    "Agreement",
    "Part",
    "Scale",
    "agreement",
    "agreement_of_sets",
    "krippendorff_alpha",
    "scale_of",
]
