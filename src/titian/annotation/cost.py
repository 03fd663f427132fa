"""What labels cost: per label or hour, by site, in one currency, per label that was accepted.

Nothing here knows a rate or an exchange rate: both are given by the user, exchange rates with
the day they are of. Money is rounded only where it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from titian.annotation.consensus.votes import Floats
from titian.errors import InputError, Problem

HOUR_S = 3600.0
OLD_DAYS = 31  # an exchange rate older than this is named in a note


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay:
    """What a site pays.

    Attributes:
        site: its name; empty for every site that has no pay of its own.
        currency: such as ``MYR``; empty for the currency of the result.
        per_label: pay for one label, or None.
        per_hour: pay for one hour of work, or None; exactly one of the two is given.
        overhead: share on top for tools, space and leading, at least 0.
        seconds_per_label: how long a label takes at this site; None for the plan's own.
    """

    site: str = ""
    currency: str = ""
    per_label: float | None = None
    per_hour: float | None = None
    overhead: float = 0.0
    seconds_per_label: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What one unit of a currency is worth, on a day.

    Attributes:
        currency: the currency that is changed.
        into: the currency it is changed into.
        rate: units of `into` for one of `currency`.
        on: the day of the rate.
    """

    currency: str
    into: str
    rate: float
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A round of annotation, before it is priced.

    Attributes:
        tasks: how many are to be labelled.
        labels_per_task: mean number of labels, such as an adaptive policy asks for.
        seconds_per_label: how long a label takes; read where a site pays by the hour.
        accepted: share of tasks whose label is accepted in the end, in (0, 1].
        gold: share of labels that are spent on hidden gold, in [0, 1).
        escalated: share of tasks that an expert decides, in [0, 1].
        expert_per_task: what an expert's decision costs, in the currency of the result.
        fixed_labels_per_task: labels per task of the fixed plan to compare with, or None.
    """

    tasks: int
    labels_per_task: float
    seconds_per_label: float | None = None
    accepted: float = 1.0
    gold: float = 0.0
    escalated: float = 0.0
    expert_per_task: float = 0.0
    fixed_labels_per_task: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A plan priced at one site.

    Attributes:
        site: where.
        currency: of all amounts.
        per_label: pay and overhead for one label.
        labels: labels paid, hidden gold included.
        total: of the plan.
        per_accepted: total / accepted tasks.
        fixed_total: of the fixed plan, or None.
        saved: 1 - total / fixed_total, negative where the plan costs more; or None.
        rate_on: the day of the exchange rate; None where none was needed.
        notes: one sentence each.
        seconds_per_label: that the price by the hour is reckoned with; None by the label.
    """

    site: str
    currency: str
    per_label: float
    labels: float
    total: float
    per_accepted: float
    fixed_total: float | None
    saved: float | None
    rate_on: date | None
    notes: tuple[str, ...] = ()
    seconds_per_label: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What single labels cost.

    Attributes:
        amount: shape (n,), in one currency, overhead included; NaN where unknown.
        notes: one sentence each.
    """

    amount: Floats
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a round has cost.

    Attributes:
        currency: of all amounts.
        total: of all labels, accepted or not.
        labels: how many.
        accepted: tasks whose label was accepted.
        per_label: total / labels.
        per_accepted: total / accepted; None where none was.
        by_site: site -> total.
        unknown: labels whose cost is unknown; they are left out of `total`.
        notes: one sentence each.
    """

    currency: str
    total: float
    labels: int
    accepted: int
    per_label: float | None
    per_accepted: float | None
    by_site: Mapping[str, float]
    unknown: int
    notes: tuple[str, ...] = ()


def price_at_sites(
    plan: Plan,
    pay: Sequence[Pay],
    *,
    currency: str,
    today: date,
    exchange: Sequence[Exchange] = (),
) -> tuple[Price, ...]:
    """Price one plan at each site, cheapest per accepted label first.

    Args:
        plan: the round.
        pay: one per site.
        currency: of the result.
        today: the day on which the plan is priced; names exchange rates that are old.
        exchange: dated rates, in either direction; the newest that is not after `today` is
            taken.

    Raises:
        InputError: T-A230 numbers out of range, T-A231 pay that is neither or both of per
            label and per hour, T-A232 no exchange rate, T-A233 hours without seconds per
            label; all together.
    """
    problems = _plan_problems(plan)
    for site in pay:
        problems += [*pay_problems(site), *_hour_problems(site, plan)]
    problems += rate_problems(exchange)
    rates = {site.site: _rate(site.currency, currency, exchange, today) for site in pay}
    problems += [_no_rate(site, currency, today) for site in pay if rates[site.site] is None]
    if problems:
        raise InputError(*problems)
    found = [_priced(plan, site, rates[site.site], currency, today) for site in pay]
    return tuple(sorted(found, key=lambda price: (price.per_accepted, price.site)))


