"""A feature as small codes: what slices are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_VALUES = 255
"""Values of one feature: a code is one byte, and a longer list is no grouping of cases."""

Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column of n cases.

    Attributes:
        name: of the column.
        code: shape (n,), index into `values`.
        values: what each code stands for, at most `MOST_VALUES`: a value, a band or
            ``missing``.
    """

    name: str
    code: Codes
    values: tuple[str, ...]
