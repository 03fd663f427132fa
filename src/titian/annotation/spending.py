"""What an annotation round came to in money, and what the same round would cost elsewhere.

A label is accepted where its task's confidence reaches a bar. A site's share of an accepted
task is its share of the task's labels, so that the sites' accepted labels add up to all of
them. Where an expert decides the other tasks, the decision is paid and its label accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from titian.annotation.consensus.votes import Floats, Ints
from titian.annotation.cost import Exchange, Pay, Plan, Price, label_costs, price_at_sites
from titian.annotation.readers import Bools

LONG_AGO = date(1, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is paid for labels.

    Attributes:
        currency: of all results.
        pay: one per site, one of them perhaps without a site, for all others; empty where
            the labels' own costs are all that is known.
        exchange: dated rates.
        on: the day of the reckoning; rates of later days do not count.
        expert_per_task: what an expert's decision on an escalated task costs, in `currency`;
            None where nobody decides it.
        fixed_labels_per_task: of the plan to compare with, or None.
    """

    currency: str = ""
    pay: tuple[Pay, ...] = ()
    exchange: tuple[Exchange, ...] = ()
    on: date = LONG_AGO
    expert_per_task: float | None = None
    fixed_labels_per_task: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What labels cost at one place.

    Attributes:
        site: its name; empty for all labels, and for labels whose site is not told.
        labels: how many.
        accepted: tasks whose label is accepted, shared out by label.
        escalated: tasks whose label is not sure enough, shared out alike.
        cost: of all labels, and of the expert's decisions; None where some label's is unknown.
        experts: what of `cost` is the expert's.
        unknown: labels whose cost is unknown.
        seconds_per_label: mean over the labels that tell it; None where none does.
    """

    site: str
    labels: int
    accepted: float
    escalated: float
    cost: float | None
    experts: float
    unknown: int
    seconds_per_label: float | None

    @property
    def per_label(self) -> float | None:
        """Cost of one label, without the expert's decisions."""
        return None if self.cost is None else (self.cost - self.experts) / self.labels

    @property
    def per_accepted(self) -> float | None:
        """Cost of one accepted label."""
        return None if self.cost is None or not self.accepted else self.cost / self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """A round in money.

    Attributes:
        currency: of all amounts.
        whole: all labels.
        by_site: each site that gave labels; empty without a column of sites.
        elsewhere: this very round priced at each site whose pay is known, cheapest first.
        fixed_cost: of the plan with a fixed number of labels a task, at this round's cost of
            a label; None where it is not asked for or unknown.
        notes: one sentence each.
    """

    currency: str
    whole: Spending
    by_site: tuple[Spending, ...]
    elsewhere: tuple[Price, ...]
    fixed_cost: float | None
    notes: tuple[str, ...] = ()

    @property
    def saved(self) -> float | None:
        """1 - cost / cost of the fixed plan; negative where the round cost more."""
        if not self.fixed_cost or self.whole.cost is None:
            return None
        return 1.0 - self.whole.cost / self.fixed_cost


def reckon(
    task: Ints,
    accepted: Bools,
    *,
    terms: Terms,
    site: Ints | None = None,
    sites: Sequence[str] = (),
    cost: Floats | None = None,
    seconds: Floats | None = None,
) -> Reckoning:
    """Add up what a round cost, and price it at each site.

    Args:
        task: shape (n,), codes from 0, one row a label.
        accepted: shape (tasks,), whether the task's label is sure enough.
        terms: what is paid.
        site: shape (n,), index into `sites`, -1 where it is not told; None without sites.
        sites: names.
        cost: shape (n,), in the currency of the label's site, overhead not included; NaN
            where unknown. Goes before what the site pays.
        seconds: shape (n,), time taken; NaN where unknown, and where a site pays by the hour
            its mean is then taken, with a note.

    Raises:
        InputError: T-A230 to T-A234, as `price_at_sites` and `label_costs`.
    """
    n = len(task)
    where = np.full(n, -1, dtype=np.int64) if site is None else site
    times = np.full(n, np.nan) if seconds is None else seconds
    pay, notes = _with_usual_seconds(terms.pay, where, sites, times, cost)
    amount = np.full(n, np.nan) if cost is None else cost
    if terms.pay:
        found = label_costs(
            site=where,
            sites=sites,
            pay=pay,
            currency=terms.currency,
            today=terms.on,
            exchange=terms.exchange,
            cost=cost,
            seconds=seconds,
        )
        amount = found.amount
        notes += found.notes
    part = 1.0 / np.bincount(task, minlength=len(accepted))[task]
    expert = terms.expert_per_task

    def at(name: str, rows: Bools) -> Spending:
        unknown = int(np.isnan(amount[rows]).sum())
        sure, unsure = (float(part[rows & here].sum()) for here in (taken, ~taken))
        known = times[rows & ~np.isnan(times)]
        return Spending(
            site=name,
            labels=int(rows.sum()),
            accepted=sure if expert is None else sure + unsure,
            escalated=unsure,
            cost=None if unknown else float(amount[rows].sum()) + unsure * (expert or 0.0),
            experts=unsure * (expert or 0.0),
            unknown=unknown,
            seconds_per_label=float(known.mean()) if len(known) else None,
        )

    taken = accepted[task]
    whole = at("", np.ones(n, dtype=np.bool_))
    if terms.pay:
        notes += _unknown_notes(np.isnan(amount), where, pay)
    own: tuple[Spending, ...] = ()
    if site is not None:
        places = np.unique(where).tolist()
        own = tuple(at(sites[i] if i >= 0 else "", where == i) for i in (*places,))
    tasks = len(np.unique(task))
    fixed = None
    if terms.fixed_labels_per_task is not None and not whole.unknown:
        fixed = tasks * terms.fixed_labels_per_task * float(amount.mean())
    return Reckoning(
        currency=terms.currency,
        whole=whole,
        by_site=own,
        elsewhere=_elsewhere(replace(terms, pay=pay), whole, own, tasks),
        fixed_cost=fixed,
        notes=tuple(dict.fromkeys(notes)),
    )


