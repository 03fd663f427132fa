import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from titian.statistics import holm, proportion_difference
from titian.statistics.comparison import fisher_exact


def test_holm_of_a_hand_worked_case():
    # Sorted 0.01 0.02 0.03 0.04 times 4 3 2 1, made monotone.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p_values):
    adjusted = holm(p_values)
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


def test_a_difference_is_never_surer_than_fisher():
    from scipy.stats import fisher_exact

    success = np.array([True] * 30 + [False] * 2 + [True] * 1 + [False] * 2)
    member = np.arange(35) >= 32
    found = proportion_difference(success, member, None)
    assert (found.group, found.rest) == (pytest.approx(1 / 3), 30 / 32)
    assert found.p_value >= fisher_exact([[1, 2], [30, 2]]).pvalue


@pytest.mark.parametrize("member", [np.zeros(6, bool), np.ones(6, bool)])
def test_an_empty_side_is_no_evidence(member):
    assert proportion_difference(np.arange(6) < 3, member, None).p_value == 1.0


def test_nothing_that_varies_is_no_evidence():
    assert proportion_difference(np.ones(6, bool), np.arange(6) < 3, None).p_value == 1.0


def test_copies_of_a_case_are_no_further_evidence():
    rng = np.random.default_rng(4)
    member = np.arange(80) < 30
    success = rng.random(80) < np.where(member, 0.55, 0.8)
    alone = proportion_difference(success, member, None).p_value
    subject = np.repeat(np.arange(80), 5)
    copied = proportion_difference(np.repeat(success, 5), np.repeat(member, 5), subject).p_value
    ignored = proportion_difference(np.repeat(success, 5), np.repeat(member, 5), None).p_value
    assert copied == pytest.approx(alone, rel=0.6)
    assert ignored < alone / 10


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("per_subject", [1, 4])
def test_honest_groups_are_seldom_accused(share, per_subject):
    """False alarms at 5 %, with subjects of one mind: at most 5 % within the noise."""
    rng = np.random.default_rng(31)
    runs, subjects = 300, 60
    alarms = 0
    for _ in range(runs):
        success = np.repeat(rng.random(subjects) < share, per_subject)
        member = np.repeat(rng.random(subjects) < 0.2, per_subject)
        subject = np.repeat(np.arange(subjects), per_subject)
        alarms += proportion_difference(success, member, subject).p_value < 0.05
    assert alarms / runs <= 0.05 + 3 * np.sqrt(0.05 / runs)


def test_ignoring_subjects_would_accuse_honest_groups():
    """The red side: the same groups, cases taken as independent."""
    rng = np.random.default_rng(31)
    alarms = 0
    for _ in range(300):
        success = np.repeat(rng.random(60) < 0.5, 4)
        member = np.repeat(rng.random(60) < 0.2, 4)
        alarms += proportion_difference(success, member, None).p_value < 0.05
    assert alarms / 300 > 0.2


@given(st.lists(st.integers(0, 400), min_size=4, max_size=4))
def test_fishers_p_value_is_scipys(counts: list[int]) -> None:
    from scipy.stats import fisher_exact as peer

    table = np.array(counts, dtype=np.int64).reshape(2, 2)
    assert fisher_exact(table) == pytest.approx(float(peer(table).pvalue), rel=1e-6, abs=1e-12)
