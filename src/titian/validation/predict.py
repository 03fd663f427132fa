"""The stage ``predict``: a model's answer on every tune and test case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.dataset.images import read_image
from titian.dataset.predictions import Predictions, write_predictions
from titian.dataset.records import Records, read_records
from titian.dataset.split import read_split
from titian.errors import InputError, Problem
from titian.models import OnnxModel, decide, load_model
from titian.stage import Context, Stage, StageResult
from titian.values import Measurement, Project, Replay

#: Cases that a worker reads and answers at once; part of the result's definition, since
#: a batch of another size may round differently in the last bit.
BATCH_CASES = 32

PARTS = ("tune", "test")

REPLAY = Replay(
    derivable=True,
    tolerance=0.0,
    reason="counts; scores lie in the artifact and agree across platforms to about 1e-5",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictSettings:
    """What the predict stage runs with.

    It has none: the model says how it is to be used.
    """


def configure(project: Project) -> PredictSettings:  # noqa: ARG001 - the Stage protocol
    """Every project wants predictions."""
    return PredictSettings()


def run(
    settings: PredictSettings,  # noqa: ARG001 - the Stage protocol
    inputs: Mapping[str, Path],
    context: Context,
) -> StageResult:
    """Answer the tune and test cases with the model that the run admitted or trained."""
    records = read_records(inputs["records"])
    part = read_split(inputs["split"], records.case)
    model = load_model(inputs["model.fp32"])
    chosen = np.flatnonzero(np.isin(part, PARTS))
    cases = records.take(chosen)
    require_known_labels(cases, model)
    if model.card.input == "image":
        scores = _image_scores(cases, inputs["source"], inputs["model.fp32"], model, context)
    else:
        scores = _table_scores(cases, model, context)
    predictions = Predictions(
        case=cases.case,
        part=part[chosen],
        label=cases.label,
        prediction=decide(scores, model.card),
        classes=model.card.classes,
        scores=scores,
        subject=cases.subject,
        attributes=cases.attributes,
    )
    path = context.folder / "predictions.parquet"
    write_predictions(predictions, path)
    return StageResult(
        artifacts={"predictions": path},
        measurements=tuple(
            Measurement(
                name="predicted_cases",
                value=float(count),
                n=count,
                subgroup={"part": name},
                method="counted",
            )
            for name in PARTS
            if (count := int((part == name).sum()))
        ),
        replay=REPLAY,
    )


def require_known_labels(cases: Records, model: OnnxModel) -> None:
    """Refuse labels that the model has no class for.

    Raises:
        InputError: T-M011, naming the labels.
    """
    unknown = sorted(set(cases.classes) - set(model.card.classes))
    if unknown:
        raise InputError(
            Problem(
                code="T-M011",
                message=(
                    f"the data hold label {unknown[0]!r}, which is no class of {model.name} "
                    f"({', '.join(repr(name) for name in model.card.classes)})."
                ),
                remedy="State the model's classes as the table writes them, in its order.",
            )
        )


def _image_scores(
    cases: Records, root: Path, path: Path, model: OnnxModel, context: Context
) -> npt.NDArray[np.float64]:
    if cases.image is None or cases.sha256 is None:
        model.predict_table({})  # says that the kinds do not fit
        raise TypeError("records of images lack their paths")
    items = list(zip(cases.image.tolist(), cases.sha256.tolist(), strict=True))
    batches = [items[i : i + BATCH_CASES] for i in range(0, len(items), BATCH_CASES)]
    answer = partial(_answer, root=root, model=path)
    parts = context.map(answer, batches, step="predict")
    return np.concatenate(parts) if parts else np.empty((0, len(model.card.classes)))


def _answer(
    batch: list[tuple[str, str]],
    rng: np.random.Generator,  # noqa: ARG001 - the engine gives one to every item
    *,
    root: Path,
    model: Path,
) -> npt.NDArray[np.float64]:
    stamp = model.stat()
    opened = _opened(model, stamp.st_mtime_ns, stamp.st_size)
    return opened.predict_images([read_image(root, path, digest) for path, digest in batch])


@lru_cache(maxsize=2)
def _opened(path: Path, changed: int, size: int) -> OnnxModel:  # noqa: ARG001 - part of the key
    return load_model(path)


def _table_scores(
    cases: Records, model: OnnxModel, context: Context
) -> npt.NDArray[np.float64]:
    features: dict[str, npt.NDArray[Any]] = dict(cases.features)
    scores = model.predict_table(features)
    context.progress("predict", len(cases), len(cases))
    return scores


PREDICT: Stage[PredictSettings] = Stage(
    name="predict",
    summary="Answer every tune and test case with the model, at its operating threshold.",
    reads=("source", "records", "split", "model.fp32"),
    writes=("predictions",),
    configure=configure,
    run=run,
)
