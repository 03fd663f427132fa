"""Opening models: translation, detection, declared ranges and files that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from tests.unit.validation.robustness.models_under_attack import SMALL, blobs, save, save_linear

from titian.errors import InputError
from titian.validation.robustness import attack, make_samples, open_victim, read_samples


def test_onnx_is_differentiated_before_its_softmax(tmp_path) -> None:
    samples = blobs()
    victim = open_victim(save_linear(tmp_path / "m.onnx"), samples)
    assert (victim.output, victim.why_black_box, victim.classes) == ("probabilities", "", 3)
    found = attack(victim, samples, norm="inf", eps=0.3, valid=(0, 1), budget=SMALL)
    assert (found.clean.value, found.robust.value, found.unconfirmed) == (1.0, 0.0, 0)


def test_logits_are_told_from_probabilities(tmp_path) -> None:
    victim = open_victim(save_linear(tmp_path / "m.onnx", last="Identity"), blobs())
    assert victim.output == "logits"


def test_an_operator_outside_the_table_means_black_box_and_says_so(tmp_path) -> None:
    samples = blobs()
    victim = open_victim(save_linear(tmp_path / "m.onnx", operator="Asinh"), samples)
    assert victim.why_black_box == "the translation does not cover operator Asinh"
    found = attack(victim, samples, norm="inf", eps=0.3, valid=(0, 1), budget=SMALL)
    assert [rung.name for rung in found.attacks] == ["noise", "square"]
    assert any("Only black-box attacks are run" in note for note in found.notes)
    with pytest.raises(InputError, match=r"T-S212: pgd need gradients and m\.onnx has none"):
        attack(victim, samples, norm="inf", eps=0.3, valid=(0, 1), attacks=["pgd"])


def test_a_declared_range_is_used(tmp_path) -> None:
    path = save_linear(
        tmp_path / "m.onnx", metadata={"Image.NominalPixelRange": "Normalized_0_1"}
    )
    assert open_victim(path, blobs()).range == (0.0, 1.0)
    assert open_victim(save_linear(tmp_path / "n.onnx"), blobs()).range is None


def test_a_convolutional_graph_translates_like_the_runtime(tmp_path) -> None:
    rng = np.random.default_rng(0)
    weights = {
        "k": rng.normal(size=(4, 2, 3, 3)).astype(np.float32),
        "g": rng.normal(size=4).astype(np.float32),
        "b": rng.normal(size=4).astype(np.float32),
        "m": rng.normal(size=4).astype(np.float32),
        "v": rng.uniform(0.5, 1.5, 4).astype(np.float32),
        "w": rng.normal(size=(4, 3)).astype(np.float32),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Pad", ["x", "pads"], ["p"]),
        node(
            "Conv",
            ["p", "k"],
            ["c"],
            kernel_shape=[3, 3],
            auto_pad="SAME_UPPER",
            strides=[2, 2],
        ),
        node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("MaxPool", ["r"], ["q"], kernel_shape=[2, 2], strides=[1, 1], pads=[1, 1, 0, 0]),
        node("AveragePool", ["q"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Resize", ["a", "", "scales"], ["z"], mode="linear"),
        node("GlobalAveragePool", ["z"], ["h"]),
        node("Flatten", ["h"], ["f"]),
        node("Gemm", ["f", "w"], ["scores"], alpha=0.5),
    ]
    path = save(tmp_path / "c.onnx", nodes, weights, [2, 8, 8], 3)
    x = rng.uniform(size=(12, 2, 8, 8)).astype(np.float32)
    samples = make_samples(x, np.zeros(12, np.int64))
    victim = open_victim(path, samples)
    assert victim.why_black_box == ""
    import torch

    ours = victim.logits(torch.from_numpy(x)).numpy()
    assert np.allclose(ours, victim.answer(x), atol=1e-4)
    right = make_samples(x, victim.answer(x).argmax(axis=1))
    for norm, eps in (("inf", 0.1), ("2", 0.5)):
        found = attack(
            victim, right, norm=norm, eps=eps, valid=(0, 1), attacks=["square"], budget=SMALL
        )
        assert found.clean.value == 1.0


def test_data_files_say_what_is_wrong(tmp_path) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"T-S200: d\.npz holds no plain arrays by name"):
        read_samples(path)
    np.savez(path, x=np.zeros((2, 3)))
    with pytest.raises(InputError) as caught:
        read_samples(path)
    assert str(caught.value) == (
        "T-S201: d.npz lacks y; it holds ['x']. "
        "Write it with numpy.savez(FILE, x=inputs, y=classes)."
    )
    np.savez(path, x=np.array([[0.0, np.nan]]), y=np.array([0.5]))
    with pytest.raises(InputError) as caught:
        read_samples(path)
    assert [p.code for p in caught.value.problems] == ["T-S202", "T-S203"]


def test_classes_that_the_model_lacks_are_told(tmp_path) -> None:
    samples = blobs()
    odd = make_samples(samples.x, samples.y + 1)
    with pytest.raises(InputError, match=r"T-S211: y names class 3; m\.onnx has 3 classes"):
        open_victim(save_linear(tmp_path / "m.onnx"), odd)


def test_inputs_of_another_shape_are_told(tmp_path) -> None:
    with pytest.raises(
        InputError, match=r"T-S207: m.onnx takes \(n, 6\); x has shape \(40, 7\)"
    ):
        open_victim(save_linear(tmp_path / "m.onnx"), blobs(features=7))


def test_a_program_that_the_scan_refuses_is_not_opened(tmp_path) -> None:
    path = tmp_path / "evil.pt2"
    path.write_bytes(b"\x80\x04cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(
        InputError, match=r"T-S206: evil\.pt2 is not opened: its scan refuses it"
    ):
        open_victim(path, blobs())


def test_the_command_answers_the_promised_document(tmp_path) -> None:
    import json

    from typer.testing import CliRunner

    from titian.cli.app import app

    model, data = save_linear(tmp_path / "m.onnx"), tmp_path / "d.npz"
    samples = blobs()
    np.savez(data, x=samples.x, y=samples.y)
    call = [
        "validate",
        "robustness",
        str(model),
        str(data),
        "--eps",
        "0.3",
        "--range",
        "0",
        "1",
    ]
    done = CliRunner().invoke(app, [*call, "--attacks", "fgsm,pgd,square", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["clean_accuracy"], told["robust_accuracy"], told["n"]) == (1.0, 0.0, 40)
    assert told["low"] == 0.0
    assert 0.0 < told["high"] < 0.1
    assert [set(rung) for rung in told["attacks"]] == [{"name", "seconds", "survivors"}] * 3
    assert all(control["found"] for control in told["controls"])
    assert told["output"] == "probabilities"


@pytest.mark.filterwarnings("ignore")
def test_a_torch_program_is_attacked_before_its_softmax(tmp_path) -> None:
    import torch
    from tests.unit.validation.robustness.models_under_attack import linear_weights

    layer = torch.nn.Linear(6, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(10 * linear_weights()).T)
        layer.bias.copy_(-layer.weight.sum(1) / 2)
    module = torch.nn.Sequential(layer, torch.nn.Softmax(-1)).eval()
    for name, shapes in (("free", ({0: torch.export.Dim("n")},)), ("fixed", None)):
        path = tmp_path / f"{name}.pt2"
        program = torch.export.export(module, (torch.zeros(7, 6),), dynamic_shapes=shapes)
        torch.export.save(program, path)
        samples = blobs()
        victim = open_victim(path, samples)
        assert (victim.kind, victim.output) == ("torch.export", "probabilities")
        assert any("before the last softmax" in note for note in victim.notes)
        found = attack(victim, samples, norm="2", eps=0.5, valid=(0, 1), budget=SMALL)
        assert (found.clean.value, found.robust.value) == (1.0, 0.0)
