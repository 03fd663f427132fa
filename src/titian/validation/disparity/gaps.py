"""Gaps between groups: what each compares, where it comes from, and its interval.

A gap is the largest difference of a measure between two groups of one partition, or the
smallest ratio. Its interval is corrected for the number of groups by the studentised range
(`titian.statistics.ranges`). A group too small to be shown does not enter the value or the
lower end, and enters the upper end with all that it might be: a gap never shrinks because
little is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from titian.statistics import ranges
from titian.statistics.estimate import ladder
from titian.statistics.families import FamilyRow, judge_family
from titian.validation.disparity.cells import Partition
from titian.validation.disparity.estimates import Measured
from titian.values import Interval, VerdictValue


@dataclass(frozen=True, slots=True, kw_only=True)
class GapDefinition:
    """One kind of gap.

    Attributes:
        id: its name in JSON and pages.
        summary: one sentence.
        measures: whose groups are compared; of several, the widest counts.
        ratio: whether it is the smallest ratio, not the largest difference.
        source: where it comes from.
    """

    id: str
    summary: str
    measures: tuple[str, ...]
    source: str
    ratio: bool = False


def _definitions() -> Iterator[GapDefinition]:
    for ratio in (False, True):
        ending, what = ("_ratio", "Smallest ratio") if ratio else ("", "Largest difference")
        yield GapDefinition(
            id=f"demographic_parity{ending}",
            summary=f"{what} of the share called positive.",
            measures=("selection_rate",),
            source="Calders, Kamiran and Pechenizkiy, ICDM Workshops (2009) 13-18",
            ratio=ratio,
        )
        yield GapDefinition(
            id=f"equal_opportunity{ending}",
            summary=f"{what} of sensitivity.",
            measures=("sensitivity",),
            source="Hardt, Price and Srebro, NeurIPS (2016)",
            ratio=ratio,
        )
        yield GapDefinition(
            id=f"equalized_odds{ending}",
            summary=f"{what} of sensitivity or of false positive rate.",
            measures=("sensitivity", "false_positive_rate"),
            source="Hardt, Price and Srebro, NeurIPS (2016)",
            ratio=ratio,
        )
        yield GapDefinition(
            id=f"predictive_parity{ending}",
            summary=f"{what} of ppv.",
            measures=("ppv",),
            source="Chouldechova, Big Data 5 (2017) 153-163",
            ratio=ratio,
        )
    yield GapDefinition(
        id="accuracy_equality",
        summary="Largest difference of accuracy.",
        measures=("accuracy",),
        source="Berk et al., Sociol. Methods Res. 50 (2021) 3-44",
    )
    yield GapDefinition(
        id="auc_gap",
        summary="Largest difference of the AUC within groups.",
        measures=("auc",),
        source="Borkan et al., WWW Companion (2019) 491-500",
    )
    yield GapDefinition(
        id="calibration_gap",
        summary="Largest difference of observed share minus mean score.",
        measures=("calibration_in_the_large",),
        source="Kleinberg, Mullainathan and Raghavan, ITCS (2017) 43",
    )


GAPS: Mapping[str, GapDefinition] = {gap.id: gap for gap in _definitions()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshown:
    """A group that is too small for a gap.

    Attributes:
        subgroup: {column: value}.
        n: its denominator in cases.
        lacking: how many more are needed.
        reason: why.
    """

    subgroup: Mapping[str, str]
    n: int
    lacking: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One gap over the groups of one partition.

    Attributes:
        name: id of the definition.
        by: columns that part the groups.
        ratio: whether it is a ratio.
        value: over the groups shown; None with fewer than two.
        intervals: at alpha first, then what Holm's step-down needs; empty with no value. They
            are about all groups, those too small included.
        n: cases of the groups compared.
        groups: groups compared.
        method: how the intervals were made.
        lowest: the group with the lowest estimate (of the measure that is widest apart).
        highest: the group with the highest.
        unshown: the groups that are too small.
        reason: why there is no value; empty otherwise.
        verdict: against the bound that the user stated; None without one.
        more_cases: about how many would settle it; None when settled or unknown.
        strict_low: the end nearest to "no gap", at the strictest level asked for.
    """

    name: str
    by: tuple[str, ...]
    ratio: bool
    value: float | None
    n: int
    groups: int
    method: str = ""
    intervals: tuple[Interval, ...] = ()
    lowest: Mapping[str, str] | None = None
    highest: Mapping[str, str] | None = None
    unshown: tuple[Unshown, ...] = ()
    reason: str = ""
    verdict: VerdictValue | None = None
    more_cases: int | None = None
    strict_low: float | None = None

    @property
    def low(self) -> float | None:
        """Lower end at the stated confidence."""
        return self.intervals[0].low if self.intervals else None

    @property
    def high(self) -> float | None:
        """Upper end at the stated confidence."""
        return self.intervals[0].high if self.intervals else None


