"""The ONNX graph of a tabular model, with its preprocessing inside.

Written node by node instead of through a converter: the graph then reads strings and
missing values the way `Encoding` does, its bytes depend on the model alone, and the only
private names of scikit-learn that are read are the trees of its boosting.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from titian.training.calibration import Calibration
from titian.training.table import Encoding, Fitted

OPSET = 18
OPSET_ML = 3
IR_VERSION = 8

TREE_COLUMNS = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
    "target_treeids",
    "target_nodeids",
    "target_ids",
    "target_weights",
)


def table_graph(fitted: Fitted, calibration: Calibration) -> Any:  # noqa: ANN401 - no types
    """Return an ``onnx.ModelProto``: numbers, texts -> probabilities."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, values: npt.NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name

    def node(operator: str, sources: list[str], target: str, **attributes: Any) -> str:  # noqa: ANN401
        nodes.append(helper.make_node(operator, sources, [target], name=target, **attributes))
        return target

    encoding = fitted.encoding
    parts: list[str] = []
    if encoding.numbers:
        if fitted.candidate.trees:
            parts.append("numbers")
        else:
            missing = node("IsNaN", ["numbers"], "missing")
            medians = constant("medians", encoding.medians)
            filled = node("Where", [missing, medians, "numbers"], "filled")
            centred = node("Sub", [filled, constant("means", encoding.means)], "centred")
            parts.append(node("Div", [centred, constant("scales", encoding.scales)], "scaled"))
            if encoding.gaps:
                places = constant("gap_places", np.asarray(encoding.gaps, np.int64))
                gaps = node("Gather", [missing, places], "gaps", axis=1)
                parts.append(node("Cast", [gaps], "indicators", to=TensorProto.FLOAT))
    for place, categories in enumerate(encoding.categories):
        if categories:
            at = constant(f"text_place_{place}", np.asarray(place, np.int64))
            column = node("Gather", ["texts", at], f"text_{place}", axis=1)
            parts.append(
                node(
                    "OneHotEncoder",
                    [column],
                    f"categories_{place}",
                    domain="ai.onnx.ml",
                    cats_strings=list(categories),
                    zeros=1,
                )
            )
    matrix = parts[0] if len(parts) == 1 else node("Concat", parts, "matrix", axis=1)
    if fitted.candidate.trees:
        logits = node(
            "TreeEnsembleRegressor",
            [matrix],
            "margins",
            domain="ai.onnx.ml",
            **tree_attributes(fitted.estimator),
        )
    else:
        weights = constant("weights", fitted.estimator.coef_.T.astype(np.float32))
        intercept = constant("intercept", fitted.estimator.intercept_.astype(np.float32))
        logits = node("Gemm", [matrix, weights, intercept], "margins")
    if len(calibration.shift) == 2:
        both = constant("margin_to_logits", np.asarray([[0.0, 1.0]], np.float32))
        logits = node("MatMul", [logits, both], "logits")
    scale = constant("temperature_scale", np.asarray(calibration.scale, np.float32))
    shift = constant("calibration_shift", np.asarray(calibration.shift, np.float32))
    scaled = node("Mul", [logits, scale], "tempered")
    shifted = node("Add", [scaled, shift], "calibrated")
    node("Softmax", [shifted], "probabilities", axis=1)
    inputs = _inputs(encoding)
    output = helper.make_tensor_value_info(
        "probabilities", TensorProto.FLOAT, ["n", len(calibration.shift)]
    )
    graph = helper.make_graph(nodes, "tabular", inputs, [output], constants)
    return helper.make_model(
        graph,
        opset_imports=[
            helper.make_opsetid("", OPSET),
            helper.make_opsetid("ai.onnx.ml", OPSET_ML),
        ],
        ir_version=IR_VERSION,
        producer_name="titian",
    )


def tree_attributes(estimator: Any) -> dict[str, Any]:  # noqa: ANN401 - no types there
    """Return the attributes of TreeEnsembleRegressor that equal a boosting's margins.

    Features are float32 and split values float64 there, float32 here: rounding a split
    value down keeps every comparison ``x <= split`` as it was.
    """
    columns: dict[str, list[Any]] = {key: [] for key in TREE_COLUMNS}
    tree = 0
    iterations = estimator._predictors  # noqa: SLF001 - scikit-learn shows its trees nowhere else
    for iteration in iterations:
        for target, predictor in enumerate(iteration):
            for place, row in enumerate(predictor.nodes):
                leaf = bool(row["is_leaf"])
                columns["nodes_treeids"].append(tree)
                columns["nodes_nodeids"].append(place)
                columns["nodes_featureids"].append(0 if leaf else int(row["feature_idx"]))
                columns["nodes_values"].append(0.0 if leaf else _down(row["num_threshold"]))
                columns["nodes_modes"].append("LEAF" if leaf else "BRANCH_LEQ")
                columns["nodes_truenodeids"].append(0 if leaf else int(row["left"]))
                columns["nodes_falsenodeids"].append(0 if leaf else int(row["right"]))
                columns["nodes_missing_value_tracks_true"].append(
                    0 if leaf else int(row["missing_go_to_left"])
                )
                if leaf:
                    columns["target_treeids"].append(tree)
                    columns["target_nodeids"].append(place)
                    columns["target_ids"].append(target)
                    columns["target_weights"].append(float(row["value"]))
            tree += 1
    baseline = np.ravel(estimator._baseline_prediction)  # noqa: SLF001 - as above
    return {
        **columns,
        "base_values": [float(value) for value in baseline],
        "n_targets": len(baseline),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
    }


def _down(value: float) -> float:
    rounded = np.float32(value)
    if float(rounded) > float(value):
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)


def _inputs(encoding: Encoding) -> list[Any]:
    from onnx import TensorProto, helper

    kinds = (
        ("numbers", TensorProto.FLOAT, encoding.numbers),
        ("texts", TensorProto.STRING, encoding.texts),
    )
    return [
        helper.make_tensor_value_info(name, kind, ["n", len(columns)])
        for name, kind, columns in kinds
        if columns
    ]
