"""What is paid, as it is written on a command line: pay, exchange rates, days."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final

from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from titian.annotation.cost import Exchange, Pay

_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
_PAY: Final = re.compile(
    rf"(?P<site>.*)=\s*(?P<amount>{_NUMBER})\s*(?P<currency>[^\s\d/+.]*)\s*/\s*"
    rf"(?P<unit>label|hour)\s*(?:\+\s*(?P<overhead>{_NUMBER})\s*%)?\s*",
    re.DOTALL,
)
_RATE: Final = re.compile(
    rf"\s*(?P<currency>[^\s\d=]+)\s*=\s*(?P<rate>{_NUMBER})\s*(?P<into>[^\s\d@.]+)\s*"
    r"@\s*(?P<on>\S+)\s*"
)
_SECONDS: Final = re.compile(rf"(?P<site>.*)=\s*(?P<seconds>{_NUMBER})\s*s?\s*", re.DOTALL)


def read_pay(given: Sequence[str], seconds: Sequence[str]) -> tuple[Pay, ...]:
    """Return what each site pays.

    Args:
        given: such as ``Penang=20 MYR/hour +25%``; a pay before whose ``=`` nothing stands
            is everybody else's.
        seconds: such as ``Penang=27``: seconds per label at a site.

    Raises:
        InputError: T-A403, T-A405 an entry that is not so written, T-A401 a site twice.
    """
    from titian.annotation.block import twice_problems
    from titian.annotation.cost import Pay

    problems, found = [], []
    for entry in given:
        match = _PAY.fullmatch(entry)
        if match is None:
            problems.append(
                Problem(
                    code="T-A403",
                    message=f"--pay {entry!r} is not SITE=AMOUNT CURRENCY/label or "
                    "SITE=AMOUNT CURRENCY/hour, with +N% where there is overhead.",
                    remedy="Write for example --pay 'Penang=20 MYR/hour +25%', or --pay "
                    "'=0.4 USD/label' for every site.",
                )
            )
            continue
        amount = float(match["amount"])
        by_label = match["unit"] == "label"
        found.append(
            Pay(
                site=match["site"],
                currency=match["currency"],
                per_label=amount if by_label else None,
                per_hour=None if by_label else amount,
                overhead=float(match["overhead"] or 0.0) / 100.0,
            )
        )
    pay = tuple(found)
    problems += twice_problems(pay, "--pay")
    for entry in seconds:
        timed = _SECONDS.fullmatch(entry)
        site = "" if timed is None else timed["site"]
        if timed is None or not any(one.site == site for one in pay):
            problems.append(
                Problem(
                    code="T-A405",
                    message=f"--seconds {entry!r} is not SITE=NUMBER with a site of --pay.",
                    remedy="Write for example --seconds Penang=27, beside --pay 'Penang=...'.",
                )
            )
            continue
        pay = tuple(
            replace(one, seconds_per_label=float(timed["seconds"])) if one.site == site else one
            for one in pay
        )
    if problems:
        raise InputError(*problems)
    return pay


def read_rates(given: Sequence[str]) -> tuple[Exchange, ...]:
    """Return dated rates, such as ``USD=4.4 MYR @ 2026-02-27``.

    Raises:
        InputError: T-A404, a rate that is not so written or has no day.
    """
    from titian.annotation.block import is_day
    from titian.annotation.cost import Exchange

    problems, found = [], []
    for entry in given:
        match = _RATE.fullmatch(entry)
        if match is None or not is_day(match["on"]):
            problems.append(
                Problem(
                    code="T-A404",
                    message=f"--exchange {entry!r} is not CURRENCY=NUMBER CURRENCY @ DAY; a "
                    "rate has the day it is of.",
                    remedy="Write for example --exchange 'USD=4.4 MYR @ 2026-02-27'.",
                )
            )
            continue
        found.append(
            Exchange(
                currency=match["currency"],
                into=match["into"],
                rate=float(match["rate"]),
                on=date.fromisoformat(match["on"]),
            )
        )
    if problems:
        raise InputError(*problems)
    return tuple(found)


def read_day(given: str) -> date:
    """Return a day.

    Raises:
        InputError: T-A400, it is none.
    """
    from titian.annotation.block import is_day

    if not is_day(given):
        raise InputError(
            Problem(
                code="T-A400",
                message=f"--on is {given!r}; a day is written as in 2026-02-27.",
                remedy="Write the year, the month and the day.",
            )
        )
    return date.fromisoformat(given)


def one_currency(pay: Sequence[Pay], named: str | None) -> str:
    """Return the currency to reckon in: the one named, or the only one that is paid in.

    Raises:
        InputError: T-A402, sites pay in several currencies and none is named.
    """
    used = list(dict.fromkeys(one.currency for one in pay if one.currency))
    if named is not None or len(used) <= 1:
        return (used[0] if used else "") if named is None else named
    raise InputError(
        Problem(
            code="T-A402",
            message=f"--currency is missing, and sites pay in {', '.join(used)}.",
            remedy=f"Say in which one to reckon, for example --currency {used[0]}.",
        )
    )
