"""The stage ``train``: records and a split -> a model with everything inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.dataset.images import read_image
from titian.dataset.records import read_records
from titian.dataset.split import read_split
from titian.errors import EnvironmentFault, InputError, Problem
from titian.models import Card, OnnxModel, model_facts, with_card
from titian.stage import Context, Stage, StageResult
from titian.training.agreement import Ask, agreement, planted_weight
from titian.training.block import TrainingBlock, TrainSettings, configure
from titian.training.calibration import (
    Calibration,
    Scores,
    calibrate,
    choose_threshold,
    cross_entropy,
    rank_auc,
)
from titian.training.cases import Cases, choose_side, class_order, divide, read_pixels
from titian.training.figures import folds_table, growth_curve, learning_curve
from titian.training.loop import Part, Plan, train_network
from titian.training.network import (
    Preprocessing,
    build_network,
    class_shares,
    load_weights,
    logits_of,
    missing,
    reproducible,
)
from titian.training.network_graph import network_graph
from titian.training.signal import signal_control, signal_finding
from titian.training.table import CANDIDATES, cross_validate, fit, growth
from titian.training.table_graph import table_graph
from titian.values import Figure, Measurement, Replay

#: Tune images that are put to the exported model in their full size as well.
FULL_SIZE_CASES = 16

REPLAY = Replay(
    derivable=True,
    tolerance=0.05,
    reason=(
        "identical on one platform with the same library versions (one thread, seeded, "
        "deterministic algorithms); another processor or library rounds sums differently, "
        "and an epoch or a threshold may then fall to a neighbour"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a recipe came to.

    Attributes:
        graph: ``onnx.ModelProto`` without a card.
        card: without a threshold.
        tune_scores: the framework's calibrated probabilities, shape (n, k).
        ask: puts the tune cases to a loaded model.
        calibration: fitted on tune.
        measurements: of this recipe alone.
        figures: learning curves and scores.
    """

    graph: Any
    card: Card
    tune_scores: Scores
    ask: Ask
    calibration: Calibration
    measurements: tuple[Measurement, ...]
    figures: tuple[Figure, ...]


def run(settings: TrainSettings, inputs: Mapping[str, Path], context: Context) -> StageResult:
    """Train, calibrate, choose the threshold, export, and check the export."""
    records = read_records(inputs["records"])
    part = read_split(inputs["split"], records.case)
    classes = class_order(records.label, settings.positive)
    train, tune = divide(records, part, classes)
    make = _make_network if settings.recipe == "cnn" else _make_table
    made = make(settings, train, tune, classes, inputs["source"], context)
    threshold = None
    if settings.positive is not None:
        threshold = choose_threshold(
            np.asarray(made.tune_scores[:, 1], np.float32).astype(np.float64),
            tune.codes == 1,
            sensitivity=settings.sensitivity,
        )
    card = Card(
        input=made.card.input,
        classes=classes,
        positive=settings.positive,
        threshold=threshold,
        recipe=settings.recipe,
        temperature=made.calibration.temperature,
        numbers=made.card.numbers,
        texts=made.card.texts,
    )
    model = with_card(made.graph, card)
    path = context.folder / "model.onnx"
    path.write_bytes(model.SerializeToString(deterministic=True))
    difference = agreement(path, made.tune_scores, made.ask)
    aside = context.folder / "planted.onnx"
    controls = (
        planted_weight(model, aside, made.tune_scores, made.ask),
        signal_control(made.tune_scores, tune.codes, tune.records.unit, seed=settings.seed),
    )
    shares = class_shares(train.codes, len(classes))
    finding = signal_finding(made.tune_scores, tune.codes, tune.records.unit, shares=shares)
    n = len(tune.codes)
    measurements = [
        Measurement(name="train_cases", value=float(len(train.codes)), n=len(train.codes)),
        Measurement(name="tune_cases", value=float(n), n=n),
        Measurement(
            name="parameters", value=float(model_facts(path).parameters), n=1, method="counted"
        ),
        *made.measurements,
        Measurement(
            name="tune_loss",
            value=cross_entropy(made.tune_scores, tune.codes),
            n=n,
            unit="nat",
            method="cross-entropy after calibration; the tune part is not a test",
        ),
        Measurement(
            name="temperature",
            value=made.calibration.temperature,
            n=n,
            method="least cross-entropy on tune; 1 unless that saves more than 1 nat",
        ),
        Measurement(
            name="onnx_max_difference",
            value=difference,
            n=n,
            method="largest difference of a probability, ONNX against the framework, on tune",
        ),
    ]
    if threshold is not None:
        rule = (
            "largest Youden index on tune"
            if settings.sensitivity is None
            else f"highest threshold with sensitivity {settings.sensitivity:g} on tune"
        )
        measurements += [
            Measurement(name="threshold", value=threshold, n=n, method=rule),
            Measurement(
                name="tune_auc",
                value=rank_auc(made.tune_scores[:, 1], tune.codes == 1),
                n=n,
                method="Mann-Whitney; the tune part is not a test",
            ),
        ]
    return StageResult(
        artifacts={"model.fp32": path},
        measurements=tuple(measurements),
        findings=() if finding is None else (finding,),
        figures=made.figures,
        controls=controls,
        replay=REPLAY,
    )


