"""What a stage tells of a search for slices: findings, measurements and a picture."""

from __future__ import annotations

from titian.validation.slices.report import Slice, SliceReport
from titian.values import BarFigure, Figure, Finding, Measurement, Severity, TableFigure

SLICE = "validation.slice"

MEASURE = "slice_error"
"""Name of the measurement: a slice's error, which needs no requirement of its own."""

NO_INTERVAL = (
    "picked by a search as the worst: an interval that ignores the search would lie too high"
)


def slice_findings(report: SliceReport) -> tuple[Finding, ...]:
    """Return one finding per slice that a search through noise would rarely find."""
    return tuple(_finding(group.slice, group.explained, report) for group in report.significant)


def slice_measurements(report: SliceReport) -> tuple[Measurement, ...]:
    """Return the error of each slice kept, without an interval, and why there is none."""
    return tuple(
        Measurement(
            name=MEASURE,
            value=group.slice.error,
            n=group.slice.n,
            unit="1",
            method=_method(group.slice, report),
            subgroup=dict(group.slice.conditions),
            reason=NO_INTERVAL,
        )
        for group in report.groups
    )


def slice_figures(report: SliceReport) -> tuple[Figure, ...]:
    """Return a table of the slices and their bars; empty where none is worse than the rest."""
    if not report.groups:
        return ()
    noun = "error rate" if report.binary else "mean error"
    slices = [group.slice for group in report.groups]
    return (
        TableFigure(
            name="slices",
            title="Worst slices",
            caption=f"Subgroups found among {report.searched:,} conjunctions of up to "
            f"{report.level} conditions. p is corrected for the search: above "
            f"{report.alpha:g} a slice is what noise gives. Folded are the overlapping "
            "slices that one explains.",
            columns=("no.", "slice", "cases", noun, "elsewhere", "p", "folded"),
            rows=tuple(
                (
                    number,
                    each.name,
                    each.n,
                    round(each.error, 4),
                    None if each.rest is None else round(each.rest, 4),
                    each.p_value,
                    group.explained,
                )
                for number, (group, each) in enumerate(
                    zip(report.groups, slices, strict=True), start=1
                )
            ),
        ),
        BarFigure(
            name="slices_bars",
            title="Error inside and outside the worst slices",
            caption=f"Numbers are those of the table; the overall {noun} is "
            f"{report.error:.4g}.",
            y_label=noun,
            categories=tuple(str(number) for number in range(1, len(slices) + 1)),
            series=("inside", "elsewhere"),
            values=(
                tuple(each.error for each in slices),
                tuple(each.rest for each in slices),
            ),
        ),
    )


def _finding(each: Slice, folded: int, report: SliceReport) -> Finding:
    rest = "" if each.rest is None else f" against {each.rest:.3g} elsewhere"
    noun = "an error rate" if report.binary else "a mean error"
    others = f" It explains {folded} overlapping ones." if folded else ""
    return Finding(
        code=SLICE,
        severity=Severity.WARNING,
        what=f"{each.name} has {noun} of {each.error:.3g}{rest} (p = {each.p_value:.2g}, "
        f"corrected for searching {report.searched:,} slices).{others}",
        where=f"{each.n} cases of the test part",
        remedy="Look at what those cases have in common and how they were labelled; collect "
        "more of them, and name the subgroup under data.attributes to measure it next time.",
    )


def _method(each: Slice, report: SliceReport) -> str:
    if each.p_value is None:
        return "search over slices"
    return f"search over slices, p = {each.p_value:.3g} by {report.deals} permutations"
