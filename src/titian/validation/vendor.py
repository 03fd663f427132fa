"""The stage ``admit``: a model that somebody else made, in the form of Titian's own.

Nothing of the model is trained or tuned here. What has to be guessed (whether it answers
logits or probabilities) is tried on real cases and said in a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.dataset.images import read_image
from titian.dataset.records import Records, read_records
from titian.errors import InputError, Problem
from titian.models import (
    Card,
    adapt,
    find_ports,
    load_model,
    model_facts,
    order_classes,
    parse_model,
    read_card,
    with_card,
)
from titian.models.adaptation import ACTIVATIONS, Ports, card_of
from titian.stage import Context, Stage, StageResult
from titian.values import Control, Finding, Measurement, Project, Severity

DEFAULT_THRESHOLD = 0.5

#: Cases on which the model is tried.
PROBE_CASES = 16

#: Row sums this close to 1 are probabilities in float32 or float16.
SUM_TOLERANCE = 2e-3

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBlock:
    """The ``model`` block.

    Attributes:
        onnx: path of the model, relative to `titian.yaml`.
        classes: labels in the order of the model's output; empty means sorted, of a
            binary task the positive one last.
        threshold: operating threshold of a binary task; None takes the model's own, or
            0.5 where it states none.
        range: what black and white become, such as [0, 255] or [-1, 1].
        activation: ``none`` where the model answers probabilities, ``softmax`` or
            ``sigmoid`` where it answers logits; ``auto`` finds out.
        output: the output that holds the scores; empty takes the first of numbers.
        columns: of a table, the columns in the order of the model's input; empty takes
            all numeric ones in the table's order.
    """

    onnx: str
    classes: tuple[str, ...] = ()
    threshold: float | None = None
    range: tuple[float, float] = (0.0, 1.0)
    activation: str = "auto"
    output: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitSettings:
    """What the admit stage runs with; attributes as in `ModelBlock`.

    Attributes:
        positive: positive class; None for an argmax over classes.
        images: the project holds images.
    """

    classes: tuple[str, ...]
    threshold: float | None
    range: tuple[float, float]
    activation: str
    output: str
    columns: tuple[str, ...]
    positive: str | None
    images: bool


def configure(project: Project) -> AdmitSettings | None:
    """Return the settings of the admit stage, or None where the project trains.

    Raises:
        InputError: T-M012, a value of the block is out of bounds; all are raised together.
    """
    block = project.blocks.get("model")
    if not isinstance(block, ModelBlock):
        return None
    problems = []
    if block.activation not in ("auto", *ACTIVATIONS):
        known = ", ".join(("auto", *ACTIVATIONS))
        problems.append(_block(f"activation is {block.activation!r}; known are {known}"))
    if block.threshold is not None and not 0.0 <= block.threshold <= 1.0:
        problems.append(_block(f"threshold is {block.threshold}; it must lie in [0, 1]"))
    if not np.isfinite(block.range).all() or block.range[0] >= block.range[1]:
        problems.append(_block(f"range is {list(block.range)}; it must be [black, white]"))
    if len(set(block.classes)) != len(block.classes) or len(block.classes) == 1:
        problems.append(_block(f"classes are {list(block.classes)}; two or more, each once"))
    if problems:
        raise InputError(*problems)
    return AdmitSettings(
        classes=block.classes,
        threshold=block.threshold,
        range=block.range,
        activation=block.activation,
        output=block.output,
        columns=block.columns,
        positive=project.data.positive,
        images=project.data.image is not None,
    )


def run(settings: AdmitSettings, inputs: Mapping[str, Path], context: Context) -> StageResult:
    """Inspect the model, give it a card, and try it on real cases."""
    records = read_records(inputs["records"])
    path = context.folder / "model.onnx"
    name = inputs["vendor"].name
    model = parse_model(inputs["vendor"].read_bytes(), name=name)
    findings: tuple[Finding, ...] = ()
    controls: tuple[Control, ...] = ()
    if any(prop.key == "titian.version" for prop in model.metadata_props):
        card = _own_card(read_card(model), settings)
        _write(with_card(model, card), path)
        _probe(path, records, inputs["source"])
    else:
        ports = find_ports(model, images=settings.images, output=settings.output, name=name)
        findings, controls, card = _admit(
            model, ports, settings, records, inputs["source"], path, name
        )
    _require_labels(records, card, name)
    facts = model_facts(path)
    measurements = [
        Measurement(name="parameters", value=float(facts.parameters), n=1, method="counted")
    ]
    if card.threshold is not None:
        method = "stated in the project file" if settings.threshold is not None else "default"
        if settings.threshold is None and card.recipe != "vendor":
            method = "stated by the model"
        measurements.append(
            Measurement(name="threshold", value=card.threshold, n=1, method=method)
        )
    return StageResult(
        artifacts={"model.fp32": path},
        measurements=tuple(measurements),
        findings=findings,
        controls=controls,
    )


def _admit(
    model: Any,  # noqa: ANN401 - onnx ships no types
    ports: Ports,
    settings: AdmitSettings,
    records: Records,
    root: Path,
    path: Path,
    name: str,
) -> tuple[tuple[Finding, ...], tuple[Control, ...], Card]:
    classes = settings.classes or order_classes(records.classes, settings.positive)
    columns = () if settings.images else _columns(settings, records, ports, name)
    single = _answers_one(ports) and len(classes) == 2
    placeholder = card_of(ports, classes=classes, numbers=columns)
    bare = adapt(model, ports, value_range=settings.range, single=single)
    _write(with_card(bare, placeholder), path)
    raw = _probe(path, records, root)[:, 1:] if single else _probe(path, records, root)
    found = settings.activation
    if found == "auto":
        if ports.operator in ("Softmax", "Sigmoid") or are_probabilities(raw):
            found = "none"
        else:
            found = "sigmoid" if single else "softmax"
    order = list(range(len(classes)))
    stated: dict[str, Any] = {"classes": classes, "numbers": columns}
    if settings.positive is not None:
        order.sort(key=lambda place: classes[place] == settings.positive)
        stated = {
            "classes": tuple(classes[place] for place in order),
            "numbers": columns,
            "positive": settings.positive,
            "threshold": DEFAULT_THRESHOLD
            if settings.threshold is None
            else settings.threshold,
        }
        _require_binary(stated["classes"], settings.positive, name)
    card = card_of(ports, **stated)
    whole = adapt(
        model,
        ports,
        value_range=settings.range,
        activation=found,
        single=single,
        order=order,
    )
    _write(with_card(whole, card), path)
    scores = _probe(path, records, root)
    if not are_probabilities(scores):
        raise InputError(
            Problem(
                code="T-M013",
                message=(
                    f"{name} answers {scores.min():.3g} to {scores.max():.3g} after activation "
                    f"{found!r}; a score of a class is a probability in [0, 1], and those of a "
                    "case sum to 1."
                ),
                remedy="Set model.activation to softmax or sigmoid.",
            )
        )
    return _findings(ports, settings, found, len(raw)), (_control(scores),), card


def are_probabilities(scores: Scores) -> bool:
    """Say whether rows look like probabilities.

    Args:
        scores: shape (n, k); with k = 1 the score of one class of two.
    """
    inside = bool(((scores >= -1e-6) & (scores <= 1 + 1e-6)).all())
    if scores.shape[1] == 1:
        return inside
    return inside and bool((np.abs(scores.sum(axis=1) - 1) <= SUM_TOLERANCE).all())


def _probe(path: Path, records: Records, root: Path) -> Scores:
    model = load_model(path)
    count = min(PROBE_CASES, len(records))
    if model.card.input == "table":
        return model.predict_table({k: v[:count] for k, v in records.features.items()})
    if records.image is None or records.sha256 is None:
        return model.predict_table({})  # says that the kinds do not fit
    pairs = zip(records.image[:count].tolist(), records.sha256[:count].tolist(), strict=True)
    return model.predict_images([read_image(root, image, digest) for image, digest in pairs])


def _answers_one(ports: Ports) -> bool:
    shape = ports.exit.shape
    return len(shape) == 1 or (len(shape) > 1 and all(length == 1 for length in shape[1:]))


def _columns(
    settings: AdmitSettings, records: Records, ports: Ports, name: str
) -> tuple[str, ...]:
    numeric = tuple(k for k, v in records.features.items() if v.dtype.kind == "f")
    columns = settings.columns or numeric
    wanted = ports.entry.shape[1]
    if wanted is None or wanted == len(columns):
        return columns
    raise InputError(
        Problem(
            code="T-M006",
            message=(
                f"{name} reads {wanted} numeric columns and the project gives {len(columns)} "
                f"({', '.join(columns)})."
            ),
            remedy="Name the columns in the model's order under model.columns.",
        )
    )


def _own_card(card: Card, settings: AdmitSettings) -> Card:
    if settings.positive != card.positive:
        raise InputError(
            Problem(
                code="T-M012",
                message=(
                    f"data.positive is {settings.positive!r} and the model states "
                    f"{card.positive!r}."
                ),
                remedy="Write the model's positive class under data.positive.",
            )
        )
    if settings.threshold is None or card.positive is None:
        return card
    from dataclasses import replace

    return replace(card, threshold=settings.threshold)


def _require_binary(classes: tuple[str, ...], positive: str, name: str) -> None:
    if len(classes) != 2 or classes[1] != positive:
        raise InputError(
            Problem(
                code="T-M012",
                message=(
                    f"data.positive is {positive!r} and {name} has classes {list(classes)}; a "
                    "positive class needs exactly two, of which it is one."
                ),
                remedy="State the two classes under model.classes, or leave data.positive out.",
            )
        )


def _require_labels(records: Records, card: Card, name: str) -> None:
    unknown = sorted(set(records.classes) - set(card.classes))
    if unknown:
        raise InputError(
            Problem(
                code="T-M011",
                message=(
                    f"the data hold label {unknown[0]!r}, which is no class of {name} "
                    f"({', '.join(repr(label) for label in card.classes)})."
                ),
                remedy="State the model's classes as the table writes them, in its order.",
            )
        )


def _findings(
    ports: Ports, settings: AdmitSettings, activation: str, cases: int
) -> tuple[Finding, ...]:
    findings = []
    if settings.activation == "auto":
        answer = "probabilities; nothing was added"
        if activation != "none":
            answer = f"logits; a {activation} was added behind them"
        findings.append(
            Finding(
                code="model.activation",
                severity=Severity.INFO,
                what=f"Tried on {cases} cases, the model answers {answer}.",
                where=f"the first {cases} cases",
                remedy="Set model.activation if this is not so.",
            )
        )
    if ports.size is not None:
        height, width = ports.size
        findings.append(
            Finding(
                code="model.fixed_size",
                severity=Severity.INFO,
                what=(
                    f"The model reads images of {height} x {width} pixels alone; every image "
                    "is resized to that before it enters."
                ),
                where="all cases",
                remedy="Check that its makers resized in the same way: bilinear, antialiased.",
            )
        )
    if settings.positive is not None and settings.threshold is None:
        findings.append(
            Finding(
                code="model.default_threshold",
                severity=Severity.WARNING,
                what=f"The model states no operating threshold; {DEFAULT_THRESHOLD} is used.",
                where="all cases",
                remedy="Ask its makers for the threshold and set model.threshold.",
            )
        )
    return tuple(findings)


def _control(scores: Scores) -> Control:
    moved = scores * 2.0
    return Control(
        check="model.activation",
        fault="the model's probabilities were doubled",
        found=not are_probabilities(moved),
        detail="doubled scores do not pass for probabilities",
        false_alarm_rate=0.0,
    )


def _write(model: Any, path: Path) -> None:  # noqa: ANN401 - onnx ships no types
    path.write_bytes(model.SerializeToString(deterministic=True))


def _block(what: str) -> Problem:
    return Problem(
        code="T-M012",
        message=f"model.{what}.",
        remedy="Mend the `model:` block of titian.yaml.",
    )


ADMIT: Stage[AdmitSettings] = Stage(
    name="admit",
    summary="Inspect a model that was made elsewhere and give it one way in and out.",
    reads=("vendor", "source", "records"),
    writes=("model.fp32",),
    configure=configure,
    run=run,
    block="model",
    block_type=ModelBlock,
)
