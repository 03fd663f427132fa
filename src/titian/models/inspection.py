"""Look at a foreign ONNX file before anything runs it.

The bytes are parsed once without following a reference to another file; what the caller
runs later are the bytes that were inspected here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from titian.errors import InputError, Problem

#: Operators whose meaning the ONNX standard fixes; anything else is somebody's own code.
STANDARD_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

#: Protocol buffers cannot hold more, and a larger model keeps its weights in other files.
LARGEST_BYTES = 2**31 - 1


def parse_model(content: bytes, *, name: str) -> Any:  # noqa: ANN401 - onnx ships no types
    """Return the ``onnx.ModelProto`` in `content` after every static check.

    Args:
        content: the file's bytes.
        name: how messages name the file.

    Raises:
        InputError: T-M001 not an ONNX model; T-M002 against the standard; T-M003 a
            weight in a file outside the folder; T-M004 a weight in another file;
            T-M005 an operator outside the standard. All found are raised together.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise InputError(_not_onnx(name, len(content))) from error
    if not model.HasField("graph") or not model.graph.node or not model.opset_import:
        raise InputError(_not_onnx(name, len(content)))
    problems = [*_external(model, name), *_foreign(model, name)]
    if not problems:
        try:
            onnx.checker.check_model(model)
        except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(". ")
            problems.append(
                Problem(
                    code="T-M002",
                    message=f"{name} breaks the ONNX standard: {reason}.",
                    remedy="Export the model again with a current exporter.",
                )
            )
    if problems:
        raise InputError(*problems)
    return model


def read_bytes(path: Path) -> bytes:
    """Read a model file.

    Raises:
        InputError: T-M001, there is no such file, or it is empty or too large.
    """
    try:
        size = path.stat().st_size
        if 0 < size <= LARGEST_BYTES:
            return path.read_bytes()
    except OSError as error:
        raise InputError(
            Problem(
                code="T-M001",
                message=f"model {path.name} cannot be read ({error.strerror or error}).",
                remedy="Check the path and the file's permissions.",
            )
        ) from error
    raise InputError(_not_onnx(path.name, size))


def graphs(model: Any) -> Iterator[Any]:  # noqa: ANN401 - onnx ships no types
    """Yield the main graph, the functions and every graph inside an operator."""
    yield from _within(model.graph)
    for function in model.functions:
        yield from _within(function)


def _within(graph: Any) -> Iterator[Any]:  # noqa: ANN401 - onnx ships no types
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _within(attribute.g)
            for inner in attribute.graphs:
                yield from _within(inner)


def _tensors(model: Any) -> Iterator[Any]:  # noqa: ANN401 - onnx ships no types
    for graph in graphs(model):
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from attribute.tensors
                if attribute.HasField("t"):
                    yield attribute.t
                if attribute.HasField("sparse_tensor"):
                    yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)


def _external(model: Any, name: str) -> list[Problem]:  # noqa: ANN401 - onnx ships no types
    import onnx

    problems: dict[str, Problem] = {}
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL and not tensor.external_data:
            continue
        place = next((e.value for e in tensor.external_data if e.key == "location"), "")
        if _leaves(place):
            problems[place] = Problem(
                code="T-M003",
                message=(
                    f"{name} keeps weight {tensor.name!r} in {place!r}, which leaves the "
                    "model's folder; a model must not read other files of this machine."
                ),
                remedy="Do not use this file; ask for the model as one file.",
            )
        else:
            problems.setdefault(
                place,
                Problem(
                    code="T-M004",
                    message=(
                        f"{name} keeps weight {tensor.name!r} in another file ({place!r}); "
                        "a model must be one file, so that one digest names it."
                    ),
                    remedy="Write it again with onnx.save(onnx.load(PATH), 'one.onnx').",
                ),
            )
    return list(problems.values())


def _leaves(place: str) -> bool:
    for path in (PurePosixPath(place), PureWindowsPath(place)):
        if path.is_absolute() or path.drive or path.root or ".." in path.parts:
            return True
    return False


def _foreign(model: Any, name: str) -> list[Problem]:  # noqa: ANN401 - onnx ships no types
    defined = {(function.domain, function.name) for function in model.functions}
    seen = {
        (node.domain, node.op_type)
        for graph in graphs(model)
        for node in graph.node
        if node.domain not in STANDARD_DOMAINS and (node.domain, node.op_type) not in defined
    }
    return [
        Problem(
            code="T-M005",
            message=(
                f"{name} uses operator {operator!r} of domain {domain!r}; only 'ai.onnx' and "
                "'ai.onnx.ml' have a meaning that every runtime shares."
            ),
            remedy="Export the model with standard operators.",
        )
        for domain, operator in sorted(seen)
    ]


def _not_onnx(name: str, size: int) -> Problem:
    return Problem(
        code="T-M001",
        message=f"{name} is not an ONNX model ({size} bytes without a graph that can be read).",
        remedy="Give the path of a file that an ONNX exporter wrote.",
    )
