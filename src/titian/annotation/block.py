"""The ``annotate`` block of `titian.yaml`: what may be asked for, and what is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from datetime import date

import numpy as np

from titian.annotation.consensus import METHODS
from titian.annotation.cost import Exchange, Pay, pay_problems, rate_problems
from titian.annotation.qualification import GOOD
from titian.annotation.spending import LONG_AGO, Terms
from titian.errors import InputError, Problem
from titian.values import Project

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedRate:
    """An exchange rate as a file holds it; see `titian.annotation.cost.Exchange`.

    Attributes:
        currency: the currency that is changed.
        into: the currency it is changed into.
        rate: units of `into` for one of `currency`.
        on: the day of the rate, such as 2026-02-27.
    """

    currency: str
    into: str
    rate: float
    on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateBlock:
    """The ``annotate`` block.

    Attributes:
        labels: CSV or Parquet of raw labels, relative to the data folder: task, worker,
            label, and optionally site, seconds, cost, time.
        task: column of the table that names tasks; the image column where it is left out.
        method: how labels are brought together; ``auto`` chooses and says why.
        confidence: a label below it is escalated, in (0.5, 1).
        gold: CSV or Parquet of known labels (task, label), for the report alone.
        good_reader: accuracy on gold from which a reader must not be stopped, in (0, 1).
        currency: of all costs, such as USD.
        pay_per_label: what one label costs, in `currency`, at a site that `pay` leaves out.
        pay: what each site pays, by the label or by the hour.
        exchange: dated exchange rates between currencies.
        priced_on: the day of the reckoning, such as 2026-03-02; rates of later days do not
            count. The day of the newest rate where it is left out.
        fixed_labels_per_task: of the plan that the cost is compared with.
        expert_per_task: what an expert's decision on an escalated task costs.
    """

    labels: str
    task: str | None = None
    method: str = "auto"
    confidence: float = CONFIDENCE
    gold: str | None = None
    good_reader: float = GOOD
    currency: str = ""
    pay_per_label: float | None = None
    pay: tuple[Pay, ...] = ()
    exchange: tuple[DatedRate, ...] = ()
    priced_on: str | None = None
    fixed_labels_per_task: float | None = None
    expert_per_task: float | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """What it names in the data folder."""
        return (self.labels,) if self.gold is None else (self.labels, self.gold)

    @property
    def terms(self) -> Terms:
        """What is paid; call `configure` first, which refuses days that are none."""
        pay = self.pay
        if self.pay_per_label is not None:
            pay = (*pay, Pay(per_label=self.pay_per_label))
        rates = tuple(
            Exchange(
                currency=one.currency,
                into=one.into,
                rate=one.rate,
                on=date.fromisoformat(one.on),
            )
            for one in self.exchange
        )
        newest = max((one.on for one in rates), default=LONG_AGO)
        return Terms(
            currency=self.currency,
            pay=pay,
            exchange=rates,
            on=newest if self.priced_on is None else date.fromisoformat(self.priced_on),
            expert_per_task=self.expert_per_task,
            fixed_labels_per_task=self.fixed_labels_per_task,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateSettings(AnnotateBlock):
    """What the stage depends on besides the data; other attributes as in `AnnotateBlock`.

    Attributes:
        table: the project's table.
        class_column: its label column, which names the class in a subgroup.
        subject: its column of subjects, or None.
        alpha: one minus the coverage of the intervals.
    """

    table: str
    class_column: str
    subject: str | None
    alpha: float


def configure(project: Project) -> AnnotateSettings | None:
    """Return the settings, or None when the project has no ``annotate`` block.

    Raises:
        InputError: T-A352 no column names tasks, T-A354 a value out of its range, T-A356 an
            unknown method, T-A230 to T-A232 and T-A400 to T-A402 what is paid; all found are
            raised together.
    """
    block = project.blocks.get("annotate")
    if block is None:
        return None
    if not isinstance(block, AnnotateBlock):
        raise TypeError(f"block 'annotate' is a {type(block).__name__}")
    task = block.task or project.data.image
    problems = [*_problems(block, task), *_pay_problems(block)]
    if problems:
        raise InputError(*problems)
    given = {field.name: getattr(block, field.name) for field in fields(AnnotateBlock)}
    return AnnotateSettings(
        **(given | {"task": task}),
        table=project.data.table,
        class_column=project.data.label,
        subject=project.data.subject,
        alpha=project.alpha,
    )


def _problems(block: AnnotateBlock, task: str | None) -> list[Problem]:
    problems = []
    if task is None:
        problems.append(
            Problem(
                code="T-A352",
                message="$.annotate.task is missing and the data have no images; a column of "
                "the table says which task each label is about.",
                remedy="Name it, for example task: record_id.",
            )
        )
    if not 0.5 < block.confidence < 1.0:
        problems.append(
            _out_of_range(
                "confidence",
                block.confidence,
                "it lies between 0.5 and 1, both excluded",
                f"Leave it out for {CONFIDENCE:g}.",
            )
        )
    if not 0.0 < block.good_reader < 1.0:
        problems.append(
            _out_of_range(
                "good_reader",
                block.good_reader,
                "it lies between 0 and 1, both excluded",
                f"Leave it out for {GOOD:g}.",
            )
        )
    methods = [name for name in METHODS if name != "crowdlab"]
    if block.method not in methods:
        problems.append(
            Problem(
                code="T-A356",
                message=f"$.annotate.method is {block.method!r}; here the methods are "
                f"{', '.join(methods)}.",
                remedy="Leave it out for auto.",
            )
        )
    return problems


def _pay_problems(block: AnnotateBlock) -> list[Problem]:
    problems: list[Problem] = []
    for name, value, remedy in (
        ("pay_per_label", block.pay_per_label, "Give the pay for one label, such as 0.12."),
        ("expert_per_task", block.expert_per_task, "Give the price of one decision."),
    ):
        if value is not None and not 0.0 <= value < np.inf:
            problems.append(_out_of_range(name, value, "pay is a number of at least 0", remedy))
    fixed = block.fixed_labels_per_task
    if fixed is not None and not 0.0 < fixed < np.inf:
        problems.append(
            _out_of_range(
                "fixed_labels_per_task",
                fixed,
                "labels a task are a number above 0",
                "Give the labels a task of the plan to compare with, such as 5.",
            )
        )
    for one in block.pay:
        problems += pay_problems(one)
    days = [f"$.annotate.exchange[{i}].on" for i in range(len(block.exchange))]
    dated = zip(days, (one.on for one in block.exchange), strict=True)
    wrong = [(place, day) for place, day in dated if not is_day(day)]
    if block.priced_on is not None and not is_day(block.priced_on):
        wrong.append(("$.annotate.priced_on", block.priced_on))
    problems += [
        Problem(
            code="T-A400",
            message=f"{place} is {day!r}; a day is written as in 2026-02-27.",
            remedy="Write the year, the month and the day.",
        )
        for place, day in wrong
    ]
    if not wrong:
        problems += rate_problems(block.terms.exchange)
    return problems + twice_problems(block.pay, "$.annotate.pay") + _currency_problems(block)


def _currency_problems(block: AnnotateBlock) -> list[Problem]:
    if block.currency or not any(one.currency for one in block.pay):
        return []
    return [
        Problem(
            code="T-A402",
            message="$.annotate.currency is missing, and sites pay in currencies of their own.",
            remedy="Say in which currency to reckon, for example currency: USD.",
        )
    ]


def twice_problems(pay: tuple[Pay, ...], where: str) -> list[Problem]:
    """Say which sites have more than one pay: T-A401."""
    times = Counter(one.site for one in pay)
    return [
        Problem(
            code="T-A401",
            message=f"{where} says {count} times what site {name!r} pays; a site pays in one "
            "way.",
            remedy="Keep one of them.",
        )
        for name, count in times.items()
        if count > 1
    ]


def is_day(text: str) -> bool:
    """Say whether a text is a day of ISO 8601, such as 2026-02-27."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2026-02-27")


def _out_of_range(name: str, value: float, rule: str, remedy: str) -> Problem:
    return Problem(
        code="T-A354", message=f"$.annotate.{name} is {value:g}; {rule}.", remedy=remedy
    )
