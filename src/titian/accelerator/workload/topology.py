"""SCALE-Sim's topology tables: convolutions, or matrix products.

A convolution's row is name, input height and width, filter height and width, channels,
filters, stride[, sparsity]; a product's row is name, M, N, K[, sparsity]. A first line of
headings and a comma at the end of each row are usual. A name with ``DP`` in it marks a
depthwise convolution, which counts as one layer per channel, as SCALE-Sim counts it.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from titian.accelerator.workload.layers import Layer, Workload
from titian.errors import InputError, Problem

CONVOLUTION_FIELDS: Final = 8
PRODUCT_FIELDS: Final = 4
DEPTHWISE_MARK: Final = "DP"
LARGEST: Final = 2**31 - 1
"""No side of a layer is larger; products of three still fit 64 bits in practice."""
MOST_MACS: Final = 2**60
"""Above this, counts would leave 64 bits."""
MOST_LAYERS: Final = 1_000_000


def read_topology(path: Path) -> Workload:
    """Read a topology file.

    Raises:
        InputError: T-C010 the file cannot be read, is empty or too long; T-C011 a row is
            neither kind; T-C012 a filter is larger than its input. All rows are told
            together.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise InputError(
            Problem(
                code="T-C010",
                message=f"topology {path.name} cannot be read ({reason}).",
                remedy="Give a table of comma-separated values in SCALE-Sim's format.",
            )
        ) from error
    layers: list[Layer] = []
    problems: list[Problem] = []
    sparse = False
    for place, row in enumerate(csv.reader(text.splitlines()), start=1):
        fields = [field.strip() for field in row]
        while fields and not fields[-1]:
            fields.pop()
        if not fields or (place == 1 and not _numbers(fields[1:4])):
            continue
        if ":" in fields[-1]:
            sparse = sparse or fields[-1].replace(" ", "") != "1:1"
            fields.pop()
        try:
            layers += _layers(fields)
        except _RowError as error:
            problems.append(
                Problem(
                    code=error.code,
                    message=f"{path.name}:{place}: {error}.",
                    remedy=error.remedy,
                )
            )
        if len(layers) > MOST_LAYERS:
            problems.append(_none(path.name, f"it asks for more than {MOST_LAYERS:,} layers"))
            break
    if not layers and not problems:
        problems.append(_none(path.name, "it holds no layer"))
    if problems:
        raise InputError(*problems)
    notes = (
        ("Sparsity ratios are not modelled: every layer is counted dense.",) if sparse else ()
    )
    return Workload(name=path.name, layers=tuple(layers), notes=notes)


class _RowError(ValueError):
    def __init__(self, code: str, message: str, remedy: str) -> None:
        self.code, self.remedy = code, remedy
        super().__init__(message)


def _layers(fields: list[str]) -> list[Layer]:
    name, numbers = fields[0], fields[1:]
    wrong = [text for text in numbers if not _numbers([text])]
    if wrong:
        raise _RowError(
            "T-C011",
            f"{wrong[0]!r} is not a whole number from 1 to {LARGEST}",
            "Give whole numbers.",
        )
    values = [int(text) for text in numbers]
    if len(fields) == PRODUCT_FIELDS:
        m, n, k = values
        made = [Layer(name=name, operator="Gemm", m=m, k=k, n=n, inputs=m * k, weights=k * n)]
    elif len(fields) in (CONVOLUTION_FIELDS, CONVOLUTION_FIELDS + 1):
        made = _convolution(name, values)
    else:
        raise _RowError(
            "T-C011",
            f"a row of {len(fields)} fields is neither a convolution "
            f"({CONVOLUTION_FIELDS}) nor a product ({PRODUCT_FIELDS})",
            "Write name, IH, IW, FH, FW, channels, filters, stride; or name, M, N, K.",
        )
    if any(layer.macs > MOST_MACS for layer in made):
        raise _RowError("T-C011", "its products exceed 2^60", "Give smaller sizes.")
    return made


def _convolution(name: str, values: list[int]) -> list[Layer]:
    height, width, filter_height, filter_width, channels, filters, down = values[:7]
    # SCALE-Sim takes one stride for both directions; a ninth field states the other one.
    across = values[7] if len(values) > 7 else down
    if filter_height > height or filter_width > width:
        raise _RowError(
            "T-C012",
            f"a filter of {filter_height} x {filter_width} does not fit an input of "
            f"{height} x {width}",
            "State the input with its padding.",
        )
    depthwise = DEPTHWISE_MARK in name
    inner = 1 if depthwise else channels
    m = _steps(height, filter_height, down) * _steps(width, filter_width, across)
    k = filter_height * filter_width * inner
    names = (
        [f"{name}Channel_{channel}" for channel in range(min(channels, MOST_LAYERS + 1))]
        if depthwise
        else [name]
    )
    return [
        Layer(
            name=each,
            operator="Conv",
            m=m,
            k=k,
            n=filters,
            inputs=height * width * inner,
            weights=k * filters,
        )
        for each in names
    ]


def _steps(length: int, window: int, stride: int) -> int:
    # Rounded up, as SCALE-Sim does: a last window may hang over the edge.
    return -(-(length - window + stride) // stride)


def _numbers(fields: list[str]) -> bool:
    return bool(fields) and all(
        field.isascii() and field.isdigit() and 1 <= int(field) <= LARGEST for field in fields
    )


def _none(name: str, reason: str) -> Problem:
    return Problem(
        code="T-C010",
        message=f"topology {name} cannot be used: {reason}.",
        remedy="Give a table of comma-separated values in SCALE-Sim's format.",
    )