def _elsewhere(
    terms: Terms, whole: Spending, own: tuple[Spending, ...], tasks: int
) -> tuple[Price, ...]:
    """Price the round at each site with a name and a pay; () where nothing was accepted."""
    priced = {one.site: one for one in terms.pay if one.site}
    others = next((one for one in terms.pay if not one.site), None)
    for place in own:
        if place.site and others is not None:
            priced.setdefault(place.site, replace(others, site=place.site))
    if not priced or not whole.accepted:
        return ()
    plan = Plan(
        tasks=tasks,
        labels_per_task=whole.labels / tasks,
        seconds_per_label=whole.seconds_per_label,
        accepted=min(whole.accepted / tasks, 1.0),
        escalated=min(whole.escalated / tasks, 1.0) if terms.expert_per_task else 0.0,
        expert_per_task=terms.expert_per_task or 0.0,
        fixed_labels_per_task=terms.fixed_labels_per_task,
    )
    return price_at_sites(
        plan,
        list(priced.values()),
        currency=terms.currency,
        today=terms.on,
        exchange=terms.exchange,
    )


def _unknown_notes(unknown: Bools, where: Ints, pay: tuple[Pay, ...]) -> tuple[str, ...]:
    """Say why the cost of some labels is unknown: no pay, or hours without seconds."""
    unpaid = unknown & (where < 0) & all(one.site for one in pay)
    untimed = unknown & ~unpaid
    found = []
    if unpaid.any():
        found.append(
            f"{int(unpaid.sum())} of {len(unknown)} labels name no site, and no pay is given "
            "for them: what they cost is unknown."
        )
    if untimed.any():
        found.append(
            f"{int(untimed.sum())} of {len(unknown)} labels are paid by the hour and tell no "
            "seconds, nor does any other there: what they cost is unknown."
        )
    return tuple(found)


def _with_usual_seconds(
    pay: tuple[Pay, ...],
    where: Ints,
    sites: Sequence[str],
    times: Floats,
    cost: Floats | None,
) -> tuple[tuple[Pay, ...], tuple[str, ...]]:
    """Give each site that pays by the hour the mean time of its labels, where it tells none."""
    others = next((one for one in pay if not one.site), None)
    named = {one.site for one in pay if one.site}
    found, notes = list(pay), []
    code = {name: i for i, name in enumerate(sites) if name} | {"": -1}
    if others is not None:
        found += [
            replace(others, site=sites[i])
            for i in np.unique(where).tolist()
            if i >= 0 and sites[i] not in named
        ]
    for place, one in enumerate(found):
        here = where == code.get(one.site, -2)  # -2: a site that gave no label
        if one.per_hour is None or one.seconds_per_label is not None or not here.any():
            continue
        untold = here & np.isnan(times)
        known = times[here & ~untold]
        if not len(known):
            continue
        mean = float(known.mean())
        found[place] = replace(one, seconds_per_label=mean)
        missing = int((untold if cost is None else untold & np.isnan(cost)).sum())
        if missing:
            at = f"at site {one.site}" if one.site else "without a site"
            notes.append(
                f"{missing} of {int(here.sum())} labels {at} tell no seconds: the mean of the "
                f"others, {mean:.1f} s, is taken."
            )
    return tuple(found), tuple(notes)
