"""What a round came to in money, by hand."""

from datetime import date

import numpy as np
import pytest

from titian.annotation.cost import Exchange, Pay
from titian.annotation.spending import Terms, reckon
from titian.errors import InputError

TODAY = date(2026, 3, 1)
TASK = np.array([0, 0, 1, 1, 2, 2, 2])
SITE = np.array([0, 1, 0, 1, 0, 1, 1])
SITES = ("Penang", "Boston")
ACCEPTED = np.array([True, True, False])
SECONDS = np.array([30.0, 10.0, 30.0, 10.0, np.nan, 10.0, 10.0])
TERMS = Terms(
    currency="USD",
    pay=(
        Pay(site="Penang", currency="MYR", per_hour=18.0, overhead=0.2),
        Pay(site="Boston", currency="USD", per_label=0.25),
        Pay(site="Oslo", currency="USD", per_hour=36.0),
    ),
    exchange=(Exchange(currency="USD", into="MYR", rate=4.5, on=date(2026, 2, 20)),),
    on=TODAY,
    fixed_labels_per_task=5.0,
)


def test_a_round_is_reckoned_by_site_and_priced_elsewhere_by_hand():
    found = reckon(TASK, ACCEPTED, terms=TERMS, site=SITE, sites=SITES, seconds=SECONDS)
    # Penang: 30 s at 18 MYR an hour and 20 % on top are 0.18 MYR or 0.04 USD.
    penang, boston = found.by_site
    assert (penang.site, penang.labels, penang.cost) == ("Penang", 3, pytest.approx(0.12))
    assert (boston.site, boston.labels, boston.cost) == ("Boston", 4, pytest.approx(1.0))
    assert penang.accepted == pytest.approx(1.0)
    assert boston.accepted == pytest.approx(1.0)
    assert found.whole.accepted == pytest.approx(2.0)
    assert found.whole.cost == pytest.approx(1.12)
    assert found.whole.per_accepted == pytest.approx(0.56)
    assert found.fixed_cost == pytest.approx(3 * 5 * 1.12 / 7)
    assert found.saved == pytest.approx(1 - 7 / 15)
    # Everywhere 7 labels and 2 accepted ones. Oslo has no times: the round's mean, 100/6 s.
    at = {price.site: price for price in found.elsewhere}
    assert [price.site for price in found.elsewhere] == ["Penang", "Oslo", "Boston"]
    assert at["Penang"].per_accepted == pytest.approx(7 * 0.04 / 2)
    assert at["Boston"].per_accepted == pytest.approx(7 * 0.25 / 2)
    assert at["Oslo"].per_accepted == pytest.approx(7 * 36 * 100 / 6 / 3600 / 2)
    assert found.notes == (
        "1 of 3 labels at site Penang tell no seconds: the mean of the others, 30.0 s, is "
        "taken.",
    )


def test_an_experts_decisions_are_paid_and_accepted():
    terms = Terms(currency="USD", pay=(Pay(per_label=0.1),), expert_per_task=2.0)
    found = reckon(TASK, ACCEPTED, terms=terms)
    assert found.whole.cost == pytest.approx(0.7 + 2.0)
    assert found.whole.experts == pytest.approx(2.0)
    assert found.whole.per_label == pytest.approx(0.1)
    assert found.whole.per_accepted == pytest.approx(2.7 / 3)
    assert (found.by_site, found.elsewhere, found.saved) == ((), (), None)


def test_the_sites_add_up_to_the_whole():
    terms = Terms(currency="USD", pay=(Pay(per_label=0.1),), expert_per_task=2.0)
    found = reckon(TASK, ACCEPTED, terms=terms, site=SITE, sites=SITES)
    for name in ("labels", "accepted", "escalated", "cost", "experts"):
        parts = [getattr(place, name) for place in found.by_site]
        assert sum(parts) == pytest.approx(getattr(found.whole, name))
    # Everybody else's pay is that of each site.
    assert [price.site for price in found.elsewhere] == ["Boston", "Penang"]


def test_labels_that_nobody_prices_are_unknown_and_counted():
    unknown = reckon(TASK, ACCEPTED, terms=Terms())
    assert (unknown.whole.cost, unknown.whole.per_accepted) == (None, None)
    where = np.where(SITE == 0, -1, SITE)
    found = reckon(TASK, ACCEPTED, terms=TERMS, site=where, sites=SITES, seconds=SECONDS)
    assert [place.site for place in found.by_site] == ["", "Boston"]
    assert found.by_site[0].cost is None
    assert found.by_site[1].cost == pytest.approx(1.0)
    assert (
        "3 of 7 labels name no site, and no pay is given for them: what they cost is unknown."
    ) in found.notes
    hours = Terms(currency="USD", pay=(Pay(per_hour=9.0),))
    assert reckon(TASK, ACCEPTED, terms=hours).notes == (
        "7 of 7 labels are paid by the hour and tell no seconds, nor does any other there: "
        "what they cost is unknown.",
    )


def test_a_sites_own_costs_stand_without_a_pay_for_it():
    cost = np.where(SITE == 0, 0.5, np.nan)
    terms = Terms(currency="USD", pay=(Pay(site="Boston", per_label=0.25),))
    found = reckon(TASK, ACCEPTED, terms=terms, site=SITE, sites=SITES, cost=cost)
    assert found.whole.cost == pytest.approx(3 * 0.5 + 4 * 0.25)
    terms = Terms(currency="USD", pay=(Pay(site="Penang", per_label=0.25),))
    with pytest.raises(InputError) as refused:
        reckon(TASK, ACCEPTED, terms=terms, site=SITE, sites=SITES, cost=cost)
    assert str(refused.value) == (
        "T-A234: there are labels of site 'Boston', whose pay is not given. Give its pay."
    )


def test_a_round_without_an_accepted_label_has_no_price_of_one():
    found = reckon(
        TASK, np.zeros(3, dtype=bool), terms=TERMS, site=SITE, sites=SITES, seconds=SECONDS
    )
    assert (found.whole.per_accepted, found.elsewhere) == (None, ())
    assert found.whole.cost == pytest.approx(1.12)
