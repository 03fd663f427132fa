"""Forest plots of groups and of gaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from titian.validation.disparity.gaps import GAPS, Gap
from titian.validation.disparity.report import Disparity
from titian.values import ForestFigure, Measurement
from titian.values.figure import ForestRow

FORESTS = ("selection_rate", "sensitivity", "specificity", "ppv", "auc")
SIGNED = "calibration_gap"
"""The one gap of a measure that can be negative; the gap itself is not."""


def figures(found: Disparity, *, forests: Sequence[str] = FORESTS) -> tuple[ForestFigure, ...]:
    """Draw a forest plot for each measure and one for each kind of gap."""
    return (*_forests(found, forests), *_gaps(found))


def _forests(found: Disparity, forests: Sequence[str]) -> Iterator[ForestFigure]:
    percent = f"{100 * (1 - found.alpha):g}"
    for name in forests:
        rows = [item for item in found.measurements if item.name == name]
        if len(rows) < 2:
            continue
        yield ForestFigure(
            name=f"disparity_{name}",
            title=f"{name.replace('_', ' ').capitalize()} by group",
            caption=f"Estimates with {percent} % intervals; groups too small to say anything "
            "about are not shown. Intervals that overlap do not show that groups are alike.",
            x_label=name,
            rows=tuple(_row(item) for item in rows),
            x_range=(0.0, 1.0),
        )


def _row(item: Measurement) -> ForestRow:
    subgroup = dict(item.subgroup or {})
    return ForestRow(
        group=" x ".join(subgroup) or "all",
        label=", ".join(subgroup.values()) or "all cases",
        value=item.value,
        low=item.low,
        high=item.high,
        n=item.n,
    )


def _gaps(found: Disparity) -> Iterator[ForestFigure]:
    percent = f"{100 * (1 - found.alpha):g}"
    for ratio, title, of in (
        (False, "Gaps between groups", "Largest differences"),
        (True, "Ratios between groups", "Smallest ratios"),
    ):
        gaps = [gap for gap in found.gaps if gap.ratio is ratio]
        if not gaps:
            continue
        yield ForestFigure(
            name="disparity_ratios" if ratio else "disparity_gaps",
            title=title,
            caption=f"{of} with {percent} % intervals, corrected for the number of groups. "
            "An interval that reaches "
            f"{'1' if ratio else '0'} does not show that groups are alike.",
            x_label="smallest ratio" if ratio else "largest difference",
            rows=tuple(_gap_row(gap) for gap in gaps),
            x_range=(0.0, 1.0),
        )


def _gap_row(gap: Gap) -> ForestRow:
    missing = f", {len(gap.unshown)} not shown" if gap.unshown else ""
    return ForestRow(
        group=" x ".join(gap.by),
        label=f"{GAPS[gap.name].id.replace('_', ' ')} ({gap.groups} groups{missing})",
        value=gap.value,
        low=gap.low,
        high=gap.high,
        n=gap.n,
    )
