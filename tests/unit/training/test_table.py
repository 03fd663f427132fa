"""The tabular recipe: encoding, folds, choice, and a graph that answers the same."""

from __future__ import annotations

import numpy as np
import pytest

from titian.models import Card, load_model, with_card
from titian.training.calibration import Calibration
from titian.training.table import (
    CANDIDATES,
    cross_validate,
    fit,
    fold_of,
    growth,
    learn_encoding,
)
from titian.training.table_graph import _down, table_graph

from .conftest import table

LOGISTIC, TREES = CANDIDATES[1], CANDIDATES[3]


def test_encoding_by_hand():
    features = {
        "age": np.asarray([1.0, np.nan, 3.0, 8.0]),
        "sex": np.asarray(["f", "f", "f", "m"]),
        "site": np.asarray(["", "", "", ""]),
    }
    encoding = learn_encoding(features)
    assert encoding.numbers == ("age",)
    assert encoding.medians.tolist() == [3.0]
    assert encoding.gaps == (0,)
    assert encoding.categories == (("f",), ("",))
    new = {
        "age": np.asarray([np.nan, 3.75]),
        "sex": np.asarray(["never seen", "f"]),
        "site": np.asarray(["", "x"]),
    }
    dense = encoding.dense(new)
    spread = np.std([1, 3, 3, 8])
    assert dense == pytest.approx(
        np.asarray([[(3 - 3.75) / spread, 1, 0, 1], [0.0, 0, 1, 0]]), abs=1e-6
    )
    assert np.array_equal(
        encoding.sparse(new), np.asarray([[np.nan, 0, 1], [3.75, 1, 0]]), equal_nan=True
    )


def test_a_column_without_any_number_is_harmless():
    encoding = learn_encoding({"empty": np.full(5, np.nan), "same": np.full(5, 2.0)})
    new = {"empty": np.asarray([np.nan, 4.0]), "same": np.asarray([2.0, 3.0])}
    assert np.isfinite(encoding.dense(new)).all()
    assert encoding.gaps == ()


def test_folds_never_divide_a_subject_and_every_fold_holds_every_class():
    rng = np.random.default_rng(5)
    unit = rng.integers(0, 40, 200)
    codes = (unit % 4 == 0).astype(int)
    fold = fold_of(codes, unit, seed=1)
    for subject in np.unique(unit):
        assert len(np.unique(fold[unit == subject])) == 1
    for number in range(5):
        assert set(codes[fold == number]) == {0, 1}
    assert not np.array_equal(fold, fold_of(codes, unit, seed=2))


def test_cross_validation_scores_every_candidate_and_reports_each_fit():
    features, codes = table(90)
    told: list[tuple[int, int]] = []
    scores = cross_validate(
        features, codes, np.arange(90), seed=1, progress=lambda *step: told.append(step)
    )
    assert [score.name for score in scores] == [candidate.name for candidate in CANDIDATES]
    assert all(0 < score.mean < 0.7 and score.standard_error > 0 for score in scores)
    assert told == [(done, 25) for done in range(1, 26)]


def test_the_learning_curve_grows_by_subjects():
    features, codes = table(100)
    steps = growth(
        LOGISTIC,
        features,
        codes,
        np.arange(100),
        *table(50, seed=9),
        seed=1,
        progress=lambda *_: None,
    )
    assert [step.cases for step in steps] == [20, 40, 60, 80, 100]


def columns_only(features, names):
    return {name: features[name] for name in names}


@pytest.mark.parametrize("candidate", [LOGISTIC, TREES], ids=["logistic", "trees"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "names", [("first", "second", "kind"), ("first", "second"), ("kind",)], ids="-".join
)
def test_the_graph_answers_what_scikit_learn_answers(tmp_path, candidate, classes, names):
    features, codes = table(150, classes=classes)
    fitted = fit(candidate, columns_only(features, names), codes, seed=1)
    calibration = Calibration(scale=0.7, shift=tuple(np.linspace(0.1, -0.2, classes)))
    graph = table_graph(fitted, calibration)
    card = Card(
        input="table",
        classes=tuple("abc"[:classes]),
        numbers=fitted.encoding.numbers,
        texts=fitted.encoding.texts,
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(with_card(graph, card).SerializeToString())
    new, _ = table(200, classes=classes, seed=7)
    new["kind"][:20] = "never seen"
    new["first"][20:40] = np.nan
    new = columns_only(new, names)
    framework = calibration.apply(fitted.logits(new))
    assert np.abs(load_model(path).predict_table(new) - framework).max() < 2e-6


def test_the_margins_are_scikit_learns_own():
    features, codes = table(150)
    fitted = fit(LOGISTIC, features, codes, seed=1)
    own = fitted.estimator.predict_proba(fitted.encoding.dense(features))
    same = Calibration(scale=1.0, shift=(0.0, 0.0)).apply(fitted.logits(features))
    assert np.abs(own - same).max() < 1e-12


def test_a_split_value_is_rounded_so_that_no_float32_changes_side():
    rng = np.random.default_rng(2)
    for split in rng.normal(0, 1, 200):
        near = np.float32(split)
        for value in (
            near,
            np.nextafter(near, np.float32(9)),
            np.nextafter(near, np.float32(-9)),
        ):
            assert (float(value) <= split) == (value <= np.float32(_down(split)))


def test_the_same_seed_gives_the_same_bytes():
    features, codes = table(120)
    same = Calibration(scale=1.0, shift=(0.0, 0.0))
    first, second = (
        table_graph(fit(TREES, features, codes, seed=3), same).SerializeToString()
        for _ in range(2)
    )
    assert first == second
