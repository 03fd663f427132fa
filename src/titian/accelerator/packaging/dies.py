"""Dies of a wafer: how many fit, and which share of them works."""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from titian.accelerator.constants import Constant

Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = float | npt.NDArray[np.float64]

ACTUARY: Final = "Feng and Ma, Chiplet Actuary, DAC 2022 (doi:10.1145/3489517.3530428)"

WAFER_DIAMETER: Final = Constant(value=300.0, unit="mm", source=ACTUARY, date="2022")
EDGE_LOSS: Final = Constant(value=5.0, unit="mm", source=ACTUARY, date="2022")
SCRIBE_LANE: Final = Constant(value=0.2, unit="mm", source=ACTUARY, date="2022")
DIE_CLUSTERING: Final = Constant(value=10.0, unit="1", source=ACTUARY, date="2022")

RETICLE_SIDES_MM: Final = (26.0, 33.0)
"""Largest field that a scanner of 4x reduction exposes at once: DUV, and EUV of 0.33 NA."""
RETICLE_MM2: Final = RETICLE_SIDES_MM[0] * RETICLE_SIDES_MM[1]

MM2_PER_CM2: Final = 100.0


def gross_dies_per_wafer(area_mm2: Numbers) -> Floats:
    """Return how many dies, good or bad, a wafer yields; not rounded, as the model has it.

    The wafer's usable area over the area of a die with its scribe lane, less what the round
    edge cuts.

    Args:
        area_mm2: of one die, above 0.

    Source: the formula of Chiplet Actuary's `N_die_total`, equation (1) family; the edge term
        is that of de Vries, IEEE Trans. Semicond. Manuf. 18(1), 2005.
    """
    area = np.asarray(area_mm2, dtype=np.float64)
    lane, diameter = SCRIBE_LANE.value, WAFER_DIAMETER.value - 2 * EDGE_LOSS.value
    pitch = area + 2 * lane * np.sqrt(area) + lane**2
    dies = math.pi * (diameter / 2) ** 2 / pitch - math.pi * diameter / np.sqrt(2 * pitch)
    return np.asarray(np.maximum(dies, 0.0))


def die_yield(
    area_mm2: Numbers, defects_per_cm2: Numbers, *, clustering: float = DIE_CLUSTERING.value
) -> Floats:
    """Return the share of dies without a killing defect: negative binomial, in (0, 1].

    Args:
        area_mm2: of one die.
        defects_per_cm2: density of killing defects.
        clustering: how evenly defects fall; infinity would be Poisson's model.

    Source: Stapper's model in the form of Chiplet Actuary.
    """
    defects = np.asarray(defects_per_cm2, dtype=np.float64) * area_mm2 / MM2_PER_CM2
    return np.asarray((1.0 + defects / clustering) ** -clustering)