def spent(
    *,
    site: ArrayLike,
    sites: Sequence[str],
    pay: Sequence[Pay],
    accepted: int,
    currency: str,
    today: date,
    exchange: Sequence[Exchange] = (),
    cost: ArrayLike | None = None,
    seconds: ArrayLike | None = None,
) -> Spent:
    """Add up what the labels of a round cost.

    Args:
        site: shape (n,), index into `sites`; one per label.
        sites: names.
        pay: one per site.
        accepted: tasks whose label was accepted.
        currency: of the result.
        today: the day of the reckoning.
        exchange: dated rates.
        cost: shape (n,), what each label cost in its site's currency (overhead not included);
            NaN where unknown. Goes before `pay`'s amounts.
        seconds: shape (n,), time taken; NaN where unknown.

    Returns:
        A label without a cost is priced per label, or by its seconds (else the site's usual
        seconds) where the site pays by the hour; where that too is unknown it is counted.

    Raises:
        InputError: T-A231, T-A232, T-A234 a site without pay.
    """
    code = np.asarray(site)
    used = [sites[place] for place in np.unique(code)]
    found = label_costs(
        site=code,
        sites=sites,
        pay=pay,
        currency=currency,
        today=today,
        exchange=exchange,
        cost=cost,
        seconds=seconds,
    )
    amount = found.amount
    unknown = int(np.isnan(amount).sum())
    total = float(np.nansum(amount))
    priced = len(code) - unknown
    notes = [*found.notes]
    if unknown:
        notes.append(f"{unknown} of {len(code)} labels have no known cost and are left out.")
    return Spent(
        currency=currency,
        total=total,
        labels=len(code),
        accepted=accepted,
        per_label=total / priced if priced else None,
        per_accepted=total / accepted if accepted and not unknown else None,
        by_site={
            name: float(np.nansum(amount[code == place]))
            for place, name in enumerate(sites)
            if name in used
        },
        unknown=unknown,
        notes=tuple(dict.fromkeys(notes)),
    )


def label_costs(
    *,
    site: ArrayLike,
    sites: Sequence[str],
    pay: Sequence[Pay],
    currency: str,
    today: date,
    exchange: Sequence[Exchange] = (),
    cost: ArrayLike | None = None,
    seconds: ArrayLike | None = None,
) -> Costs:
    """Price each label of a round, as `spent` does.

    Where neither a site nor everyone else has a pay, `cost` counts as it stands, in the
    currency of the result; a label without a site and without a cost is then unknown.

    Args:
        site: shape (n,), index into `sites`; -1 where it is not told.
        sites: names.
        pay: one per site.
        currency: of the result.
        today: the day of the reckoning.
        exchange: dated rates.
        cost: as in `spent`.
        seconds: as in `spent`.

    Raises:
        InputError: T-A230 to T-A232; T-A234 labels without a cost at a site without pay.
    """
    code = np.asarray(site)
    amount = np.full(len(code), np.nan) if cost is None else np.array(cost, dtype=np.float64)
    known = {one.site: one for one in pay}
    used = {int(place): sites[place] if place >= 0 else "" for place in np.unique(code)}
    own = {place: known.get(name, known.get("")) for place, name in used.items()}
    problems = [
        Problem(
            code="T-A234",
            message=f"there are labels of site {used[place]!r}, whose pay is not given.",
            remedy="Give its pay.",
        )
        for place, its in own.items()
        if its is None and place >= 0 and np.isnan(amount[code == place]).any()
    ]
    called = {place: replace(its, site=used[place]) for place, its in own.items() if its}
    rates = {
        place: _rate(its.currency, currency, exchange, today) for place, its in called.items()
    }
    for place, its in called.items():
        problems += pay_problems(its)
        if rates[place] is None:
            problems.append(_no_rate(its, currency, today))
    problems += rate_problems(exchange)
    if problems:
        raise InputError(*problems)
    for place, its in called.items():
        rate = rates[place]
        if rate is not None:
            here = code == place
            costs = _own_costs(its, here, cost, seconds)
            amount[here] = costs * (1.0 + its.overhead) * rate.rate
    notes = [note for rate in rates.values() if rate for note in _age(rate, today)]
    return Costs(amount=amount, notes=tuple(dict.fromkeys(notes)))


def _own_costs(
    pay: Pay, here: np.ndarray, cost: ArrayLike | None, seconds: ArrayLike | None
) -> Floats:
    n = int(here.sum())
    if pay.per_label is not None:
        usual = np.full(n, pay.per_label)
    else:
        usual_s = np.nan if pay.seconds_per_label is None else pay.seconds_per_label
        taken = np.full(n, np.nan) if seconds is None else np.asarray(seconds, float)[here]
        taken = np.where(np.isnan(taken), usual_s, taken)
        usual = taken / HOUR_S * (pay.per_hour or 0.0)
    given = np.full(n, np.nan) if cost is None else np.asarray(cost, float)[here]
    found: Floats = np.where(np.isnan(given), usual, given)
    return found


