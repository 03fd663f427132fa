"""The whole stage on small studies: artifacts, statements about them, and refusals."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

import titian.training.stage
import titian.training.table
from titian.dataset.records import Records, write_records
from titian.dataset.split import write_split
from titian.errors import EnvironmentFault, InputError
from titian.models import load_model
from titian.training import TRAIN, TrainSettings
from titian.training.agreement import agreement, planted_weight
from titian.training.table import CANDIDATES

from .conftest import pictures, table

PARTS = np.asarray(["train", "train", "tune", "test"])


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    """Five candidates would spend the time of all other tests together."""
    for module in (titian.training.stage, titian.training.table):
        monkeypatch.setattr(module, "CANDIDATES", CANDIDATES[1:4:2])


def settings(recipe: str, **changes) -> TrainSettings:
    stated = {"recipe": recipe, "seed": 3, "epochs": 2, "sensitivity": None, "positive": "1"}
    return TrainSettings(**(stated | changes))


def inputs_of(records: Records, folder) -> dict:
    write_records(records, folder / "records.parquet")
    part = PARTS[np.arange(len(records)) // 3 % 4]
    write_split(records.case, part, folder / "split.parquet")
    return {
        "source": folder,
        "records": folder / "records.parquet",
        "split": folder / "split.parquet",
    }


def table_inputs(folder, *, classes: int = 2, n: int = 160) -> dict:
    features, codes = table(n, classes=classes)
    records = Records(case=np.arange(n), label=codes.astype(str), features=features)
    return inputs_of(records, folder)


def image_inputs(folder, *, classes: int = 2, n: int = 72) -> dict:
    images, codes = pictures(n, classes=classes)
    names, digests = [], []
    for place, image in enumerate(images):
        names.append(f"{place}.png")
        Image.fromarray((image * 255).astype(np.uint8)).save(folder / names[-1])
        digests.append(hashlib.sha256((folder / names[-1]).read_bytes()).hexdigest())
    records = Records(
        case=np.arange(n),
        label=codes.astype(str),
        image=np.asarray(names),
        sha256=np.asarray(digests),
        files={"height": np.full(n, 24.0), "width": np.full(n, 24.0)},
    )
    return inputs_of(records, folder)


@pytest.mark.parametrize("recipe", ["tabular", "cnn"])
def test_a_binary_study_gives_a_model_that_carries_its_threshold(tmp_path, context, recipe):
    make = table_inputs if recipe == "tabular" else image_inputs
    result = TRAIN.run(settings(recipe), make(tmp_path), context)
    model = load_model(result.artifacts["model.fp32"])
    assert model.card.classes == ("0", "1")
    assert model.card.positive == "1"
    measured = {m.name: m.value for m in result.measurements}
    assert measured["threshold"] == model.card.threshold
    assert measured["temperature"] == model.card.temperature
    assert measured["onnx_max_difference"] < 1e-5
    assert measured["parameters"] > 0
    assert {c.check: c.found for c in result.controls} == {
        "training.onnx_agreement": True,
        "training.no_signal": True,
    }
    assert [figure.kind for figure in result.figures][-1] == "line"
    assert [path.name for path in context.folder.iterdir()] == ["model.onnx"]
    assert result.replay.derivable
    step = "cross-validate" if recipe == "tabular" else "train epochs"
    assert (step, 2) in [(name, done) for name, done, _ in context.steps]


@pytest.mark.parametrize("recipe", ["tabular", "cnn"])
def test_three_classes_have_no_threshold(tmp_path, context, recipe):
    make = table_inputs if recipe == "tabular" else image_inputs
    result = TRAIN.run(settings(recipe, positive=None), make(tmp_path, classes=3), context)
    card = load_model(result.artifacts["model.fp32"]).card
    assert (card.classes, card.positive, card.threshold) == (("0", "1", "2"), None, None)
    assert not {"threshold", "tune_auc"} & {m.name for m in result.measurements}


def test_a_wanted_sensitivity_lowers_the_threshold(tmp_path, context):
    inputs = table_inputs(tmp_path)
    plain = TRAIN.run(settings("tabular"), inputs, context)
    wanted = TRAIN.run(settings("tabular", sensitivity=1.0), inputs, context)
    thresholds = [
        next(m.value for m in result.measurements if m.name == "threshold")
        for result in (plain, wanted)
    ]
    assert thresholds[1] < thresholds[0]


def test_the_test_part_has_no_influence(tmp_path, context):
    """Labels and features of test cases may change; the model's bytes may not."""
    features, codes = table(160)
    part = PARTS[np.arange(160) // 3 % 4]
    files = []
    for broken in (False, True):
        folder = tmp_path / str(broken)
        folder.mkdir()
        labels = codes.copy()
        first = features["first"].copy()
        if broken:
            labels[part == "test"] = 1 - labels[part == "test"]
            first[part == "test"] += 100
        records = Records(
            case=np.arange(160), label=labels.astype(str), features=features | {"first": first}
        )
        result = TRAIN.run(settings("tabular"), inputs_of(records, folder), context)
        files.append(result.artifacts["model.fp32"].read_bytes())
    assert files[0] == files[1]


def test_a_table_without_inputs_is_refused(tmp_path, context):
    records = Records(case=np.arange(24), label=(np.arange(24) % 2).astype(str))
    with pytest.raises(InputError) as caught:
        TRAIN.run(settings("tabular"), inputs_of(records, tmp_path), context)
    assert str(caught.value) == (
        "T-T008: the table has no feature column; a tabular model needs one or more. "
        "Look at data.features.exclude, or name data.image."
    )


def test_a_changed_image_is_refused(tmp_path, context):
    inputs = image_inputs(tmp_path)
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(tmp_path / "0.png")
    with pytest.raises(InputError, match=r"^T-D042: image '0\.png'"):
        TRAIN.run(settings("cnn"), inputs, context)


def test_a_wrong_weight_in_the_exported_model_is_caught(tmp_path, context):
    result = TRAIN.run(settings("tabular"), table_inputs(tmp_path), context)
    path = result.artifacts["model.fp32"]
    features, _ = table(30, seed=4)

    def ask(model):
        return model.predict_table(features)

    honest = ask(load_model(path))
    assert agreement(path, honest, ask) == 0.0
    import onnx

    model = onnx.load(path)
    assert planted_weight(model, tmp_path / "aside.onnx", honest, ask).found
    assert not (tmp_path / "aside.onnx").exists()
    with pytest.raises(EnvironmentFault) as caught:
        agreement(path, honest + 0.25, ask)
    assert str(caught.value) == (
        "T-T012: the exported model differs from the trained one by 0.25 in a probability of "
        "30 tune cases; at most 0.0001 is rounding. "
        "Report this with the versions of torch, scikit-learn and onnxruntime."
    )


@pytest.mark.parametrize(("recipe", "library"), [("cnn", "torch"), ("tabular", "scikit-learn")])
def test_a_missing_library_says_how_to_install_it(
    tmp_path, context, monkeypatch, recipe, library
):
    make = table_inputs if recipe == "tabular" else image_inputs
    inputs = make(tmp_path)
    monkeypatch.setitem(
        __import__("sys").modules, {"scikit-learn": "sklearn"}.get(library, library), None
    )
    with pytest.raises(EnvironmentFault) as caught:
        TRAIN.run(settings(recipe), inputs, context)
    assert str(caught.value) == (
        f"T-T010: training needs {library}, which is not installed here. "
        "Install it with: pip install 'titian[train]'"
    )
