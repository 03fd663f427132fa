"""Findings of an annotation round: readers by number, cases by number, never a name."""

from __future__ import annotations

import numpy as np

from titian.annotation.consensus import Consensus
from titian.annotation.gold_answers import GoldAnswers, find_failing
from titian.annotation.qualification import GOOD
from titian.annotation.readers import (
    Bools,
    Ints,
    Others,
    doubtful,
    find_careless,
    find_confusions,
    find_drift,
    find_pairs,
    find_spammers,
)
from titian.annotation.readings import Round
from titian.values import Finding, Severity

SHOWN_CASES = 12


def findings(
    round_: Round,
    found: Consensus,
    others: Others,
    *,
    alpha: float,
    confidence: float,
    answers: GoldAnswers | None = None,
    good: float = GOOD,
) -> tuple[Finding, ...]:
    """Return what a person should look at.

    Args:
        round_: the readings.
        found: their consensus.
        others: what the others say of each.
        alpha: level of each check, over all that it looks at.
        confidence: labels below it are escalated.
        answers: of readers to gold; None without gold.
        good: accuracy on gold from which a reader must not be named.
    """
    return (
        *_spammers(round_, others, alpha),
        *_failing(round_, answers, alpha, good),
        *_careless(round_, others, alpha),
        *_pairs(round_, found, alpha),
        *_confusions(round_, others, alpha),
        *_drift(round_, others, alpha),
        *_errors(round_, others),
        *_escalated(round_, found, confidence),
        *_unlabelled(round_),
    )


def _spammers(round_: Round, others: Others, alpha: float) -> list[Finding]:
    readings = round_.readings
    return [
        Finding(
            code="annotation.spammer",
            severity=Severity.ERROR,
            what=f"Reader {item.reader + 1} agrees with the others on {item.agreement:.0%} of "
            f"{item.n} labels; {item.expected:.0%} would be half of what the others tell "
            f"beyond chance (p = {item.p_value:.1g}).",
            where=_where(round_, readings.task[_apart(round_, others, item.reader)]),
            remedy="Take this reader's labels out, or have the cases read again.",
        )
        for item in find_spammers(readings, others, level=alpha)
    ]


def _failing(
    round_: Round, answers: GoldAnswers | None, alpha: float, good: float
) -> list[Finding]:
    if answers is None:
        return []
    return [
        Finding(
            code="annotation.fails_gold",
            severity=Severity.ERROR,
            what=f"Reader {item.worker + 1} is right on {item.right} of {item.answers} gold "
            f"tasks; against {good:.0%}, the sequential test stops this reader after "
            f"{item.after} (false alarms {alpha:g} at most, over all readers).",
            where=_where(
                round_, answers.task[(answers.worker == item.worker) & ~answers.right]
            ),
            remedy="Take this reader's labels out, or train the reader and test again.",
        )
        for item in find_failing(answers, good=good, level=alpha)
    ]


def _careless(round_: Round, others: Others, alpha: float) -> list[Finding]:
    readings = round_.readings
    named = []
    for item in find_careless(readings, others, level=alpha):
        rows = _apart(round_, others, item.reader)
        if readings.site is not None:
            rows &= readings.site == item.site
        named.append(
            Finding(
                code="annotation.careless_reader",
                severity=Severity.WARNING,
                what=f"Reader {item.reader + 1} agrees with the others on {item.here:.0%} of "
                f"{item.n} labels at site {readings.sites[item.site]} and on "
                f"{item.elsewhere:.0%} elsewhere; the other readers agree on "
                f"{item.others:.0%} there (p = {item.p_value:.1g}).",
                where=_where(round_, readings.task[rows]),
                remedy="Ask what was different there, and have those cases read again.",
            )
        )
    return named


def _pairs(round_: Round, found: Consensus, alpha: float) -> list[Finding]:
    readings = round_.readings
    named = []
    for item in find_pairs(readings, found, level=alpha):
        own = [readings.task[readings.reader == one] for one in (item.first, item.second)]
        named.append(
            Finding(
                code="annotation.colluding_pair",
                severity=Severity.ERROR,
                what=f"Readers {item.first + 1} and {item.second + 1} give the same label on "
                f"{item.agreement:.0%} of {item.n} tasks, where {item.expected:.0%} is "
                f"expected of readers who do not copy (p = {item.p_value:.1g}).",
                where=_where(round_, np.intersect1d(*own)),
                remedy="Count them as one reader, or take the copies out.",
            )
        )
    return named


