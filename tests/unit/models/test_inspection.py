"""A foreign file is looked at before anything runs it."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper

from titian.errors import InputError
from titian.models import load_model, parse_model
from titian.models.inspection import read_bytes

from .conftest import image_graph

ONE_FILE = "Write it again with onnx.save(onnx.load(PATH), 'one.onnx')."
REFUSE = "Do not use this file; ask for the model as one file."


def outside(place: str):
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    return tensor


def message_of(model) -> str:
    with pytest.raises(InputError) as caught:
        parse_model(model.SerializeToString(), name="m.onnx")
    return str(caught.value)


def test_an_honest_model_passes():
    assert parse_model(image_graph().SerializeToString(), name="m.onnx").graph.name == "tiny"


@pytest.mark.parametrize("content", [b"\x00\x01garbage", b"", b"PK\x03\x04zip"])
def test_bytes_that_are_no_model_are_refused(content):
    with pytest.raises(InputError) as caught:
        parse_model(content, name="m.onnx")
    assert str(caught.value) == (
        f"T-M001: m.onnx is not an ONNX model ({len(content)} bytes without a graph that can "
        "be read). Give the path of a file that an ONNX exporter wrote."
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError) as caught:
        load_model(tmp_path / "gone.onnx")
    assert str(caught.value) == (
        "T-M001: model gone.onnx cannot be read (No such file or directory). "
        "Check the path and the file's permissions."
    )


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(InputError, match=r"T-M001: empty\.onnx is not an ONNX model"):
        read_bytes(tmp_path / "empty.onnx")


@pytest.mark.parametrize(
    "place", ["../secret", "/etc/passwd", "a/../../b", "C:\\data", "\\\\host\\share", "..\\up"]
)
def test_a_weight_outside_the_folder_is_refused(place):
    model = image_graph()
    model.graph.initializer.append(outside(place))
    assert message_of(model) == (
        f"T-M003: m.onnx keeps weight 'far' in {place!r}, which leaves the model's folder; "
        f"a model must not read other files of this machine. {REFUSE}"
    )


def test_a_weight_in_a_file_beside_is_refused_too():
    model = image_graph()
    model.graph.initializer.append(outside("weights.bin"))
    assert message_of(model) == (
        "T-M004: m.onnx keeps weight 'far' in another file ('weights.bin'); a model must be "
        f"one file, so that one digest names it. {ONE_FILE}"
    )


def test_a_weight_hidden_in_a_constant_of_an_inner_graph_is_found():
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], value=outside("../x"))],
        "inner",
        [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])],
    )
    model = image_graph(
        nodes=[helper.make_node("If", ["flag"], ["o"], then_branch=inner, else_branch=inner)]
    )
    assert message_of(model).startswith("T-M003: m.onnx keeps weight 'far' in '../x'")


def test_an_operator_outside_the_standard_is_refused_also_inside_a_function():
    call = helper.make_function(
        "own.functions",
        "Inner",
        ["a"],
        ["b"],
        [helper.make_node("Evil", ["a"], ["b"], domain="evil.ops")],
        [helper.make_opsetid("evil.ops", 1)],
    )
    nodes = [helper.make_node("Inner", ["flat"], ["out"], domain="own.functions")]
    model = image_graph(nodes=nodes, domains=("own.functions", "evil.ops"))
    model.functions.append(call)
    assert message_of(model) == (
        "T-M005: m.onnx uses operator 'Evil' of domain 'evil.ops'; only 'ai.onnx' and "
        "'ai.onnx.ml' have a meaning that every runtime shares. "
        "Export the model with standard operators."
    )


def test_a_graph_against_the_standard_is_refused():
    model = image_graph(nodes=[helper.make_node("Relu", ["nowhere"], ["out"])])
    assert message_of(model).startswith("T-M002: m.onnx breaks the ONNX standard: ")


def test_all_problems_of_a_file_are_raised_together():
    nodes = [helper.make_node("Odd", ["flat"], ["out"], domain="x.y")]
    model = image_graph(nodes=nodes, domains=("x.y",))
    model.graph.initializer.extend([outside("../a"), outside("b")])
    assert [line[:6] for line in message_of(model).splitlines()] == [
        "T-M003",
        "T-M004",
        "T-M005",
    ]
