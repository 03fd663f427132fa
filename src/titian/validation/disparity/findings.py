"""What a person should look at: gaps that are not 0, and groups that say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from titian.validation.disparity.gaps import GAPS, Gap
from titian.validation.disparity.report import Disparity
from titian.values import Finding, Severity, VerdictValue

GAP = "disparity.gap"
GAP_NOT_MET = "disparity.bound_not_met"
TOO_SMALL = "disparity.group_too_small"

TOLD = (
    "demographic_parity",
    "equal_opportunity",
    "equalized_odds",
    "predictive_parity",
    "auc_gap",
    "calibration_gap",
)
"""Differences told when their interval excludes 0; ratios would tell the same twice."""


def findings(found: Disparity) -> tuple[Finding, ...]:
    """Say which gaps stand out, which bounds are not met and which groups are too small.

    A gap is told when it differs from 0 at alpha over the number of gaps examined
    (Bonferroni), so that tables in which no group differs yield such a finding in at most
    alpha of cases.
    """
    return (*_gaps(found), *_bounds(found), *_small(found))


def _gaps(found: Disparity) -> Iterator[Finding]:
    for gap in standing(found):
        yield Finding(
            code=GAP,
            severity=Severity.WARNING,
            what=f"{_title(gap)} differs by {gap.value:.3f} between {_name(gap.lowest)} and "
            f"{_name(gap.highest)} ({gap.low:.3f} to {gap.high:.3f}, corrected for "
            f"{gap.groups} groups).",
            where=f"{gap.n} cases",
            remedy="Ask what these groups' cases have in common: acquisition, labels, case "
            "mix. A gap says that outcomes differ, not why.",
        )


def standing(found: Disparity) -> list[Gap]:
    """Return the gaps that differ from 0 beyond what the number of gaps explains."""
    return [
        gap
        for gap in found.gaps
        if gap.name in TOLD and gap.strict_low is not None and gap.strict_low > 0.0
    ]


def _bounds(found: Disparity) -> Iterator[Finding]:
    for gap in found.gaps:
        if gap.verdict is VerdictValue.NOT_MET:
            yield Finding(
                code=GAP_NOT_MET,
                severity=Severity.ERROR,
                what=f"{gap.name} by {' x '.join(gap.by)} is {gap.value:.3f} ({gap.low:.3f} to "
                f"{gap.high:.3f}): beyond the stated bound.",
                where=f"{gap.n} cases",
                remedy="Do not release for these groups on this evidence; find the cause "
                "before choosing a remedy.",
            )


def _small(found: Disparity) -> Iterator[Finding]:
    lacking: dict[str, int] = {}
    for row in found.rows:
        if row.lacking and row.measurement.subgroup is not None:
            name = _name(row.measurement.subgroup)
            lacking[name] = max(lacking.get(name, 0), row.lacking)
    if lacking:
        shown = ", ".join(f"{name} ({n} more)" for name, n in list(lacking.items())[:5])
        more = f" and {len(lacking) - 5} more groups" if len(lacking) > 5 else ""
        yield Finding(
            code=TOO_SMALL,
            severity=Severity.INFO,
            what=f"{len(lacking)} groups are too small for some measure: {shown}{more}.",
            where="cases of these groups",
            remedy="Collect as many more cases, or merge groups that belong together; until "
            "then nothing is known of them.",
        )


def _title(gap: Gap) -> str:
    measures = " or ".join(name.replace("_", " ") for name in GAPS[gap.name].measures)
    return measures[0].upper() + measures[1:]


def _name(subgroup: Mapping[str, str] | None) -> str:
    return ", ".join(f"{column}={value}" for column, value in (subgroup or {}).items())