def _confusions(round_: Round, others: Others, alpha: float) -> list[Finding]:
    readings, names = round_.readings, round_.crowd.label.names
    named = []
    for item in find_confusions(readings, others, level=alpha):
        rows = others.told & (others.label == item.true) & (readings.label == item.given)
        named.append(
            Finding(
                code="annotation.confused_class",
                severity=Severity.WARNING,
                what=f"Of {item.n} labels on tasks of class {names[item.true]!r}, "
                f"{item.share:.0%} name {names[item.given]!r} (at least {item.low:.0%}).",
                where=_where(round_, readings.task[rows]),
                remedy="Sharpen the guideline that tells the two apart, with examples.",
            )
        )
    return named


def _drift(round_: Round, others: Others, alpha: float) -> list[Finding]:
    readings = round_.readings
    named = []
    for item in find_drift(readings, others, level=alpha):
        rows = others.told & ~others.agrees
        place = "all labels"
        if readings.site is not None:
            rows &= readings.site == item.site
            told = item.site >= 0
            place = f"site {readings.sites[item.site]}" if told else "labels without a site"
        named.append(
            Finding(
                code="annotation.site_drift",
                severity=Severity.WARNING,
                what=f"Agreement with the others falls from {item.before:.0%} in the earlier "
                f"half to {item.after:.0%} in the later half of {item.n} labels: {place} "
                f"(p = {item.p_value:.1g}).",
                where=_where(round_, readings.task[rows]),
                remedy="Look at what changed there, and calibrate the readers again.",
            )
        )
    return named


def _errors(round_: Round, others: Others) -> list[Finding]:
    rows = doubtful(round_.readings, others)
    if not rows.any():
        return []
    own = others.probability[np.arange(len(rows)), round_.readings.label]
    worst = np.flatnonzero(rows)[np.argsort(own[rows], kind="stable")]
    return [
        Finding(
            code="annotation.label_error",
            severity=Severity.INFO,
            what=f"{int(rows.sum())} of {len(rows)} readings are contradicted by the other "
            "readers of the task, who leave them a probability under 5 %.",
            where=_where(round_, round_.readings.task[worst], ranked=True),
            remedy="Look at the cases named first; a reader may have seen what others missed.",
        )
    ]


def _escalated(round_: Round, found: Consensus, confidence: float) -> list[Finding]:
    tasks = np.flatnonzero(found.confidence < confidence)
    if not len(tasks):
        return []
    tasks = tasks[np.argsort(found.confidence[tasks], kind="stable")]
    return [
        Finding(
            code="annotation.escalated",
            severity=Severity.INFO,
            what=f"{len(tasks)} of {round_.readings.tasks} tasks have a label of less "
            f"confidence than {confidence:g}; they keep their most probable label, since "
            "leaving hard cases out would flatter every measure.",
            where=_where(round_, tasks, ranked=True),
            remedy="Have an expert read them.",
        )
    ]


def _unlabelled(round_: Round) -> list[Finding]:
    missing = np.setdiff1d(np.arange(round_.cases), round_.case)
    if not len(missing):
        return []
    return [
        Finding(
            code="annotation.unlabelled",
            severity=Severity.WARNING,
            what=f"{len(missing)} of {round_.cases} cases have no reading and are left out.",
            where=_named(missing),
            remedy="Have them read, or remove the rows.",
        )
    ]


def _apart(round_: Round, others: Others, reader: int) -> Bools:
    rows: Bools = others.told & ~others.agrees & (round_.readings.reader == reader)
    return rows


def _where(round_: Round, tasks: Ints, *, ranked: bool = False) -> str:
    """Name the cases of some tasks: in order of number, or of the tasks given."""
    unique = list(dict.fromkeys(tasks.tolist()))
    if not ranked:
        return _named(round_.cases_of(np.asarray(unique, dtype=np.int64)))
    first = np.asarray(unique[:SHOWN_CASES], dtype=np.int64)
    cases = np.concatenate([round_.cases_of(first[i : i + 1]) for i in range(len(first))])
    whole = len(round_.cases_of(np.asarray(unique, dtype=np.int64)))
    return _named(cases[:SHOWN_CASES], whole=whole)


def _named(cases: Ints, *, whole: int | None = None) -> str:
    whole = len(cases) if whole is None else whole
    shown = ", ".join(str(int(case)) for case in cases[:SHOWN_CASES])
    rest = whole - min(len(cases), SHOWN_CASES)
    more = f" and {rest} more" if rest else ""
    return f"case{'s' if whole != 1 else ''} {shown}{more}" if whole else "no cases"
