"""Chiplet Actuary's printed results, its limits, and what a wrong question is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from titian.accelerator.packaging.assembly import assemble, rates
from titian.accelerator.packaging.dies import die_yield, gross_dies_per_wafer
from titian.accelerator.packaging.prices import FOUNDRIES, known_node
from titian.accelerator.packaging.quotation import quote
from titian.errors import InputError


@pytest.mark.parametrize(
    ("node", "share", "good", "packaged"),
    [("5nm", 0.43024, 671.592, 698.578), ("7nm", 0.49894, 318.602, 342.022)],
)
def test_a_die_of_800_mm2_costs_what_was_published(
    node: str, share: float, good: float, packaged: float
) -> None:
    found = quote(node, 800)
    assert float(found.assembly.die_yield) == pytest.approx(share, abs=5e-6)
    assert float(found.assembly.known_good_die_usd) == pytest.approx(good, abs=5e-4)
    assert float(found.assembly.packaged_usd) == pytest.approx(packaged, abs=5e-4)
    assert found.monolithic is not None
    assert found.saving == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("node", "integration", "packaged"),
    [
        ("5nm", "mcm", 383.61),
        ("5nm", "fanout", 448.13),
        ("5nm", "interposer", 551.46),
        ("7nm", "mcm", 223.38),
        ("7nm", "fanout", 277.85),
        ("7nm", "interposer", 352.54),
    ],
)
def test_five_chiplets_cost_what_was_published(
    node: str, integration: str, packaged: float
) -> None:
    found = quote(node, 800, chiplets=5, integration=integration)
    assert float(found.assembly.packaged_usd) == pytest.approx(packaged, abs=6e-3)


def test_micro_bumps_of_every_die_cost_more_than_published() -> None:
    found = quote("5nm", 800, chiplets=5, integration="fanout")
    # Four more dies of 176 mm2 at 0.01 USD per mm2, lost with the bonds they sit on.
    more = 4 * 176 * 0.01 / (0.98**5 * 0.99)
    assert found.every_die_usd - float(found.assembly.packaged_usd) == pytest.approx(more)


def test_parts_add_up_to_the_packaged_cost() -> None:
    cost = quote("7nm", 600, chiplets=4, integration="interposer").assembly
    parts = (
        cost.dies_usd
        + cost.defects_usd
        + cost.package_usd
        + cost.package_defects_usd
        + cost.wasted_usd
    )
    assert float(parts) == pytest.approx(float(cost.packaged_usd))


@given(
    area=st.floats(1, 400),
    density=st.floats(0, 1),
    more=st.floats(1.01, 2),
    node=st.just("7nm"),
)
def test_larger_dies_yield_less_and_cost_more(
    area: float, density: float, more: float, node: str
) -> None:
    now = rates("mcm", wafer_usd=FOUNDRIES[node].wafer_usd.value, defects_per_cm2=density)
    small, large = assemble(area, 1, rates=now), assemble(area * more, 1, rates=now)
    assert 0 < large.die_yield <= small.die_yield <= 1
    assert large.gross_dies_per_wafer < small.gross_dies_per_wafer
    assert large.known_good_die_usd > small.known_good_die_usd


def test_arrays_agree_with_single_areas() -> None:
    areas = np.array([50.0, 176.0, 800.0])
    assert gross_dies_per_wafer(areas).tolist() == [
        float(gross_dies_per_wafer(area)) for area in areas
    ]
    assert die_yield(areas, 0.1).tolist() == [float(die_yield(area, 0.1)) for area in areas]


def test_sensitivity_is_sorted_and_brackets_the_price() -> None:
    found = quote("5nm", 800, chiplets=5, integration="interposer")
    spans = [swing.high_usd - swing.low_usd for swing in found.sensitivity]
    assert spans == sorted(spans, reverse=True)
    price = float(found.assembly.packaged_usd)
    assert all(swing.low_usd <= price <= swing.high_usd for swing in found.sensitivity)
    assert len(found.sensitivity) == 5


def test_given_prices_carry_their_source() -> None:
    found = quote(
        "22nm", 100, wafer_usd=3000, defects_per_cm2=0.05, source="quotation, 2026-10-01"
    )
    assert found.wafer_usd.source == "quotation, 2026-10-01"
    assert found.wafer_usd.standing == "given"


@pytest.mark.parametrize("name", ["5", "N5", "n5", "5nm", " 5 NM "])
def test_a_node_is_known_by_its_usual_names(name: str) -> None:
    assert known_node(name) == "5nm"


def test_all_faults_of_a_question_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        quote("x", -3, chiplets=0, integration="glue", wafer_usd=-1, defects_per_cm2=-0.1)
    assert str(caught.value) == (
        "T-C002: the area (mm2) is -3; it must be a finite number above 0. Give another "
        "number.\n"
        "T-C002: the wafer price (USD) is -1; it must be a finite number above 0. Give another "
        "number.\n"
        "T-C002: the defect density (per cm2) is -0.1; it must be a finite number of 0 or "
        "more. Give another number.\n"
        "T-C003: 0 chiplets; a package holds 1 to 256. Give another number.\n"
        "T-C004: integration 'glue' is unknown; mcm, fanout, interposer exist. Name one of "
        "them."
    )


def test_an_unknown_node_needs_its_prices() -> None:
    with pytest.raises(InputError) as caught:
        quote("6nm", 100)
    assert str(caught.value) == (
        "T-C001: node '6nm' has no known price; known: 3nm, 5nm, 7nm, 10nm, 14nm, 20nm, 28nm, "
        "40nm, 55nm. Name one of these, or give both --wafer-price and --defect-density."
    )


def test_a_die_over_the_reticle_is_refused_with_the_chiplets_that_fit() -> None:
    with pytest.raises(InputError) as caught:
        quote("5nm", 1600)
    assert str(caught.value) == (
        "T-C005: a die of 1600 mm2 (1600 mm2 in 1) exceeds the reticle (26 x 33 mm = 858 mm2); "
        "no scanner exposes it at once. Cut it into chiplets: --chiplets 3 or more fit."
    )
    found = quote("5nm", 1600, chiplets=3)
    assert found.monolithic is None
    assert found.saving is None
    assert any("exceed the reticle" in note for note in found.notes)


def test_a_carrier_larger_than_a_wafer_is_refused() -> None:
    with pytest.raises(InputError, match="T-C006"):
        quote("5nm", 60000, chiplets=100, integration="interposer")


@pytest.mark.parametrize("area", [float("nan"), float("inf"), 0.0])
def test_areas_that_are_no_area_are_refused(area: float) -> None:
    with pytest.raises(InputError, match="T-C002"):
        quote("5nm", area)
