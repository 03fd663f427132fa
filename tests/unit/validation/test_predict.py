"""Answering cases with a model, and admitting a model that was made elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from titian.dataset.predictions import read_predictions
from titian.dataset.records import Records, write_records
from titian.dataset.split import write_split
from titian.errors import InputError
from titian.models import Card, load_model, with_card
from titian.validation.predict import PREDICT, PredictSettings
from titian.validation.vendor import ADMIT, AdmitSettings, ModelBlock
from titian.values import Data, Project


@dataclass
class PlainContext:
    """Runs everything in this process, in order."""

    folder: Path
    scratch: Path
    seed: int = 0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def progress(self, step: str, done: int, total: int) -> None:
        assert step
        assert 0 <= done <= total

    def map(self, function, items, *, step):
        self.progress(step, 0, 1)
        return [function(item, np.random.default_rng(0)) for item in items]


@pytest.fixture
def context(tmp_path: Path) -> PlainContext:
    for name in ("out", "scratch"):
        (tmp_path / name).mkdir()
    return PlainContext(folder=tmp_path / "out", scratch=tmp_path / "scratch")


def brightness_model(*, head: str = "softmax", columns: int = 2, side: int | str = "h"):
    """Return a foreign model whose logit of the last class is 8 * mean - 4."""
    weights = np.zeros((columns, 1), np.float32)
    offset = np.zeros(columns, np.float32)
    weights[-1], offset[-1] = 8, -4
    nodes = [
        helper.make_node("GlobalAveragePool", ["data"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1),
    ]
    if head == "softmax":
        nodes.append(helper.make_node("Softmax", ["logits"], ["scores"], axis=1))
    elif head == "sigmoid":
        nodes.append(helper.make_node("Sigmoid", ["logits"], ["scores"]))
    out = "logits" if head == "none" else "scores"
    width = "w" if isinstance(side, str) else side
    graph = helper.make_graph(
        nodes,
        "vendor",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, ["n", 1, side, width])],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, ["n", columns])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(offset, "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


N = 50
LEVELS = np.linspace(0, 255, N).astype(np.uint8)


@pytest.fixture
def study(tmp_path: Path):
    """Gray images from black to white; the brighter half is positive."""
    names, digests = [], []
    for place, level in enumerate(LEVELS):
        names.append(f"{place}.png")
        size = (6, 8) if place % 2 else (7, 5)
        Image.fromarray(np.full(size, level, np.uint8)).save(tmp_path / names[-1])
        digests.append(hashlib.sha256((tmp_path / names[-1]).read_bytes()).hexdigest())
    records = Records(
        case=np.arange(N) * 2,
        label=np.where(LEVELS > 127, "ill", "well"),
        image=np.asarray(names),
        sha256=np.asarray(digests),
        subject=np.asarray([f"s{place // 2}" for place in range(N)]),
        attributes={"sex": np.asarray(["f", "m"])[np.arange(N) % 2]},
    )
    write_records(records, tmp_path / "records.parquet")
    part = np.asarray(["train", "tune", "test", "test", ""])[np.arange(N) % 5]
    write_split(records.case, part, tmp_path / "split.parquet")
    return {
        "source": tmp_path,
        "records": tmp_path / "records.parquet",
        "split": tmp_path / "split.parquet",
        "vendor": tmp_path / "vendor.onnx",
    }


def admit(study, context, model, **changes):
    study["vendor"].write_bytes(model.SerializeToString())
    stated = {
        "classes": (),
        "threshold": None,
        "range": (0.0, 1.0),
        "activation": "auto",
        "output": "",
        "columns": (),
        "positive": "well",
        "images": True,
    }
    return ADMIT.run(AdmitSettings(**(stated | changes)), study, context)


def expected() -> np.ndarray:
    return 1 / (1 + np.exp(4 - 8 * LEVELS.astype(np.float64) / 255))


@pytest.mark.parametrize(
    ("head", "columns", "said"),
    [
        ("softmax", 2, "probabilities; nothing was added."),
        ("none", 2, "logits; a softmax was added behind them."),
        ("sigmoid", 1, "probabilities; nothing was added."),
        ("none", 1, "logits; a sigmoid was added behind them."),
    ],
)
def test_predictions_hold_every_tune_and_test_case(study, context, head, columns, said):
    made = admit(study, context, brightness_model(head=head, columns=columns), positive="ill",
                 classes=("well", "ill"), threshold=0.9)  # fmt: skip
    assert made.findings[0].what == f"Tried on 16 cases, the model answers {said}"
    study["model.fp32"] = made.artifacts["model.fp32"]
    result = PREDICT.run(PredictSettings(), study, context)
    got = read_predictions(result.artifacts["predictions"])
    kept = np.flatnonzero(np.isin(np.arange(N) % 5, [1, 2, 3]))
    assert got.case.tolist() == (kept * 2).tolist()
    assert set(got.part) == {"tune", "test"}
    assert got.classes == ("well", "ill")
    assert got.scores[:, 1] == pytest.approx(expected()[kept], abs=1e-5)
    assert got.prediction.tolist() == np.where(expected()[kept] >= 0.9, "ill", "well").tolist()
    assert got.subject is not None
    assert got.attributes["sex"].tolist() == np.asarray(["f", "m"])[kept % 2].tolist()
    assert {m.subgroup["part"]: m.value for m in result.measurements if m.subgroup} == {
        "tune": 10.0,
        "test": 20.0,
    }


def test_the_same_run_gives_the_same_bytes(study, context):
    made = admit(study, context, brightness_model(), classes=("ill", "well"))
    study["model.fp32"] = made.artifacts["model.fp32"]
    first, second = (
        PREDICT.run(PredictSettings(), study, context).artifacts["predictions"].read_bytes()
        for _ in range(2)
    )
    assert first == second


def test_an_image_that_changed_since_it_was_recorded_is_refused(study, context):
    made = admit(study, context, brightness_model(), classes=("ill", "well"))
    study["model.fp32"] = made.artifacts["model.fp32"]
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(study["source"] / "2.png")
    with pytest.raises(InputError, match=r"^T-D042: image '2\.png'"):
        PREDICT.run(PredictSettings(), study, context)


def test_a_positive_class_that_comes_first_is_moved_to_the_end(study, context):
    made = admit(study, context, brightness_model(), positive="well", classes=("well", "ill"))
    model = load_model(made.artifacts["model.fp32"])
    assert (model.card.classes, model.card.threshold) == (("ill", "well"), 0.5)
    bright = model.predict_images([np.ones((4, 4))])[0]
    assert bright[0] == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-5)
    codes = [finding.code for finding in made.findings]
    assert codes == ["model.activation", "model.default_threshold"]


def test_a_fixed_size_is_kept_and_said(study, context):
    made = admit(study, context, brightness_model(side=12), positive=None)
    assert load_model(made.artifacts["model.fp32"]).card.size == (12, 12)
    assert "model.fixed_size" in [finding.code for finding in made.findings]
    assert made.controls[0].found


def test_a_model_of_titians_own_keeps_its_card(study, context):
    card = Card(input="image", classes=("well", "ill"), positive="ill", threshold=0.7)
    model = brightness_model()
    model.graph.node[0].input[0] = "image"
    model.graph.input[0].name = "image"
    own = with_card(model, card)
    made = admit(study, context, own, positive="ill")
    assert load_model(made.artifacts["model.fp32"]).card == card
    changed = admit(study, context, own, positive="ill", threshold=0.2)
    assert load_model(changed.artifacts["model.fp32"]).card.threshold == 0.2
    with pytest.raises(InputError) as caught:
        admit(study, context, own, positive="well")
    assert str(caught.value) == (
        "T-M012: data.positive is 'well' and the model states 'ill'. "
        "Write the model's positive class under data.positive."
    )


def test_a_label_without_a_class_is_refused_twice(study, context):
    move = "State the model's classes as the table writes them, in its order."
    with pytest.raises(InputError) as caught:
        admit(study, context, brightness_model(), positive=None, classes=("ill", "fine"))
    assert str(caught.value) == (
        "T-M011: the data hold label 'well', which is no class of vendor.onnx "
        f"('ill', 'fine'). {move}"
    )
    card = Card(input="image", classes=("ill", "fine"))
    model = brightness_model()
    model.graph.node[0].input[0] = "image"
    model.graph.input[0].name = "image"
    study["model.fp32"] = study["source"] / "model.onnx"
    study["model.fp32"].write_bytes(with_card(model, card).SerializeToString())
    with pytest.raises(InputError) as caught:
        PREDICT.run(PredictSettings(), study, context)
    assert str(caught.value) == (
        "T-M011: the data hold label 'well', which is no class of model.onnx "
        f"('ill', 'fine'). {move}"
    )


def test_scores_that_are_no_probabilities_are_refused(study, context):
    with pytest.raises(InputError) as caught:
        admit(study, context, brightness_model(head="none"), activation="none")
    assert str(caught.value).startswith("T-M013: vendor.onnx answers -4 to ")
    assert str(caught.value).endswith("Set model.activation to softmax or sigmoid.")


def test_three_outputs_and_a_positive_class_do_not_fit(study, context):
    with pytest.raises(InputError) as caught:
        admit(study, context, brightness_model(columns=3), classes=("a", "ill", "well"))
    assert str(caught.value) == (
        "T-M012: data.positive is 'well' and vendor.onnx has classes ['a', 'ill', 'well']; a "
        "positive class needs exactly two, of which it is one. "
        "State the two classes under model.classes, or leave data.positive out."
    )


def table_model(p: int):
    weights = np.stack([np.zeros(p), np.arange(1, p + 1)], axis=1).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["X", "w"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
        ],
        "vendor",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n", p])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)


def test_a_table_model_reads_columns_in_the_stated_order(study, context):
    records = Records(
        case=np.arange(20),
        label=np.asarray(["0", "1"])[np.arange(20) % 2],
        features={"a": np.linspace(-1, 1, 20), "b": np.zeros(20), "t": np.full(20, "x")},
    )
    write_records(records, study["records"])
    write_split(records.case, np.full(20, "test"), study["split"])
    how = {"images": False, "positive": "1", "threshold": 0.5}
    made = admit(study, context, table_model(2), columns=("b", "a"), **how)
    study["model.fp32"] = made.artifacts["model.fp32"]
    result = PREDICT.run(PredictSettings(), study, context)
    got = read_predictions(result.artifacts["predictions"])
    assert got.scores[:, 1] == pytest.approx(
        1 / (1 + np.exp(-2 * np.linspace(-1, 1, 20))), abs=1e-6
    )
    with pytest.raises(InputError) as caught:
        admit(study, context, table_model(3), **how)
    assert str(caught.value) == (
        "T-M006: vendor.onnx reads 3 numeric columns and the project gives 2 (a, b). "
        "Name the columns in the model's order under model.columns."
    )


def test_bad_values_of_the_block_are_named_together():
    bad = ModelBlock(
        onnx="v.onnx", classes=("a",), threshold=2.0, range=(1.0, 0.0), activation="tanh"
    )
    project = Project(
        name="p",
        intended_use="u",
        data=Data(table="t.csv", label="y"),
        blocks={"model": bad},
    )
    with pytest.raises(InputError) as caught:
        ADMIT.configure(project)
    move = "Mend the `model:` block of titian.yaml."
    assert str(caught.value) == (
        f"T-M012: model.activation is 'tanh'; known are auto, none, softmax, sigmoid. {move}\n"
        f"T-M012: model.threshold is 2.0; it must lie in [0, 1]. {move}\n"
        f"T-M012: model.range is [1.0, 0.0]; it must be [black, white]. {move}\n"
        f"T-M012: model.classes are ['a']; two or more, each once. {move}"
    )


def test_a_project_without_a_model_block_admits_none():
    project = Project(name="p", intended_use="u", data=Data(table="t.csv", label="y"))
    assert ADMIT.configure(project) is None
    assert PREDICT.configure(project) == PredictSettings()
