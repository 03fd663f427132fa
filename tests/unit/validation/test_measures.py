import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.validation.cases import Cases
from titian.validation.measures import MEASURES, Scope, measure_all


def table(label, prediction, score, *, classes=("0", "1"), subject=None, groups=None):
    score = np.asarray(score, dtype=float)
    return Cases(
        id=np.arange(len(label)).astype(str),
        label=np.asarray(label),
        prediction=np.asarray(prediction),
        scores=np.column_stack([1 - score, score]) if score.ndim == 1 else score,
        classes=classes,
        subject=subject,
        groups=groups or {},
    )


def measured(cases, **changed):
    known = {"positive": "1", "label": "y", "alpha": 0.05, "seed": 7}
    return measure_all(cases, **{**known, **changed})


def overall(rows):
    return {row.name: row for row in rows if row.subgroup is None}


def test_every_measure_is_documented_in_itself():
    assert list(MEASURES) == [
        "sensitivity", "specificity", "ppv", "npv", "accuracy", "balanced_accuracy", "f1",
        "auc", "average_precision", "brier", "expected_calibration_error",
    ]  # fmt: skip
    for name, measure in MEASURES.items():
        assert measure.id == name
        assert all((measure.summary, measure.denominator, measure.method, measure.source))


def test_a_hand_worked_confusion():
    # TP 3, FN 1, FP 2, TN 4.
    label = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    called = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    rows = overall(measured(table(label, called, np.linspace(0.95, 0.05, 10))))
    expected = {
        "sensitivity": (3 / 4, 4),
        "specificity": (4 / 6, 6),
        "ppv": (3 / 5, 5),
        "npv": (4 / 5, 5),
        "accuracy": (7 / 10, 10),
        "balanced_accuracy": ((3 / 4 + 4 / 6) / 2, 10),
        "f1": (6 / 9, 10),
        "auc": (1.0, 10),
    }
    for name, (value, n) in expected.items():
        assert (rows[name].value, rows[name].n) == (pytest.approx(value), n)
        assert rows[name].low < value
        assert rows[name].method


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 1), st.floats(0.01, 0.99)),
        min_size=4,
        max_size=40,
    )
)
@settings(deadline=None, max_examples=25)
def test_all_measures_agree_with_scikit_learn(rows):
    from sklearn import metrics

    label, called, score = (np.array(column) for column in zip(*rows, strict=True))
    found = overall(measured(table(label, called, score)))
    oracle = {
        "sensitivity": lambda: metrics.recall_score(label, called),
        "specificity": lambda: metrics.recall_score(label, called, pos_label=0),
        "ppv": lambda: metrics.precision_score(label, called),
        "npv": lambda: metrics.precision_score(label, called, pos_label=0),
        "accuracy": lambda: metrics.accuracy_score(label, called),
        "f1": lambda: metrics.f1_score(label, called),
        "auc": lambda: metrics.roc_auc_score(label, score),
        "average_precision": lambda: metrics.average_precision_score(label, score),
        "brier": lambda: metrics.brier_score_loss(label, score, labels=[0, 1]),
    }
    for name, reference in oracle.items():
        if found[name].value is None:
            assert found[name].reason
            assert found[name].intervals == ()
        else:
            assert found[name].value == pytest.approx(reference()), name


def test_the_ladder_reaches_down_to_the_largest_family():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 60)
    groups = {"site": rng.choice(["a", "b"], 60), "sex": rng.choice(["F", "M", "missing"], 60)}
    rows = measured(table(label, label, rng.random(60), groups=groups))
    of_auc = [row for row in rows if row.name == "auc"]
    assert [len(row.intervals) for row in of_auc] == [1, 5, 5, 5, 5, 5]
    assert of_auc[1].subgroup == {"site": "a"}
    assert of_auc[1].intervals[-1].alpha == pytest.approx(0.05 / 5)
    assert [row.subgroup for row in of_auc[3:]] == [
        {"sex": "F"}, {"sex": "M"}, {"sex": "missing"},
    ]  # fmt: skip


def test_a_zero_denominator_is_unknown_and_stays_in_the_table():
    label = np.array([1, 1, 0, 0, 0, 0])
    groups = {"site": np.array(["a", "a", "a", "a", "b", "b"])}
    rows = measured(table(label, label, np.linspace(0.9, 0.1, 6), groups=groups))
    unknown = {row.name: row.reason for row in rows if row.value is None}
    assert unknown == {
        "sensitivity": "no positives",
        "ppv": "no predicted positives",
        "balanced_accuracy": "a class has no cases",
        "f1": "no positives or predicted positives",
        "auc": "no positives",
        "average_precision": "no positives",
    }
    assert len(rows) == 3 * len(MEASURES)


def test_more_than_two_classes_give_a_row_per_class_and_rows_of_the_whole():
    rng = np.random.default_rng(2)
    label = np.arange(90) % 3
    scores = rng.dirichlet([1, 1, 1], 90)
    cases = table(
        label, scores.argmax(axis=1), scores, classes=("a", "b", "c"),
        groups={"site": rng.choice(["x", "y"], 90)},
    )  # fmt: skip
    rows = measured(cases, positive=None)
    of_class = [row.subgroup for row in rows if row.name == "sensitivity"]
    assert of_class[:3] == [{"y": "a"}, {"y": "b"}, {"y": "c"}]
    assert of_class[3] == {"site": "x", "y": "a"}
    assert len(of_class) == 9
    whole = [row for row in rows if row.name == "brier"]
    assert [row.subgroup for row in whole] == [None, {"site": "x"}, {"site": "y"}]
    truth = np.eye(3)[label]
    assert whole[0].value == pytest.approx(((scores - truth) ** 2).sum(axis=1).mean())
    named = {row.name for row in rows if row.subgroup is None}
    assert named == {name for name, m in MEASURES.items() if m.scope is Scope.ALL}


def test_a_row_does_not_depend_on_the_other_columns():
    rng = np.random.default_rng(3)
    label = rng.integers(0, 2, 80)
    score = rng.random(80)
    site = rng.choice(["a", "b"], 80)
    alone = measured(table(label, label, score, groups={"site": site}))
    beside = measured(
        table(label, label, score, groups={"sex": rng.choice(["F", "M"], 80), "site": site})
    )
    by_site = [row for row in beside if row.subgroup == {"site": "a"}]
    for row in (r for r in alone if r.subgroup == {"site": "a"}):
        same = next(r for r in by_site if r.name == row.name)
        assert same.value == row.value
        if row.name != "expected_calibration_error":
            assert same.intervals[0] == row.intervals[0]
