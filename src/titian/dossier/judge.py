"""Requirements held against statements: the verdict table, as a pure function.

A measure requirement is judged by its intervals (`titian.statistics.families`); a finding
requirement by the count of findings with that code. What nobody measured, and what no
check looked for, is *not shown*: missing evidence never becomes *met*.

Which measurements a requirement means:

- without ``for_each``: the measurement of all cases; or, where a model of several classes
  was measured class by class, one row a class, all in one family;
- with ``for_each``: for each column, the measurements whose subgroup is that column alone
  (or that column and the class), all columns in one family; a gap gives one row a column.

All rows of a requirement come from one statement: the last one that holds its measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from titian.dossier.reference import bound_number
from titian.statistics.families import FamilyRow, judge_family
from titian.values import (
    ALL_GROUPS,
    Attribute,
    Finding,
    Measurement,
    Requirement,
    Verdict,
    VerdictValue,
    from_json,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One earlier statement of the run: its digest and its predicate."""

    digest: str
    predicate: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row to judge: the verdict as far as it is known, and the measurement."""

    verdict: Verdict
    measurement: Measurement | None = None


def judge(
    requirements: Sequence[Requirement],
    witnesses: Sequence[Witness],
    *,
    alpha: float,
    label: str = "",
    attributes: Sequence[Attribute] = (),
) -> tuple[Verdict, ...]:
    """Return the verdict table: the requirements in order, each with its rows.

    Args:
        requirements: what the release needs.
        witnesses: the run's earlier statements, in order.
        alpha: one minus the coverage of the intervals shown, in (0, 1).
        label: the label column, which names the class in a subgroup.
        attributes: the columns reported by; a band of theirs that no measurement names
            gets a row of its own, *not shown*.
    """
    rows: list[Verdict] = []
    for requirement in requirements:
        if requirement.finding is not None:
            rows.append(_count_findings(requirement, witnesses))
        else:
            rows += _judge_measure(
                requirement, witnesses, alpha=alpha, label=label, attributes=attributes
            )
    return tuple(rows)


def bound_text(requirement: Requirement) -> str:
    """Return the bound in words, such as ``>= 0.80`` or ``<= 0`` for a count."""
    sign, bound = (
        (">=", requirement.at_least)
        if requirement.at_least is not None
        else ("<=", requirement.at_most)
    )
    if bound is None:
        return ""
    if requirement.finding is not None:
        return f"{sign} {bound:g}"
    return f"{sign} {bound_number(bound)}"


# --- measures -------------------------------------------------------------------------


def _judge_measure(
    requirement: Requirement,
    witnesses: Sequence[Witness],
    *,
    alpha: float,
    label: str,
    attributes: Sequence[Attribute],
) -> list[Verdict]:
    rows = _rows(requirement, witnesses, label=label, attributes=attributes)
    family = [row.measurement for row in rows if row.measurement is not None]
    try:
        judgements = iter(
            judge_family(
                [FamilyRow(value=m.value, n=m.n, intervals=m.intervals) for m in family],
                at_least=requirement.at_least,
                at_most=requirement.at_most,
                alpha=alpha,
            )
        )
    except ValueError as error:  # a statement from elsewhere without the levels needed here
        return [
            row.verdict if row.measurement is None else replace(row.verdict, reason=str(error))
            for row in rows
        ]
    judged: list[Verdict] = []
    for row in rows:
        if row.measurement is None:
            judged.append(row.verdict)
            continue
        outcome = next(judgements)
        corrected = len(rows) > 1
        judged.append(
            replace(
                row.verdict,
                verdict=VerdictValue(outcome.verdict),
                adjusted_low=outcome.adjusted_low if corrected else None,
                adjusted_high=outcome.adjusted_high if corrected else None,
                adjusted_alpha=outcome.adjusted_alpha if corrected else None,
                more_cases=outcome.more_cases,
                reason=_undecided(requirement, row.verdict)
                if outcome.verdict == VerdictValue.NOT_SHOWN
                else "",
            )
        )
    return judged


def _undecided(requirement: Requirement, verdict: Verdict) -> str:
    low, high = verdict.low or 0.0, verdict.high or 0.0
    beyond = (requirement.at_least is not None and high < requirement.at_least) or (
        requirement.at_most is not None and low > requirement.at_most
    )
    if beyond:
        return "the interval violates the bound, but not after the correction for the family"
    return "the bound lies within the interval"


def _rows(
    requirement: Requirement,
    witnesses: Sequence[Witness],
    *,
    label: str,
    attributes: Sequence[Attribute],
) -> list[_Row]:
    name = requirement.measure or ""
    digest, measured = _last_statement_with(name, witnesses)
    if not measured:
        missing = f"no statement of this run holds a measurement {name!r}"
        return [_Row(verdict=_verdict(requirement, reason=missing))]
    if not requirement.for_each:
        by_class = [item for item in measured if set(item[1].subgroup or ()) == {label}]
        chosen = by_class or [item for item in measured if not item[1].subgroup]
        if not chosen:
            missing = f"measurement {name!r} was not made on all cases"
            return [_Row(verdict=_verdict(requirement, reason=missing))]
        return [_row(requirement, digest, at, item) for at, item in chosen]
    rows: list[_Row] = []
    for column in requirement.for_each:
        crossed = [
            item
            for item in measured
            if column != label and set(item[1].subgroup or ()) == {column, label}
        ]
        chosen = crossed or [
            item for item in measured if set(item[1].subgroup or ()) == {column}
        ]
        if not chosen:
            missing = f"no measurement {name!r} by column {column!r}"
            rows.append(_Row(verdict=_verdict(requirement, reason=missing)))
            continue
        rows += [_row(requirement, digest, at, item) for at, item in chosen]
        rows += _absent_bands(requirement, column, chosen, attributes)
    return rows


def _row(requirement: Requirement, digest: str, at: int, measured: Measurement) -> _Row:
    verdict = _verdict(
        requirement,
        subgroup=dict(measured.subgroup) if measured.subgroup else None,
        value=measured.value,
        low=measured.low,
        high=measured.high,
        n=measured.n,
        evidence={"statement": digest, "pointer": f"/predicate/measurements/{at}"},
    )
    if measured.unit != "1":
        verdict = replace(verdict, bound=f"{verdict.bound} {measured.unit}")
    if measured.n < requirement.min_count:
        return _Row(
            verdict=replace(
                verdict,
                more_cases=requirement.min_count - measured.n,
                reason=f"n is {measured.n}; min_count is {requirement.min_count}",
            )
        )
    if measured.value is None or not measured.intervals:
        return _Row(
            verdict=replace(
                verdict, reason=measured.reason or "the measurement has no interval"
            )
        )
    return _Row(verdict=verdict, measurement=measured)


def _absent_bands(
    requirement: Requirement,
    column: str,
    chosen: Sequence[tuple[int, Measurement]],
    attributes: Sequence[Attribute],
) -> list[_Row]:
    bands = next((item.bands for item in attributes if item.column == column), ())
    seen = {(measured.subgroup or {}).get(column) for _, measured in chosen}
    if ALL_GROUPS in seen:  # a gap names a band that is too small itself
        return []
    names = [f"[{low:g},{high:g})" for low, high in pairwise(bands)]
    return [
        _Row(
            verdict=_verdict(
                requirement,
                subgroup={column: name},
                reason=f"no measurement {requirement.measure!r} in this group",
            )
        )
        for name in names
        if name not in seen
    ]


def _last_statement_with(
    name: str, witnesses: Sequence[Witness]
) -> tuple[str, list[tuple[int, Measurement]]]:
    for witness in reversed(witnesses):
        found = [
            (at, from_json(Measurement, item))
            for at, item in enumerate(witness.predicate.get("measurements", ()))
            if item.get("name") == name
        ]
        if found:
            return witness.digest, found
    return "", []


def _verdict(requirement: Requirement, **known: Any) -> Verdict:  # noqa: ANN401 - fields of Verdict
    return Verdict(
        id=requirement.id,
        verdict=VerdictValue.NOT_SHOWN,
        measure=requirement.measure or requirement.finding or "",
        bound=bound_text(requirement),
        **known,
    )


# --- findings -------------------------------------------------------------------------


def _count_findings(requirement: Requirement, witnesses: Sequence[Witness]) -> Verdict:
    code = requirement.finding or ""
    findings = [
        (witness.digest, f"/predicate/findings/{at}")
        for witness in witnesses
        for at, item in enumerate(witness.predicate.get("findings", ()))
        if from_json(Finding, item).code == code
    ]
    controls = [
        (witness.digest, f"/predicate/controls/{at}", bool(item.get("found")))
        for witness in witnesses
        for at, item in enumerate(witness.predicate.get("controls", ()))
        if item.get("check") == code
    ]
    if not findings and not controls:
        return _verdict(requirement, reason=f"no stage of this run checked for {code!r}")
    count = len(findings)
    digest, pointer = findings[0] if findings else controls[0][:2]
    verdict = _verdict(
        requirement,
        value=float(count),
        low=float(count),
        high=float(count),
        evidence={"statement": digest, "pointer": pointer},
    )
    violated = (requirement.at_most is not None and count > requirement.at_most) or (
        requirement.at_least is not None and count < requirement.at_least
    )
    if violated and (findings or requirement.at_least is not None):
        return replace(verdict, verdict=VerdictValue.NOT_MET)
    if not controls:
        reason = f"no control shows that the check for {code!r} can fail"
    elif not all(found for _, _, found in controls):
        reason = f"the check for {code!r} did not catch its planted fault"
    else:
        return replace(verdict, verdict=VerdictValue.MET)
    return replace(verdict, reason=reason)