def gaps_of(
    part: Partition, measured: Sequence[Measured], *, alphas: Sequence[float]
) -> Iterator[Gap]:
    """Yield every gap whose measures were made."""
    known = {item.name: item for item in measured}
    for definition in GAPS.values():
        if all(name in known for name in definition.measures):
            chosen = [known[name] for name in definition.measures]
            yield _gap(definition, part, chosen, alphas)


def _gap(
    definition: GapDefinition,
    part: Partition,
    chosen: Sequence[Measured],
    alphas: Sequence[float],
) -> Gap:
    families = [item.groups for item in chosen if item.groups is not None]
    shown = np.all([groups.shown for groups in families], axis=0)
    unshown = tuple(_unshown(part, chosen, int(cell)) for cell in np.flatnonzero(~shown))
    cases = np.bincount(part.code, minlength=len(part))
    gap = Gap(
        name=definition.id,
        by=part.columns,
        ratio=definition.ratio,
        value=None,
        n=int(cases[shown].sum()),
        groups=int(shown.sum()),
        unshown=unshown,
    )
    if shown.sum() < 2:
        few = "no group is" if not shown.any() else "one group alone is"
        return replace(gap, reason=f"{few} large enough; a gap needs two")
    families = [replace(groups, shown=shown) for groups in families]
    compute = ranges.ratio if definition.ratio else ranges.gap
    found = compute(families, alpha=np.asarray(alphas, dtype=np.float64))
    lowest, highest = _ends(families, shown, ratio=definition.ratio)
    strictest = int(np.argmin(alphas))
    low, high = found.low, found.high
    return replace(
        gap,
        value=float(found.value),
        intervals=tuple(
            Interval(alpha=float(alphas[i]), low=float(low[i]), high=float(high[i]))
            for i in range(len(alphas))
        ),
        strict_low=float((low if not definition.ratio else high)[strictest]),
        method=f"studentised range of {int(shown.sum())} groups inverted, {chosen[0].method}",
        lowest=part.subgroup(lowest),
        highest=part.subgroup(highest),
    )


def _unshown(part: Partition, chosen: Sequence[Measured], cell: int) -> Unshown:
    worst = max(chosen, key=lambda item: int(item.lacking[cell]))
    return Unshown(
        subgroup=part.subgroup(cell),
        n=int(worst.n[cell]),
        lacking=int(worst.lacking[cell]),
        reason=worst.reason[cell],
    )


def _ends(
    families: Sequence[ranges.Groups], shown: np.ndarray, *, ratio: bool
) -> tuple[int, int]:
    """Return the lowest and the highest group of the measure that is widest apart."""
    best, ends = -np.inf, (0, 0)
    for groups in families:
        low = int(np.where(shown, groups.value, np.inf).argmin())
        high = int(np.where(shown, groups.value, -np.inf).argmax())
        bottom, top = float(groups.value[low]), float(groups.value[high])
        apart = (1 - bottom / top if top > 0 else 0.0) if ratio else top - bottom
        if apart > best:
            best, ends = apart, (low, high)
    return ends


def judge(
    gaps: Sequence[Gap], *, max_gap: float | None, min_ratio: float | None, alpha: float
) -> list[Gap]:
    """Hold differences against `max_gap` and ratios against `min_ratio`.

    *Met* needs the whole interval on the right side. *Not met* accuses, so it uses Holm's
    step-down over all gaps of the same bound; anything else is *not shown*.
    """
    judged = list(gaps)
    for ratio, bound in ((False, max_gap), (True, min_ratio)):
        places = [i for i, gap in enumerate(gaps) if gap.ratio is ratio]
        if bound is None or not places:
            continue
        rows = [
            FamilyRow(value=gaps[i].value, n=gaps[i].n, intervals=gaps[i].intervals)
            for i in places
        ]
        verdicts = judge_family(
            rows,
            at_least=bound if ratio else None,
            at_most=None if ratio else bound,
            alpha=alpha,
        )
        for place, verdict in zip(places, verdicts, strict=True):
            judged[place] = replace(
                gaps[place], verdict=verdict.verdict, more_cases=verdict.more_cases
            )
    return judged


def levels(alpha: float, count: int) -> tuple[float, ...]:
    """Return the levels that `judge` needs for `count` gaps of one bound."""
    return ladder(alpha, count)