def _make_network(
    settings: TrainSettings,
    train: Cases,
    tune: Cases,
    classes: tuple[str, ...],
    root: Path,
    context: Context,
) -> Made:
    side = choose_side(train.records.files)
    pixels = read_pixels(train.records, root, side, context)
    tune_pixels = read_pixels(tune.records, root, side, context)
    spread = float(pixels.std(dtype=np.float64))
    preprocessing = Preprocessing(
        size=side,
        mean=float(pixels.mean(dtype=np.float64)),
        scale=spread if spread > 0 else 1.0,
    )
    with reproducible():
        train_part = Part(inputs=preprocessing.apply(pixels), codes=train.codes)
        tune_part = Part(inputs=preprocessing.apply(tune_pixels), codes=tune.codes)
        trained = train_network(
            train_part,
            tune_part,
            classes=len(classes),
            plan=Plan(seed=settings.seed, epochs=settings.epochs),
            folder=context.scratch,
            progress=lambda done, total: context.progress("train epochs", done, total),
        )
        network = build_network(len(classes), seed=settings.seed)
        load_weights(network, trained.weights)
        logits = logits_of(network, tune_part.inputs)
        calibration = calibrate(
            logits, tune.codes, shares=trained.shares, trained_shares=trained.trained_shares
        )
        graph = network_graph(network, preprocessing, calibration)
        tune_scores = calibration.apply(logits)
    full = [
        read_image(root, path, digest) for path, digest in list(_images(tune))[:FULL_SIZE_CASES]
    ]

    def ask(model: OnnxModel) -> Scores:
        scores = model.predict_images(list(tune_pixels[:, 0]))
        whole = model.predict_images(full)
        # Full-size images replace the resized ones, so that both ways in are checked.
        worse = np.abs(whole - tune_scores[: len(full)]) > np.abs(
            scores[: len(full)] - tune_scores[: len(full)]
        )
        scores[: len(full)] = np.where(worse, whole, scores[: len(full)])
        return scores

    epochs = len(trained.tune_losses)
    return Made(
        graph=graph,
        card=Card(input="image", classes=classes, recipe="cnn"),
        tune_scores=tune_scores,
        ask=ask,
        calibration=calibration,
        measurements=(
            Measurement(name="epochs", value=float(epochs), n=len(train.codes)),
            Measurement(name="best_epoch", value=float(trained.best_epoch), n=len(tune.codes)),
        ),
        figures=(learning_curve(trained),),
    )


def _make_table(
    settings: TrainSettings,
    train: Cases,
    tune: Cases,
    classes: tuple[str, ...],
    root: Path,  # noqa: ARG001 - a table has no files beside it
    context: Context,
) -> Made:
    features, unit = train.records.features, train.records.unit
    require_features(features)
    require_scikit_learn()
    scores = cross_validate(
        features,
        train.codes,
        unit,
        seed=settings.seed,
        progress=lambda done, total: context.progress("cross-validate", done, total),
    )
    candidate = CANDIDATES[int(np.argmin([score.mean for score in scores]))]
    fitted = fit(candidate, features, train.codes, seed=settings.seed)
    logits = fitted.logits(tune.records.features)
    shares = class_shares(train.codes, len(classes))
    calibration = calibrate(logits, tune.codes, shares=shares, trained_shares=shares)
    graph = table_graph(fitted, calibration)
    steps = growth(
        candidate,
        features,
        train.codes,
        unit,
        tune.records.features,
        tune.codes,
        seed=settings.seed,
        progress=lambda done, total: context.progress("learning curve", done, total),
    )
    return Made(
        graph=graph,
        card=Card(
            input="table",
            classes=classes,
            recipe="tabular",
            numbers=fitted.encoding.numbers,
            texts=fitted.encoding.texts,
        ),
        tune_scores=calibration.apply(logits),
        ask=lambda model: model.predict_table(tune.records.features),
        calibration=calibration,
        measurements=(
            Measurement(
                name="cross_validated_loss",
                value=min(score.mean for score in scores),
                n=len(train.codes),
                unit="nat",
                method=f"{candidate.name}; mean over folds by subject, training part alone",
            ),
        ),
        figures=(folds_table(scores, candidate.name), growth_curve(steps)),
    )


def _images(cases: Cases) -> zip[tuple[str, str]]:
    records = cases.records
    if records.image is None or records.sha256 is None:
        raise TypeError("records of images lack their paths")
    return zip(records.image.tolist(), records.sha256.tolist(), strict=True)


def require_features(features: Mapping[str, npt.NDArray[Any]]) -> None:
    """Refuse a table without inputs.

    Raises:
        InputError: T-T008, no column is left.
    """
    if not features:
        raise InputError(
            Problem(
                code="T-T008",
                message="the table has no feature column; a tabular model needs one or more.",
                remedy="Look at data.features.exclude, or name data.image.",
            )
        )


def require_scikit_learn() -> None:
    """Say how to install what a tabular recipe needs.

    Raises:
        EnvironmentFault: T-T010.
    """
    try:
        import sklearn  # noqa: F401 - whether it is there
    except ModuleNotFoundError as error:
        raise EnvironmentFault(missing("scikit-learn")) from error


TRAIN: Stage[TrainSettings] = Stage(
    name="train",
    summary="Train a model on the training part; calibrate it and set its threshold on tune.",
    reads=("source", "records", "split"),
    writes=("model.fp32",),
    configure=configure,
    run=run,
    block="training",
    block_type=TrainingBlock,
)
