from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from titian.dataset.predictions import Predictions, write_predictions
from titian.errors import InputError
from titian.validation.faults import simulate, swap_labels
from titian.validation.measures import MEASURES
from titian.validation.stage import VALIDATE, ValidateSettings, measure_cases
from titian.values import Data, Project, Requirement, from_json, to_json

SETTINGS = ValidateSettings(
    alpha=0.05, positive="1", label="y", forests=("sensitivity", "specificity")
)


@dataclass(frozen=True)
class FakeContext:
    folder: Path
    seed: int = 7

    def progress(self, step, done, total):
        assert step
        assert 0 <= done <= total


def predictions(n=300):
    honest = simulate(np.random.default_rng(11), n=n)
    site = np.where(np.arange(n) % 3 == 0, "south", "north")
    missed = (site == "south") & (honest.label == 1)
    return Predictions(
        case=np.arange(n),
        part=np.full(n, "test"),
        label=honest.label.astype(str),
        prediction=np.where(missed, 0, honest.prediction).astype(str),
        classes=("0", "1"),
        scores=honest.scores,
        subject=np.array([f"p{i // 2}" for i in range(n)]),
        attributes={"site": site, "sex": np.where(np.arange(n) % 2, "F", "M")},
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validate")
    write_predictions(predictions(), folder / "predictions.parquet")
    return VALIDATE.run(
        SETTINGS, {"predictions": folder / "predictions.parquet"}, FakeContext(folder)
    )


def test_the_shipped_table_derives_everything_again(ran, tmp_path):
    again = measure_cases(SETTINGS, {"cases": ran.artifacts["cases"]}, FakeContext(tmp_path))
    for name in ("measurements", "findings", "figures", "controls"):
        assert getattr(again, name) == getattr(ran, name)
    assert again.artifacts["cases"].read_bytes() == ran.artifacts["cases"].read_bytes()


def test_every_measure_stands_in_the_result(ran):
    assert {row.name for row in ran.measurements} == set(MEASURES)
    assert len(ran.measurements) == 5 * len(MEASURES)


def test_the_site_that_misses_positives_is_named(ran):
    told = [item.what for item in ran.findings if item.code == "validation.disparity"]
    assert len(told) == 1
    assert "Sensitivity is 0.000 for site=south" in told[0]


def test_every_control_is_caught(ran):
    assert [c.check for c in ran.controls] == [
        "validation.poor_discrimination",
        "validation.poor_discrimination",
        "validation.disparity",
        "validation.miscalibrated",
    ]
    assert all(control.found for control in ran.controls)
    assert {control.false_alarm_rate for control in ran.controls} == {1e-4}


def test_the_figures_are_small_and_plain_values(ran):
    names = [figure.name for figure in ran.figures]
    assert names == [
        "roc", "reliability", "confusion", "scores", "forest_sensitivity", "forest_specificity",
    ]  # fmt: skip
    assert all(len(series.x) <= 200 for series in ran.figures[0].series)
    for figure in ran.figures:
        assert from_json(type(figure), to_json(figure)) == figure


def test_a_positive_value_that_is_no_class_is_refused(tmp_path):
    write_predictions(predictions(), tmp_path / "predictions.parquet")
    settings = ValidateSettings(alpha=0.05, positive="yes", label="y")
    with pytest.raises(InputError) as caught:
        VALIDATE.run(
            settings, {"predictions": tmp_path / "predictions.parquet"}, FakeContext(tmp_path)
        )
    assert str(caught.value) == (
        "T-V005: data.positive is 'yes'; the model's classes are 0, 1. "
        "Name one of the classes, as it is written in the label column."
    )


def test_settings_come_from_the_project():
    project = Project(
        name="p",
        intended_use="u",
        data=Data(table="t.csv", label="y", positive="1"),
        requirements=(
            Requirement(id="R1", measure="sensitivity", at_least=0.8),
            Requirement(id="R2", measure="brier", at_most=0.2),
            Requirement(id="R3", finding="validation.disparity", at_most=0),
        ),
    )
    assert VALIDATE.configure(project) == ValidateSettings(
        alpha=0.05,
        positive="1",
        label="y",
        forests=("sensitivity", "specificity", "brier"),
    )


def test_moving_a_bound_leaves_the_measurements_as_they_are():
    def settings(bound: float):
        project = Project(
            name="p",
            intended_use="u",
            data=Data(table="t.csv", label="y", positive="1"),
            requirements=(Requirement(id="R1", measure="auc", at_least=bound),),
        )
        return VALIDATE.configure(project)

    assert settings(0.6) == settings(0.9)


def test_swapped_labels_turn_the_auc_round():
    honest = simulate(np.random.default_rng(3), n=200)
    assert np.array_equal(swap_labels(honest).label, 1 - honest.label)