def _priced(plan: Plan, pay: Pay, rate: Exchange | None, currency: str, today: date) -> Price:
    factor = 1.0 if rate is None else rate.rate
    seconds = pay.seconds_per_label or plan.seconds_per_label or 0.0
    own = (
        pay.per_label if pay.per_label is not None else (pay.per_hour or 0.0) * seconds / HOUR_S
    )
    per_label = own * (1.0 + pay.overhead) * factor
    labels = plan.tasks * plan.labels_per_task / (1.0 - plan.gold)
    total = labels * per_label + plan.tasks * plan.escalated * plan.expert_per_task
    fixed = None
    if plan.fixed_labels_per_task is not None:
        fixed = plan.tasks * plan.fixed_labels_per_task / (1.0 - plan.gold) * per_label
    return Price(
        site=pay.site,
        currency=currency,
        per_label=per_label,
        labels=labels,
        total=total,
        per_accepted=total / (plan.tasks * plan.accepted),
        fixed_total=fixed,
        saved=None if not fixed else 1.0 - total / fixed,
        rate_on=None if rate is None or rate.currency == rate.into else rate.on,
        notes=() if rate is None else tuple(_age(rate, today)),
        seconds_per_label=None if pay.per_hour is None else seconds,
    )


def _rate(
    currency: str, into: str, exchange: Sequence[Exchange], today: date
) -> Exchange | None:
    if currency in ("", into):
        return Exchange(currency=into, into=into, rate=1.0, on=today)
    fitting = [one for one in exchange if one.on <= today and one.rate > 0]
    straight = [one for one in fitting if (one.currency, one.into) == (currency, into)]
    turned = [
        Exchange(currency=currency, into=into, rate=1.0 / one.rate, on=one.on)
        for one in fitting
        if (one.currency, one.into) == (into, currency)
    ]
    return max([*straight, *turned], key=lambda one: one.on, default=None)


def _age(rate: Exchange, today: date) -> list[str]:
    days = (today - rate.on).days
    if days <= OLD_DAYS:
        return []
    return [f"The rate from {rate.currency} to {rate.into} is of {rate.on}, {days} days old."]


def _plan_problems(plan: Plan) -> list[Problem]:
    ranges = (
        ("tasks", plan.tasks, plan.tasks >= 1, "at least 1"),
        ("labels_per_task", plan.labels_per_task, plan.labels_per_task > 0, "above 0"),
        ("accepted", plan.accepted, 0 < plan.accepted <= 1, "above 0 and at most 1"),
        ("gold", plan.gold, 0 <= plan.gold < 1, "at least 0 and below 1"),
        ("escalated", plan.escalated, 0 <= plan.escalated <= 1, "from 0 to 1"),
        ("expert_per_task", plan.expert_per_task, plan.expert_per_task >= 0, "at least 0"),
        (
            "fixed_labels_per_task",
            plan.fixed_labels_per_task or 0.0,
            plan.fixed_labels_per_task is None or plan.fixed_labels_per_task > 0,
            "above 0",
        ),
    )
    return [
        _range(name, value, rule)
        for name, value, holds, rule in ranges
        if not holds or not np.isfinite(value)
    ]


def pay_problems(pay: Pay) -> list[Problem]:
    """Say what is wrong with what a site pays: T-A230, T-A231."""
    problems = []
    if (pay.per_label is None) == (pay.per_hour is None):
        problems.append(_either(pay))
    for name in ("per_label", "per_hour", "overhead", "seconds_per_label"):
        value = getattr(pay, name)
        if value is not None and not (np.isfinite(value) and value >= 0):
            problems.append(_range(f"{name} of site {pay.site!r}", value, "at least 0"))
    return problems


def rate_problems(exchange: Sequence[Exchange]) -> list[Problem]:
    """Say which exchange rates are none: T-A230."""
    return [
        _range(f"the rate {one.currency} to {one.into}", one.rate, "above 0")
        for one in exchange
        if not (np.isfinite(one.rate) and one.rate > 0)
    ]


def _hour_problems(pay: Pay, plan: Plan) -> list[Problem]:
    if pay.per_hour is None or pay.seconds_per_label or plan.seconds_per_label:
        return []
    return [
        Problem(
            code="T-A233",
            message=f"site {pay.site!r} pays by the hour, and neither it nor the plan says "
            "how many seconds a label takes.",
            remedy="Give them (seconds_per_label, --seconds), measured in a pilot.",
        )
    ]


def _no_rate(pay: Pay, into: str, today: date) -> Problem:
    return Problem(
        code="T-A232",
        message=f"site {pay.site!r} pays in {pay.currency}, and there is no rate from "
        f"{pay.currency} to {into} dated {today} or before.",
        remedy="Give the rate with its day.",
    )


def _either(pay: Pay) -> Problem:
    return Problem(
        code="T-A231",
        message=f"site {pay.site!r} has per_label {pay.per_label} and per_hour "
        f"{pay.per_hour}; exactly one of them is given.",
        remedy="Say how the site pays.",
    )


def _range(name: str, value: float, rule: str) -> Problem:
    return Problem(
        code="T-A230",
        message=f"{name} is {value:g}; it is {rule}.",
        remedy="Correct the number.",
    )
