"""What a study is to show, and designs that are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from titian.errors import InputError, Problem
from titian.statistics.sample_size import Bound

SHARES = {
    "sensitivity": "positives",
    "specificity": "negatives",
    "ppv": "predicted positives",
    "npv": "predicted negatives",
    "accuracy": "cases",
}
"""Measures that are shares, and what their denominator counts."""

MEASURES = (*SHARES, "auc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What the study is to show.

    Attributes:
        measure: one of `MEASURES`.
        expect: the measure in the population, or with `gap` the gap between two groups.
        at_least: the interval must lie wholly at or above it; None with an upper bound.
        at_most: the interval must lie wholly at or below it; None with a lower bound.
        power: chance that a study succeeds, in (0, 1).
        alpha: one minus the interval's coverage.
        prevalence: share of positives; None leaves the number of cases open.
        cases_per_subject: cases of each subject.
        icc: correlation of two cases of one subject, in [0, 1].
        group_shares: shares of all cases; each such group must clear the bound. With `gap`
            the share of the worse group, 0.5 when left out.
        gap: whether the bound is on the gap between two groups.
        around: with `gap`, the measure in the better group.
    """

    measure: str
    expect: float
    at_least: float | None = None
    at_most: float | None = None
    power: float = 0.9
    alpha: float = 0.05
    prevalence: float | None = None
    cases_per_subject: int = 1
    icc: float = 0.0
    group_shares: tuple[float, ...] = ()
    gap: bool = False
    around: float | None = None

    @property
    def bound(self) -> Bound:
        """What the interval must clear."""
        return Bound(at_least=self.at_least, at_most=self.at_most, alpha=self.alpha)

    @property
    def design_effect(self) -> float:
        """How many times as many cases clustering costs, when subjects are of one size."""
        return 1.0 + (self.cases_per_subject - 1) * self.icc


def refuse(design: Design) -> None:
    """Refuse a design that cannot be planned.

    Raises:
        InputError: T-V220, T-V221 or T-V222; all problems together.
    """
    problems = [*_ranges(design), *_combinations(design)]
    if not problems:
        edge = design.at_least if design.at_least is not None else design.at_most
        clears = (
            design.expect > design.at_least
            if design.at_least is not None
            else design.expect < (edge or 0.0)
        )
        if not clears:
            problems.append(too_near(design))
    if problems:
        raise InputError(*problems)


def _ranges(design: Design) -> list[Problem]:
    checks: Sequence[tuple[str, float | None, float, float]] = (
        ("expect", design.expect, -1e-9 if design.gap else 0.0, 1.0),
        ("at-least", design.at_least, 0.0, 1.0),
        ("at-most", design.at_most, 0.0, 1.0),
        ("power", design.power, 0.0, 1.0),
        ("confidence", 1 - design.alpha, 0.5, 1.0),
        ("prevalence", design.prevalence, 0.0, 1.0),
        ("icc", design.icc, -1e-9, 1.0 + 1e-9),
        ("around", design.around, 0.0, 1.0 + 1e-9),
        *(("group-share", share, 0.0, 1.0 + 1e-9) for share in design.group_shares),
    )
    found = [
        Problem(
            code="T-V220",
            message=f"--{name} is {value:g}; it lies between {max(low, 0.0):g} and "
            f"{min(high, 1.0):g}.",
            remedy="Write a share, such as 0.9 for 90 %.",
        )
        for name, value, low, high in checks
        if value is not None and not low < value < high
    ]
    if design.cases_per_subject < 1:
        found.append(
            Problem(
                code="T-V220",
                message=f"--cases-per-subject is {design.cases_per_subject}; it is 1 or more.",
                remedy="Write how many cases a subject has on average.",
            )
        )
    return found


def _combinations(design: Design) -> list[Problem]:
    wrong = []
    if design.measure not in MEASURES:
        wrong.append(
            (
                f"--measure {design.measure} cannot be planned",
                f"Plan one of {', '.join(MEASURES)}.",
            )
        )
    if (design.at_least is None) == (design.at_most is None):
        wrong.append(
            ("a study needs exactly one bound", "Give either --at-least or --at-most.")
        )
    if design.gap and design.at_most is None:
        wrong.append(("a gap has an upper bound", "Give --at-most."))
    if design.gap and design.around is None:
        wrong.append(
            (
                "--gap needs the level around which the gap lies",
                "Give the measure in the better group with --around.",
            )
        )
    if design.gap and design.around is not None and design.around <= design.expect:
        wrong.append(
            (
                f"a group {design.expect:g} below --around {design.around:g} has nothing left",
                "Expect a smaller gap or a higher level.",
            )
        )
    if not design.gap and design.around is not None:
        wrong.append(("--around belongs to --gap", "Add --gap, or leave --around out."))
    if design.measure == "auc" and design.prevalence is None:
        wrong.append(("the AUC needs both classes", "Give --prevalence."))
    if design.icc > 0 and design.cases_per_subject == 1:
        wrong.append(
            (
                "--icc says nothing where a subject has one case",
                "Give --cases-per-subject too.",
            )
        )
    if sum(design.group_shares) > 1 + 1e-9:
        wrong.append(
            (
                f"the group shares sum to {sum(design.group_shares):g}",
                "Give shares of all cases that sum to 1 at most.",
            )
        )
    if design.gap and (len(design.group_shares) > 1 or 1.0 in design.group_shares):
        wrong.append(
            (
                "a gap is planned between two groups",
                "Give --group-share once, for the worse group, below 1.",
            )
        )
    return [Problem(code="T-V222", message=f"{what}.", remedy=remedy) for what, remedy in wrong]


def too_near(design: Design) -> Problem:
    """Return the problem of a bound that no study of a sane size clears."""
    edge, word = (
        (design.at_least, "at least")
        if design.at_least is not None
        else (design.at_most, "at most")
    )
    return Problem(
        code="T-V221",
        message=f"{design.expect:g} is expected and {word} {edge:g} is to be shown; no study "
        "of up to 5,000,000 cases shows that with the power wanted.",
        remedy="Expect what earlier studies found, and leave room for chance between the two.",
    )
