"""What an annotation round came to in numbers and pictures: agreement, certainty, cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from titian.annotation.agreement import Agreement, agreement
from titian.annotation.consensus import Consensus
from titian.annotation.readers import Ints, Others
from titian.annotation.readings import Round
from titian.annotation.spending import Reckoning, Spending, Terms, reckon
from titian.statistics import Estimate, proportion
from titian.statistics.estimate import unknown
from titian.values import (
    BarFigure,
    Figure,
    ForestFigure,
    HeatMapFigure,
    Measurement,
)
from titian.values.figure import ForestRow

MOST_READERS_SHOWN = 24  # rows that fit a page; those with the most readings
MOST_CLASSES_SHOWN = 20
MOST_SITES_SHOWN = 8
SITE = "reading_site"
COUNT = "count"


def measurements(
    round_: Round,
    found: Consensus,
    *,
    gold: Ints | None,
    alpha: float,
    confidence: float,
    paid: Reckoning,
    class_column: str,
    rng: np.random.Generator,
) -> tuple[Measurement, ...]:
    """Measure agreement, expected accuracy, the share escalated, labels and cost.

    Args:
        round_: the readings.
        found: their consensus.
        gold: shape (tasks,), known classes, -1 where unknown; None without gold.
        alpha: one minus the coverage of the intervals.
        confidence: labels below it are escalated, all others accepted.
        paid: what it cost.
        class_column: names the class in a subgroup.
        rng: draws the bootstrap.
    """
    readings = round_.readings
    agreed = _agreement(round_, alpha=alpha, rng=rng)
    measured = _alphas(agreed, round_, class_column)
    measured.append(
        Measurement(
            name="expected_label_accuracy",
            value=float(found.confidence.mean()),
            n=readings.tasks,
            method=f"mean confidence of the consensus ({found.method})",
            reason="the readers' own word: without gold no interval holds it",
        )
    )
    if gold is not None:
        known = gold >= 0
        right = proportion(
            found.label[known] == gold[known],
            readings.cluster[known],
            alphas=(alpha,),
            noun="tasks with gold",
        )
        measured.append(_measured("label_accuracy", right))
    below = proportion(found.confidence < confidence, readings.cluster, alphas=(alpha,))
    measured.append(_measured("escalated_share", below))
    measured.append(
        Measurement(
            name="labels_per_task",
            value=len(readings.label) / readings.tasks,
            n=readings.tasks,
            unit="labels",
            method=COUNT,
            reason="a count has no interval",
        )
    )
    return (*measured, *_costs(paid))


def _agreement(round_: Round, *, alpha: float, rng: np.random.Generator) -> Agreement | None:
    readings = round_.readings
    if readings.readers < 2:
        return None
    return agreement(
        readings.task,
        readings.reader,
        readings.label,
        names=round_.crowd.label.names,
        rng=rng,
        site=readings.site,
        sites=readings.sites,
        alpha=alpha,
    )


def _alphas(agreed: Agreement | None, round_: Round, class_column: str) -> list[Measurement]:
    name = "krippendorff_alpha"
    if agreed is None:
        whole = unknown(round_.readings.tasks, "one reader agrees with nobody")
        return [_measured(name, whole)]
    return [
        _measured(name, agreed.estimate),
        *(_measured(name, p.estimate, {class_column: p.name[0]}) for p in agreed.by_class),
        *(_measured(name, p.estimate, {SITE: p.name[0]}) for p in agreed.by_site),
    ]


def spending(round_: Round, found: Consensus, *, confidence: float, terms: Terms) -> Reckoning:
    """Return what labels cost overall and, with several sites, at each.

    Raises:
        InputError: as `titian.annotation.spending.reckon`.
    """
    readings = round_.readings
    return reckon(
        readings.task,
        found.confidence >= confidence,
        terms=terms,
        site=readings.site,
        sites=readings.sites,
        cost=round_.crowd.numbers.get("cost"),
        seconds=round_.crowd.numbers.get("seconds"),
    )


def figures(
    round_: Round,
    others: Others,
    *,
    alpha: float,
    paid: Reckoning,
) -> tuple[Figure, ...]:
    """Draw agreement by class, readers against the others, confusion and cost."""
    drawn: list[Figure] = []
    again = _said_again(round_)
    if any(share is not None for share in again):
        drawn.append(
            BarFigure(
                name="agreement by class",
                title="Agreement of readers by class",
                caption="Where one reader names a class, the share of the task's other labels "
                "that name it too; a class that falls behind needs a sharper guideline.",
                y_label="share of other labels",
                categories=round_.crowd.label.names[:MOST_CLASSES_SHOWN],
                series=("the same class",),
                values=(again,),
            )
        )
    drawn.append(_forest(round_, others, alpha))
    drawn.append(_confusion(round_, others))
    drawn += _cost_figures(paid)
    return tuple(drawn)


def _cost_figures(paid: Reckoning) -> list[Figure]:
    drawn: list[Figure] = []
    places = [paid.whole, *_told_sites(paid)][: MOST_SITES_SHOWN + 1]
    if paid.whole.cost is not None:
        drawn.append(
            BarFigure(
                name="cost of labels",
                title="Cost of a label",
                caption="What a reading costs, and what an accepted label costs once all "
                "readings of its task and the escalated tasks are paid.",
                y_label=paid.currency or "cost",
                categories=tuple(place.site or "all" for place in places),
                series=("per reading", "per accepted label"),
                values=(
                    tuple(place.per_label for place in places),
                    tuple(place.per_accepted for place in places),
                ),
            )
        )
    prices = paid.elsewhere[:MOST_SITES_SHOWN]
    if len(prices) > 1:
        drawn.append(
            BarFigure(
                name="the same round elsewhere",
                title="The same round, priced at each site",
                caption="As many labels a task and as many accepted labels as here, at what "
                "each site pays; that readers there would agree as well is not shown.",
                y_label=paid.currency or "cost",
                categories=tuple(price.site for price in prices),
                series=("per accepted label",),
                values=(tuple(price.per_accepted for price in prices),),
            )
        )
    return drawn


def _said_again(round_: Round) -> tuple[float | None, ...]:
    """Return each class's specific agreement (Cicchetti and Feinstein, 1990)."""
    readings = round_.readings
    k = readings.classes
    size = readings.tasks * k
    counts = np.bincount(readings.task * k + readings.label, minlength=size).reshape(-1, k)
    same = (counts * (counts - 1)).sum(axis=0)
    pairs = (counts * (counts.sum(axis=1, keepdims=True) - 1)).sum(axis=0)
    return tuple(
        float(same[i] / pairs[i]) if pairs[i] else None
        for i in range(min(len(round_.crowd.label.names), MOST_CLASSES_SHOWN))
    )


