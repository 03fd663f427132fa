"""Agreement: published examples, hand-worked tables, and draws that equal a re-count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from titian.annotation.agreement import (
    COEFFICIENTS,
    LEVELS,
    agreement,
    krippendorff_alpha,
    scale_of,
)
from titian.annotation.agreement.bootstrap import estimate, weightings
from titian.annotation.agreement.coefficients import fleiss, gwet, krippendorff
from titian.annotation.agreement.ratings import Ratings, merged, tabulate
from titian.errors import InputError

NA = -1
# Four workers, twelve tasks: Krippendorff, Computing Alpha-Reliability (2011).
PUBLISHED = np.asarray(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3],
        [NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA],
    ]
)
# Ten tasks, fourteen workers, five classes: worked out in full in many texts.
FOURTEEN = np.asarray(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ],
    dtype=float,
)


def rows_of(table):
    worker, task = np.nonzero(table != NA)
    return task, worker, table[worker, task] - 1


def crowd(seed, *, tasks=120, workers=6, classes=4, per_task=3, accuracy=0.7):
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=tasks)
    task = np.repeat(np.arange(tasks), per_task)
    worker = np.concatenate(
        [rng.choice(workers, per_task, replace=False) for _ in range(tasks)]
    )
    guess = rng.integers(classes, size=len(task))
    return task, worker, np.where(rng.random(len(task)) < accuracy, truth[task], guess)


def value_of(statistic, ratings):
    return float(statistic(ratings.times[None])[0])


def measured(task, worker, label, *, classes=4, seed=0, **options):
    names = [str(code) for code in range(classes)]
    options = {"draws": 200, **options}
    return agreement(
        task, worker, label, names=names, rng=np.random.default_rng(seed), **options
    )


@pytest.mark.parametrize(
    ("level", "published"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_alpha_matches_krippendorffs_example(level, published):
    task, worker, label = rows_of(PUBLISHED)
    found = agreement(
        task,
        worker,
        label,
        names=["1", "2", "3", "4", "5"],
        level=level,
        rng=np.random.default_rng(0),
        draws=0,
    )
    assert found.estimate.value == pytest.approx(published, abs=5e-4)
    assert (found.estimate.n, found.tasks, found.labels, found.workers) == (11, 12, 41, 4)
    alone = krippendorff_alpha(task, label, level=level, values=[1, 2, 3, 4, 5])
    assert alone == pytest.approx(found.estimate.value, abs=1e-12)


def test_fleiss_and_gwet_match_the_published_values_with_missing_labels():
    # The same data in Gwet's handbook: Fleiss 0.76117, AC1 0.77544.
    task, _, label = rows_of(PUBLISHED)
    ratings = tabulate(task, label)
    scale = scale_of(["1", "2", "3", "4", "5"])
    assert value_of(fleiss(ratings, scale), ratings) == pytest.approx(0.76117, abs=5e-6)
    assert value_of(gwet(ratings, scale), ratings) == pytest.approx(0.77544, abs=5e-6)


def test_fleiss_matches_the_table_of_fourteen():
    # Mean observed agreement 0.378, by chance 0.213: kappa 0.210.
    ratings = merged(FOURTEEN, None)
    found = value_of(fleiss(ratings, scale_of(list("12345"))), ratings)
    assert found == pytest.approx(0.20993, abs=5e-6)


def test_gwets_weighted_coefficient_matches_a_hand_worked_table():
    # Tasks (a, a), (a, b), (c, c) of classes 0, 1, 2, quadratic weights 1, 3/4, 0.
    # Observed (1 + 3/4 + 1)/3 = 11/12. Shares 1/2, 1/6, 1/3: sum of p(1-p) = 11/18.
    # Sum of weights 3 + 4*3/4 = 6, so by chance 6/6 * 11/18 = 11/18: (11/12-11/18)/(7/18).
    ratings = tabulate([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2])
    scale = scale_of(["0", "1", "2"], "interval")
    assert value_of(gwet(ratings, scale), ratings) == pytest.approx(11 / 14, abs=1e-12)


@pytest.mark.parametrize(
    ("level", "weights"),
    [("nominal", None), ("ordinal", "linear"), ("interval", "quadratic")],
)
def test_cohens_kappa_agrees_with_scikit_learn(level, weights):
    task, worker, label = crowd(3, workers=2, per_task=2)
    one, two = label[worker == 0], label[worker == 1]
    found = measured(task, worker, label, coefficient="cohen", level=level)
    expected = cohen_kappa_score(one, two, weights=weights)
    assert found.estimate.value == pytest.approx(expected, abs=1e-12)
    assert found.by_pair[0].estimate.value == pytest.approx(expected, abs=1e-12)


def test_pooled_kappa_is_congers_where_everybody_labels_everything():
    task, worker, label = crowd(4, workers=4, per_task=4)
    table = np.empty((4, 120), dtype=int)
    table[worker, task] = label
    shares = np.stack([np.bincount(row, minlength=4) / 120 for row in table])
    pairs = [(a, b) for a in range(4) for b in range(a)]
    observed = np.mean([(table[a] == table[b]).mean() for a, b in pairs])
    expected = np.mean([shares[a] @ shares[b] for a, b in pairs])
    found = measured(task, worker, label, coefficient="cohen")
    conger = (observed - expected) / (1 - expected)
    assert found.estimate.value == pytest.approx(conger, abs=1e-12)


def test_many_tasks_take_fewer_draws_for_the_same_interval(monkeypatch):
    task, worker, label = crowd(16, tasks=200)
    few = measured(task, worker, label, coefficient="cohen", parts=False, draws=400)
    monkeypatch.setattr("titian.annotation.agreement.pairs.MANY_TASKS", 100)
    many = measured(task, worker, label, coefficient="cohen", parts=False, draws=400)
    one, two = few.estimate.intervals[0], many.estimate.intervals[0]
    assert many.estimate.method == "normal interval, spread by bootstrap over tasks"
    assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=0.03)


def test_a_workers_own_repeats_do_not_agree_with_themselves_in_cohens_kappa():
    task, worker, label = crowd(5, workers=3, per_task=3)
    once = measured(task, worker, label, coefficient="cohen", draws=0)
    doubled = [np.concatenate([column, column]) for column in (task, worker, label)]
    twice = measured(*doubled, coefficient="cohen", draws=0)
    assert twice.estimate.value == pytest.approx(once.estimate.value, abs=1e-12)
    assert "360 labels repeat a worker's label" in twice.notes[0]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("prepare", [krippendorff, fleiss, gwet])
def test_a_weighted_draw_equals_a_recount(prepare, level):
    task, _, label = crowd(6, per_task=3)
    keep = np.random.default_rng(7).random(len(task)) < 0.8
    task, label = task[keep], label[keep]
    scale = scale_of(["0", "1", "2", "3"], level)
    ratings = tabulate(task, label, classes=4)
    weight = next(weightings(ratings.times, np.random.default_rng(8), 1))
    chosen = [
        row
        for row, times in zip(ratings.counts, weight[0], strict=True)
        for _ in range(int(times))
    ]
    recount_task = [i for i, row in enumerate(chosen) for _ in range(int(row.sum()))]
    recount_label = [c for row in chosen for c, n in enumerate(row) for _ in range(int(n))]
    again = tabulate(recount_task, recount_label, classes=4)
    drawn = prepare(ratings, scale)(weight)[0]
    assert drawn == pytest.approx(value_of(prepare(again, scale), again), abs=1e-12)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from(COEFFICIENTS), st.sampled_from(LEVELS))
def test_the_order_of_rows_and_the_numbers_of_workers_change_nothing(seed, coefficient, level):
    task, worker, label = crowd(seed, tasks=30)
    rng = np.random.default_rng(seed)
    mixed = rng.permutation(len(task))
    renamed = rng.permutation(6)[worker]
    options = {"coefficient": coefficient, "level": level, "draws": 0, "parts": False}
    one = measured(task, worker, label, **options).estimate.value
    two = measured(task[mixed], renamed[mixed], label[mixed], **options).estimate.value
    assert one == pytest.approx(two, abs=1e-12)
    assert -1.0 - 1e-12 <= one <= 1.0


def test_equal_rows_are_merged_whatever_their_number():
    rng = np.random.default_rng(9)
    counts = rng.integers(0, 3, size=(500, 40)).astype(float)  # too wide for exact keys
    both = np.concatenate([counts, counts[:100]])
    found = merged(both, None)
    distinct, times = np.unique(both, axis=0, return_counts=True)
    assert len(found.counts) == len(distinct)
    assert sorted(found.times) == sorted(times)


def test_blocks_of_tasks_give_the_same_ratings(monkeypatch):
    task, _, label = crowd(10)
    whole = tabulate(task, label)
    monkeypatch.setattr("titian.annotation.agreement.ratings.BLOCK_CELLS", 40)
    parts = tabulate(task, label)
    assert np.array_equal(whole.counts, parts.counts)
    assert np.array_equal(whole.times, parts.times)


def test_alpha_alone_is_the_same_in_blocks_and_merged(monkeypatch):
    task, worker, label = crowd(14)
    keep = np.random.default_rng(15).random(len(task)) < 0.6  # tasks of 0 to 3 labels
    task, worker, label = task[keep], worker[keep], label[keep]
    whole = measured(task, worker, label, draws=0, parts=False).estimate.value
    assert krippendorff_alpha(task, label) == pytest.approx(whole, abs=1e-12)
    monkeypatch.setattr("titian.annotation.agreement.ratings.CACHE_CELLS", 40)
    assert krippendorff_alpha(task, label) == pytest.approx(whole, abs=1e-12)
    monkeypatch.setattr("titian.annotation.agreement.ratings.BLOCK_CELLS", 40)
    assert krippendorff_alpha(task, label) == pytest.approx(whole, abs=1e-12)
    assert np.isnan(krippendorff_alpha([0, 0], [0, 0]))
    assert np.isnan(krippendorff_alpha([0, 1], [0, 1]))


def test_parts_are_given_by_class_by_site_and_by_pair():
    task, worker, label = crowd(11)
    label = np.where(worker < 3, task % 4, label)  # site A agrees wholly
    found = measured(
        task,
        worker,
        label,
        site=(worker >= 3).astype(int),
        sites=("A", "B"),
        workers=[f"w{code}" for code in range(6)],
    )
    assert [part.name for part in found.by_class] == [("0",), ("1",), ("2",), ("3",)]
    by_site = {part.name[0]: part.estimate for part in found.by_site}
    assert by_site["A"].value == 1.0
    assert by_site["B"].value < 0.8
    inside = [part for part in found.by_pair if part.name in (("w0", "w1"), ("w1", "w2"))]
    assert all(part.estimate.value == 1.0 for part in inside)
    assert inside


def test_perfect_agreement_has_a_lower_end_below_one():
    task = np.repeat(np.arange(50), 2)
    worker = np.tile([0, 1], 50)
    for coefficient in COEFFICIENTS:
        found = measured(task, worker, task % 2, classes=2, coefficient=coefficient)
        interval = found.estimate.intervals[0]
        assert found.estimate.value == 1.0
        assert 0.8 < interval.low < 0.95, coefficient
        assert interval.high == 1.0


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_one_class_leaves_agreement_unknown(coefficient):
    task = np.repeat(np.arange(5), 2)
    found = measured(task, np.tile([0, 1], 5), 0 * task, classes=1, coefficient=coefficient)
    assert found.estimate.value is None
    assert len(found.by_class) == (0 if coefficient == "cohen" else 1)
    assert found.estimate.reason == "all labels that can be compared name one class"


def test_tasks_with_one_label_leave_agreement_unknown():
    found = measured([0, 1, 2], [0, 1, 0], [0, 1, 0], classes=2)
    assert found.estimate.value is None
    assert found.estimate.reason == "no task has two labels"
    assert found.notes == ("3 of 3 tasks have one label: they show no agreement.",)


def test_draws_of_one_class_leave_the_interval_unknown():
    # One task of ten differs, and it alone: a third of the draws miss it; two thirds do not.
    counts = np.asarray([[2.0, 0.0], [1.0, 1.0]])
    ratings = Ratings(counts=counts, times=np.asarray([300.0, 1.0]))
    scale = scale_of(["0", "1"])
    found = estimate(
        ratings, lambda rows: krippendorff(rows, scale), rng=np.random.default_rng(0)
    )
    assert found.intervals[0].low <= found.value <= found.intervals[0].high


def test_labels_of_equal_value_are_one_class():
    names = ["1", "1.0", "2"]
    found = agreement(
        [0, 0, 1, 1, 2, 2],
        [0, 1, 0, 1, 0, 1],
        [0, 1, 2, 2, 0, 2],
        names=names,
        level="ordinal",
        rng=np.random.default_rng(0),
        draws=0,
    )
    assert [part.name for part in found.by_class] == [("1",), ("2",)]
    assert found.notes == ("3 labels have 2 values; labels of equal value are one class.",)


def test_an_order_ranks_words():
    names = ["high", "low", "mid"]
    task, worker, label = crowd(12, classes=3)
    words = agreement(
        task,
        worker,
        label,
        names=names,
        level="ordinal",
        order=["low", "mid", "high"],
        rng=np.random.default_rng(0),
        draws=0,
    )
    ranks = np.asarray([2, 0, 1])[label]
    numbers = measured(task, worker, ranks, classes=3, level="ordinal", draws=0)
    assert words.estimate.value == pytest.approx(numbers.estimate.value, abs=1e-12)


def refusal(call):
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


def test_words_without_an_order_are_refused():
    assert refusal(lambda: scale_of(["low", "2", "inf"], "ordinal")) == (
        "T-A203: 2 labels are no finite numbers ('low', 'inf'); the level ordinal needs "
        "numbers. Give the order of the labels (--order low,mid,high) and --level ordinal, or "
        "use --level nominal."
    )


def test_bad_levels_ratios_and_orders_are_refused():
    assert refusal(lambda: scale_of(["1"], "cardinal")) == (
        "T-A202: there is no level 'cardinal'; the levels are nominal, ordinal, interval, "
        "ratio. Name one of them."
    )
    assert refusal(lambda: scale_of(["-1", "2"], "ratio")) == (
        "T-A204: 1 labels are below 0 ('-1'); ratios are of numbers of at least 0. "
        "Use --level interval."
    )
    assert refusal(lambda: scale_of(["a", "b"], "ratio", order=["b", "b"])) == (
        "T-A205: an order was given with the level ratio; only ordinal reads one. Name every "
        "label once, from low to high, with --level ordinal.\n"
        "T-A205: the order lacks 1 labels ('a'). Name every label once, from low to high, "
        "with --level ordinal.\n"
        "T-A205: the order names 'b' more than once. Name every label once, from low to high, "
        "with --level ordinal."
    )


def test_bad_codes_coefficients_and_single_workers_are_refused():
    assert refusal(lambda: tabulate([0, 1], [0.5, 1.0])) == (
        "T-A200: label has the type float64; codes are integers from 0. Give one row of codes "
        "per label; a missing label has no row."
    )
    assert refusal(lambda: tabulate([0, 1], [0])) == (
        "T-A200: task has the shape (2,) and label the shape (1,); they are two arrays of one "
        "length, at least 1. Give one row of codes per label; a missing label has no row."
    )
    assert refusal(lambda: tabulate([0, -1], [0, 3], classes=2)) == (
        "T-A200: task holds -1; codes are integers from 0. Give one row of codes per label; a "
        "missing label has no row."
    )
    assert refusal(lambda: tabulate([0], [3], classes=2)) == (
        "T-A200: label holds 3; codes are below 2. Give one row of codes per label; a missing "
        "label has no row."
    )
    assert refusal(lambda: measured([0, 1], [0, 1], [0, 1], coefficient="scott")) == (
        "T-A206: there is no coefficient 'scott'; they are krippendorff, fleiss, cohen, gwet. "
        "Name one of them."
    )
    assert refusal(lambda: measured([0, 1], [3, 3], [0, 1])) == (
        "T-A207: all 2 labels are of one worker; agreement needs two. Give the labels of "
        "several workers, each with its own name."
    )


def test_too_many_distinct_rows_are_refused(monkeypatch):
    monkeypatch.setattr("titian.annotation.agreement.ratings.BLOCK_CELLS", 40)
    monkeypatch.setattr("titian.annotation.agreement.ratings.MOST_CELLS", 20)
    task, _, label = crowd(13)
    assert refusal(lambda: tabulate(task, label)) == (
        "T-A201: 120 tasks of 4 classes have more than 20 distinct counts, the most that are "
        "held. Group rare classes, or take a sample of the tasks."
    )
