"""A number that the cost model rests on, with its unit, its source and its date.

No formula of this package holds a bare physical or monetary number; each is one of these, so
that a report can list what it assumed and a reader can replace it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A number and where it comes from.

    Attributes:
        value: in `unit`.
        unit: such as ``pJ``, ``um2`` or ``USD per wafer``; ``1`` for a ratio.
        source: publication, or ``given`` for a number that the user stated.
        node: the technology that it was measured on, such as ``45nm``; empty where it does
            not depend on one.
        date: year or day of the source; empty where the source names its own year.
        standing: ``published``, ``estimate`` (ours, derived from what the source says) or
            ``given``.
    """

    value: float
    unit: str
    source: str
    node: str = ""
    date: str = ""
    standing: str = "published"