def _forest(round_: Round, others: Others, alpha: float) -> ForestFigure:
    readings = round_.readings
    busy = np.bincount(readings.reader[others.told], minlength=readings.readers)
    chosen = np.sort(np.argsort(-busy, kind="stable")[:MOST_READERS_SHOWN])
    groups: list[tuple[str, np.ndarray]] = [("all sites", others.told)]
    if readings.site is not None and len(readings.sites) > 1:
        groups = [
            (f"site {name}", others.told & (readings.site == code))
            for code, name in enumerate(readings.sites[:MOST_SITES_SHOWN])
        ]
    rows = []
    for group, here in groups:
        for reader in chosen.tolist():
            own = here & (readings.reader == reader)
            cluster = readings.cluster[readings.task[own]]
            share = proportion(others.agrees[own], cluster, alphas=(alpha,))
            low, high = None, None
            if share.intervals:
                low, high = share.intervals[0].low, share.intervals[0].high
            rows.append(
                ForestRow(
                    group=group,
                    label=f"reader {reader + 1}",
                    value=share.value,
                    low=low,
                    high=high,
                    n=share.n,
                )
            )
    shown = f"; {readings.readers - len(chosen)} readers with fewer labels are not shown"
    return ForestFigure(
        name="readers",
        title="Readers against the others",
        caption="Share of each reader's labels that agree with a weighted vote of the other "
        "readers; readers are numbered in a random order"
        + (shown if readings.readers > len(chosen) else "")
        + ".",
        x_label="agreement",
        rows=tuple(rows),
        x_range=(0.0, 1.0),
    )


def _confusion(round_: Round, others: Others) -> HeatMapFigure:
    readings, names = round_.readings, round_.crowd.label.names[:MOST_CLASSES_SHOWN]
    k = readings.classes
    cell = others.label[others.told] * k + readings.label[others.told]
    table = np.bincount(cell, minlength=k * k).reshape(k, k).astype(np.float64)
    whole = table.sum(axis=1)
    return HeatMapFigure(
        name="confusion of readers",
        title="What readers call each class",
        caption="Share of labels on tasks of a class (by the other readers) that name each "
        "class; off the diagonal stands what they confuse.",
        x_label="label given",
        y_label="class",
        columns=names,
        rows=names,
        values=tuple(
            tuple(
                float(table[i, j] / whole[i]) if whole[i] else None for j in range(len(names))
            )
            for i in range(len(names))
        ),
    )


def _measured(
    name: str, estimate: Estimate, subgroup: dict[str, str] | None = None
) -> Measurement:
    return Measurement(
        name=name,
        value=estimate.value,
        n=estimate.n,
        method=estimate.method,
        subgroup=subgroup,
        intervals=estimate.intervals,
        reason=estimate.reason,
    )


def _told_sites(paid: Reckoning) -> list[Spending]:
    """Return the named sites, where there are several."""
    named = [place for place in paid.by_site if place.site]
    return named if len(named) > 1 else []


def _costs(paid: Reckoning) -> list[Measurement]:
    unit = paid.currency or "currency unit"
    measured = [_cost(place, unit) for place in (paid.whole, *_told_sites(paid))]
    if paid.notes:
        said = " ".join((f"{measured[0].reason}.", *paid.notes))
        measured[0] = replace(measured[0], reason=said)
    if paid.fixed_cost is not None:
        measured.append(
            Measurement(
                name="saved_against_fixed",
                value=paid.saved,
                n=paid.whole.labels,
                method=COUNT,
                reason="a sum of what was paid has no interval",
            )
        )
    measured += [
        Measurement(
            name="same_round_cost_per_accepted_label",
            value=price.per_accepted,
            n=round(paid.whole.accepted),
            unit=unit,
            method=COUNT if price.rate_on is None else f"{COUNT}, rate of {price.rate_on}",
            subgroup={SITE: price.site},
            reason="a price has no interval; that readers there would agree as well is assumed",
        )
        for price in paid.elsewhere
    ]
    return measured


def _cost(place: Spending, unit: str) -> Measurement:
    reason = "a sum of what was paid has no interval"
    if place.cost is None:
        reason = "the cost of some label is not told"
    elif not place.accepted:
        reason = "no label was accepted"
    return Measurement(
        name="cost_per_accepted_label",
        value=place.per_accepted,
        n=round(place.accepted),
        unit=unit,
        method=COUNT,
        subgroup={SITE: place.site} if place.site else None,
        reason=reason,
    )
