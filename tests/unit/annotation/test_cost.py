"""What labels cost, by hand."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from titian.annotation.cost import Exchange, Pay, Plan, price_at_sites, spent
from titian.errors import InputError

TODAY = date(2026, 3, 1)
PLAN = Plan(
    tasks=1_000,
    labels_per_task=3.0,
    seconds_per_label=30.0,
    accepted=0.95,
    gold=0.1,
    escalated=0.05,
    expert_per_task=2.0,
    fixed_labels_per_task=5.0,
)
PENANG = Pay(site="Penang", currency="MYR", per_hour=18.0, overhead=0.2)
BOSTON = Pay(site="Boston", currency="USD", per_label=0.25)
RATES = (
    Exchange(currency="USD", into="MYR", rate=4.0, on=date(2026, 1, 1)),
    Exchange(currency="USD", into="MYR", rate=4.5, on=date(2026, 2, 20)),
    Exchange(currency="USD", into="MYR", rate=9.0, on=date(2026, 4, 1)),  # after today
)


def refusal(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_one_plan_is_priced_at_each_site_by_hand():
    penang, boston = price_at_sites(
        PLAN, [BOSTON, PENANG], currency="USD", today=TODAY, exchange=RATES
    )
    # 18 MYR an hour, 30 s, 20 % on top: 0.18 MYR, at 4.5 is 0.04 USD. 3,000 labels are 90 %.
    assert penang.site == "Penang"
    assert penang.per_label == pytest.approx(0.04)
    assert penang.labels == pytest.approx(3_000 / 0.9)
    assert penang.total == pytest.approx(3_000 / 0.9 * 0.04 + 50 * 2.0)
    assert penang.per_accepted == pytest.approx(penang.total / 950)
    assert penang.fixed_total == pytest.approx(5_000 / 0.9 * 0.04)
    assert penang.saved == pytest.approx(1 - penang.total / penang.fixed_total)
    assert penang.rate_on == date(2026, 2, 20)
    assert boston.total == pytest.approx(3_000 / 0.9 * 0.25 + 100.0)
    assert boston.rate_on is None
    assert boston.notes == ()


def test_an_old_rate_is_named():
    (penang,) = price_at_sites(PLAN, [PENANG], currency="USD", today=TODAY, exchange=RATES[:1])
    assert penang.notes == ("The rate from MYR to USD is of 2026-01-01, 59 days old.",)


def test_a_plan_without_a_fixed_one_saves_nothing_that_is_known():
    (boston,) = price_at_sites(
        replace(PLAN, fixed_labels_per_task=None), [BOSTON], currency="USD", today=TODAY
    )
    assert (boston.fixed_total, boston.saved) == (None, None)


def test_bad_plans_pay_and_rates_are_refused_together():
    plan = replace(PLAN, accepted=0.0, gold=1.0, seconds_per_label=None)
    pay = [PENANG, Pay(site="Oslo", currency="NOK", per_label=1.0, per_hour=2.0, overhead=-1)]
    rate = Exchange(currency="MYR", into="USD", rate=-1.0, on=TODAY)
    assert refusal(
        lambda: price_at_sites(plan, pay, currency="USD", today=TODAY, exchange=[rate])
    ) == (
        "T-A230: accepted is 0; it is above 0 and at most 1. Correct the number.\n"
        "T-A230: gold is 1; it is at least 0 and below 1. Correct the number.\n"
        "T-A233: site 'Penang' pays by the hour, and neither it nor the plan says how many "
        "seconds a label takes. Give them (seconds_per_label, --seconds), measured in a "
        "pilot.\n"
        "T-A231: site 'Oslo' has per_label 1.0 and per_hour 2.0; exactly one of them is given. "
        "Say how the site pays.\n"
        "T-A230: overhead of site 'Oslo' is -1; it is at least 0. Correct the number.\n"
        "T-A233: site 'Oslo' pays by the hour, and neither it nor the plan says how many "
        "seconds a label takes. Give them (seconds_per_label, --seconds), measured in a "
        "pilot.\n"
        "T-A230: the rate MYR to USD is -1; it is above 0. Correct the number.\n"
        "T-A232: site 'Penang' pays in MYR, and there is no rate from MYR to USD dated "
        "2026-03-01 or before. Give the rate with its day.\n"
        "T-A232: site 'Oslo' pays in NOK, and there is no rate from NOK to USD dated "
        "2026-03-01 or before. Give the rate with its day."
    )


def test_what_was_spent_adds_up_by_site():
    found = spent(
        site=[0, 0, 0, 1, 1],
        sites=("Penang", "Boston"),
        pay=[PENANG, BOSTON],
        accepted=2,
        currency="USD",
        today=TODAY,
        exchange=RATES,
        cost=[0.45, np.nan, np.nan, np.nan, 0.5],
        seconds=[np.nan, 60.0, 30.0, 9.0, 9.0],
    )
    # Penang: 0.45, 0.30 and 0.15 MYR, with 20 % on top, at 4.5; Boston: 0.25 and 0.50 USD.
    assert found.by_site["Penang"] == pytest.approx(0.90 * 1.2 / 4.5)
    assert found.by_site["Boston"] == pytest.approx(0.75)
    assert found.total == pytest.approx(0.99)
    assert found.per_accepted == pytest.approx(0.495)
    assert found.per_label == pytest.approx(0.198)
    assert (found.labels, found.unknown, found.notes) == (5, 0, ())


def test_unknown_costs_are_counted_and_leave_the_cost_per_accepted_label_unknown():
    found = spent(
        site=[0, 1],
        sites=("Penang", "Boston"),
        pay=[PENANG, BOSTON],
        accepted=1,
        currency="MYR",
        today=TODAY,
        exchange=RATES,
    )
    assert (found.unknown, found.per_accepted) == (1, None)
    assert found.total == pytest.approx(0.25 * 4.5)
    assert found.notes == ("1 of 2 labels have no known cost and are left out.",)


def test_sites_without_pay_are_refused():
    call = {"sites": ("Oslo",), "pay": [], "accepted": 1, "currency": "USD", "today": TODAY}
    assert refusal(lambda: spent(site=[0], **call)) == (
        "T-A234: there are labels of site 'Oslo', whose pay is not given. Give its pay."
    )
