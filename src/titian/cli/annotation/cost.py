"""``titian annotation cost``: what an accepted label cost, and would cost elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.annotation.tables import step
from titian.cli.output import console, reserved_output, write_json
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from titian.annotation import Consensus, Crowd
    from titian.annotation.spending import Reckoning, Spending, Terms


def cost(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS",
            help="CSV or Parquet: task, worker, label; optional: site, seconds, cost.",
        ),
    ],
    pay: Annotated[
        list[str] | None,
        typer.Option(metavar="SITE=PAY", help="Such as 'Penang=20 MYR/hour +25%'; repeatable."),
    ] = None,
    exchange: Annotated[
        list[str] | None,
        typer.Option(metavar="RATE", help="Such as 'USD=4.4 MYR @ 2026-02-27'; repeatable."),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(metavar="NAME", help="Currency to reckon in.")
    ] = None,
    seconds: Annotated[
        list[str] | None,
        typer.Option(metavar="SITE=S", help="Seconds a label takes at a site; repeatable."),
    ] = None,
    confidence: Annotated[
        float, typer.Option(metavar="C", help="Accept a label from this confidence.")
    ] = 0.95,
    expert: Annotated[
        float | None,
        typer.Option(min=0, metavar="PRICE", help="Of an expert's decision on the others."),
    ] = None,
    fixed: Annotated[
        float | None,
        typer.Option(metavar="N", help="Labels a task of the fixed plan to compare with."),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="METHOD", help="Of titian annotation consensus.")
    ] = "auto",
    on: Annotated[
        str | None, typer.Option(metavar="DAY", help="Day of the reckoning; today if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the methods that draw.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what an accepted label cost at each site, and what the same round costs elsewhere.

    A label costs what its column cost says, else what its site pays: by the label, or by the
    hour for the seconds it took. Overhead is a share on top. A label is accepted where the
    consensus is sure enough; with --expert, an expert decides the others at that price and
    they are accepted too. Every exchange rate is yours, with its day.

    A site of --pay that gave no label is priced for the same number of labels and of
    accepted labels; that its workers would agree as well is assumed, not shown.

    \b
    Examples:
      titian annotation cost labels.csv --pay '=0.05 USD/label' --fixed 5
      titian annotation cost labels.csv --currency USD \\
        --pay 'Penang=20 MYR/hour +25%' --pay 'Boston=24 USD/hour +30%' \\
        --exchange 'USD=4.4 MYR @ 2026-02-27' --json
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.cli.annotation.terms import one_currency, read_day, read_pay, read_rates
    from titian.cli.progress import open_reporter

    _require_ranges(confidence, fixed)
    paid = read_pay(pay or [], seconds or [])
    with reserved_output(wanted=json), open_reporter(plain=json) as reporter:
        import numpy as np

        from titian.annotation import consensus_of, read_crowd
        from titian.annotation.spending import Terms

        terms = Terms(
            currency=one_currency(paid, currency),
            pay=paid,
            exchange=read_rates(exchange or []),
            on=_today() if on is None else read_day(on),
            expert_per_task=expert,
            fixed_labels_per_task=fixed,
        )
        with step(reporter, "read", 1, 2):
            crowd = read_crowd(labels)
            _require_prices(crowd, terms)
        with step(reporter, "consensus", 2, 2):
            rng = np.random.default_rng(seed)
            found = consensus_of(crowd.votes(), method=method, rng=rng)
        reckoned = reckon_crowd(crowd, found, confidence=confidence, terms=terms)
    document = cost_document(crowd, found, reckoned, confidence=confidence, terms=terms)
    if json:
        write_json(document)
    else:
        _print(document)


def reckon_crowd(
    crowd: Crowd, found: Consensus, *, confidence: float, terms: Terms
) -> Reckoning:
    """Reckon what the labels of a crowd cost; a blank site is a site that is not told."""
    import numpy as np

    from titian.annotation.spending import reckon

    site = crowd.text.get("site")
    where = None
    if site is not None:
        blank = np.asarray([not name.strip() for name in site.names])
        where = np.where(blank[site.code], -1, site.code).astype(np.int64)
    return reckon(
        crowd.task.code.astype(np.int64),
        found.confidence >= confidence,
        terms=terms,
        site=where,
        sites=() if site is None else site.names,
        cost=crowd.numbers.get("cost"),
        seconds=crowd.numbers.get("seconds"),
    )


def cost_document(
    crowd: Crowd, found: Consensus, reckoned: Reckoning, *, confidence: float, terms: Terms
) -> dict[str, Any]:
    """Return what ``--json`` prints; an amount that is unknown is null."""
    return {
        "currency": reckoned.currency,
        "on": terms.on.isoformat(),
        "method": found.method,
        "confidence": confidence,
        "tasks": len(crowd.task.names),
        **_row(reckoned.whole),
        "fixed_labels_per_task": terms.fixed_labels_per_task,
        "fixed_total": reckoned.fixed_cost,
        "saved": reckoned.saved,
        "by_site": [{"site": place.site, **_row(place)} for place in reckoned.by_site],
        "same_round": [
            {
                "site": price.site,
                "labels": price.labels,
                "seconds_per_label": price.seconds_per_label,
                "per_label": price.per_label,
                "total": price.total,
                "per_accepted": price.per_accepted,
                "saved": price.saved,
                "rate_on": None if price.rate_on is None else price.rate_on.isoformat(),
                "notes": list(price.notes),
            }
            for price in reckoned.elsewhere
        ],
        "notes": [*crowd.notes, *found.notes, *reckoned.notes],
    }


def _row(place: Spending) -> dict[str, Any]:
    return {
        "labels": place.labels,
        "accepted": place.accepted,
        "escalated": place.escalated,
        "seconds_per_label": place.seconds_per_label,
        "unknown": place.unknown,
        "experts": place.experts,
        "total": place.cost,
        "per_label": place.per_label,
        "per_accepted": place.per_accepted,
    }


def _require_ranges(confidence: float, fixed: float | None) -> None:
    """Refuse numbers out of their range.

    Raises:
        InputError: T-A406.
    """
    problems = []
    if not 0.5 < confidence < 1.0:
        problems.append(("--confidence", confidence, "it lies between 0.5 and 1"))
    if fixed is not None and not 0.0 < fixed < float("inf"):
        problems.append(("--fixed", fixed, "labels a task are a number above 0"))
    if problems:
        raise InputError(
            *(
                Problem(
                    code="T-A406",
                    message=f"{option} is {value:g}; {rule}.",
                    remedy="Correct the number.",
                )
                for option, value, rule in problems
            )
        )


def _require_prices(crowd: Crowd, terms: Terms) -> None:
    """Refuse labels that nobody can price.

    Raises:
        InputError: T-A407.
    """
    if terms.pay or "cost" in crowd.numbers:
        return
    sites = crowd.text.get("site")
    site = next((name for name in sites.names if name.strip()), "") if sites else ""
    raise InputError(
        Problem(
            code="T-A407",
            message=f"{crowd.name} has no column cost, and no --pay says what a label costs.",
            remedy=f"Say it, for example --pay '{site}=0.05 USD/label' or "
            f"--pay '{site}=20 MYR/hour' with a column seconds.",
        )
    )


def _today() -> Any:  # noqa: ANN401 - a date; the module imports nothing heavy
    from datetime import UTC, datetime

    return datetime.now(tz=UTC).date()  # noqa: TID251 - the shell reads the clock


def _print(document: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    unit = document["currency"] or "(no currency named)"
    out = console()
    whole = document["total"]
    lines = [
        f"{document['labels']:,} labels of {document['tasks']:,} tasks; "
        f"{document['accepted']:,.0f} accepted, {document['escalated']:,.0f} less sure than "
        f"{document['confidence']:g}.",
        "What they cost is not known."
        if whole is None
        else f"{whole:,.2f} {unit}: {_money(document['per_label'])} a label, "
        f"{_money(document['per_accepted'])} an accepted label.",
    ]
    if document["experts"]:
        lines.append(f"Of this, {document['experts']:,.2f} {unit} are an expert's decisions.")
    if document["fixed_total"] is not None:
        lines.append(
            f"{document['fixed_labels_per_task']:g} labels a task would have cost "
            f"{document['fixed_total']:,.2f} {unit}: {document['saved']:.1%} saved."
        )
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
    for heading, rows in (
        ("site", document["by_site"]),
        ("the same round at", document["same_round"]),
    ):
        if not rows:
            continue
        table = Table(box=None, pad_edge=False)
        table.add_column(heading)
        for name in ("labels", "seconds a label", "total", "a label", "an accepted label"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in rows:
            time = row["seconds_per_label"]
            table.add_row(
                Text(row["site"] or "(not told)"),
                f"{row['labels']:,.0f}",
                "-" if time is None else f"{time:.1f}",
                "-" if row["total"] is None else f"{row['total']:,.2f}",
                _money(row["per_label"]),
                _money(row["per_accepted"]),
            )
        out.print()
        out.print(table)
    rates = [
        f"{row['site']}: exchange rate of {row['rate_on']}."
        for row in document["same_round"]
        if row["rate_on"] is not None
    ]
    for line in rates:
        out.print(line, markup=False, soft_wrap=True)
    for note in document["notes"]:
        out.print(f"Note: {note}", markup=False, soft_wrap=True)


def _money(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.4f}"
