"""Planned studies have the power that was asked for, by the tool's own intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from titian import statistics
from titian.validation.planning.design import Design
from titian.validation.planning.study import Plan, plan


def share_study(found: Plan, rng: np.random.Generator) -> bool:
    design = found.design
    m, icc = design.cases_per_subject, design.icc
    chosen = np.repeat(rng.random(found.subjects) < design.prevalence, m)
    if icc > 0:
        total = 1 / icc - 1
        chance = rng.beta(design.expect * total, (1 - design.expect) * total, found.subjects)
    else:
        chance = np.full(found.subjects, design.expect)
    right = rng.random(found.cases) < np.repeat(chance, m)
    subject = np.repeat(np.arange(found.subjects), m)
    share = statistics.proportion(right[chosen], subject[chosen], alphas=(design.alpha,))
    return share.intervals[0].low >= design.at_least


def auc_study(found: Plan, rng: np.random.Generator) -> bool:
    design = found.design
    label = rng.random(found.cases) < design.prevalence
    score = rng.standard_normal(found.cases) + np.sqrt(2) * norm.ppf(design.expect) * label
    area = statistics.auc(score, label, None, alphas=(design.alpha,))
    return area.intervals[0].low >= design.at_least


def reached(study, found: Plan, studies: int) -> float:
    rng = np.random.default_rng(12)
    return float(np.mean([study(found, rng) for _ in range(studies)]))


SHARES = [
    Design(measure="sensitivity", expect=0.9, at_least=0.8, prevalence=0.3),
    Design(measure="sensitivity", expect=0.98, at_least=0.9, prevalence=0.1, power=0.8),
    Design(
        measure="sensitivity", expect=0.9, at_least=0.8, prevalence=0.5, cases_per_subject=4,
        icc=0.5,
    ),
    Design(
        measure="sensitivity", expect=0.97, at_least=0.85, prevalence=0.3, cases_per_subject=2,
        icc=0.2, power=0.8,
    ),
]  # fmt: skip


@pytest.mark.parametrize("design", SHARES, ids=range(len(SHARES)))
def test_planned_shares_reach_their_power(design: Design) -> None:
    found = plan(design, rng=np.random.default_rng(1))
    share = reached(share_study, found, 1_500)
    assert share == pytest.approx(found.power, abs=3 * (0.16 / 1_500) ** 0.5)
    assert share >= design.power - 3 * (0.16 / 1_500) ** 0.5


@pytest.mark.slow
def test_a_planned_auc_reaches_its_power() -> None:
    design = Design(measure="auc", expect=0.9, at_least=0.8, prevalence=0.3)
    found = plan(design, rng=np.random.default_rng(1))
    assert reached(auc_study, found, 3_000) == pytest.approx(0.9, abs=0.02)
