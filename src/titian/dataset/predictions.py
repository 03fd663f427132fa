"""Predictions: what a model said about each case, beside what is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from titian.dataset.parquet import read_columns, write_columns
from titian.dataset.records import Integers, Numbers, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Scores and decisions for n cases and k classes.

    Attributes:
        case: row number in the table.
        part: ``train``, ``tune``, ``test``, or ``""`` for a case that the split leaves out.
        label: the truth, one of `classes`.
        prediction: the decision at the model's operating point, one of `classes`.
        classes: order of the columns of `scores`.
        scores: (n, k), calibrated probabilities that sum to 1 over the classes.
        subject: None when the project names no subject.
        attributes: column -> text; ``""`` where missing.
    """

    case: Integers
    part: Text
    label: Text
    prediction: Text
    classes: tuple[str, ...]
    scores: Numbers
    subject: Text | None = None
    attributes: Mapping[str, Text] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.case)

    def take(self, index: NDArray[Any]) -> Predictions:
        """Return the rows at `index` (positions or a mask)."""
        return Predictions(
            case=self.case[index],
            part=self.part[index],
            label=self.label[index],
            prediction=self.prediction[index],
            classes=self.classes,
            scores=self.scores[index],
            subject=None if self.subject is None else self.subject[index],
            attributes={name: values[index] for name, values in self.attributes.items()},
        )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write `predictions` as Parquet (kind ``predictions``)."""
    columns: dict[str, NDArray[Any]] = {
        "case": predictions.case,
        "part": predictions.part,
        "label": predictions.label,
        "prediction": predictions.prediction,
    }
    if predictions.subject is not None:
        columns["subject"] = predictions.subject
    for place, name in enumerate(predictions.classes):
        columns[f"score.{name}"] = predictions.scores[:, place]
    columns |= {f"attribute.{name}": values for name, values in predictions.attributes.items()}
    write_columns(columns, path)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        InputError: the file is not readable Parquet.
    """
    columns = read_columns(path)
    scores = {n.removeprefix("score."): v for n, v in columns.items() if n.startswith("score.")}
    return Predictions(
        case=columns["case"],
        part=columns["part"],
        label=columns["label"],
        prediction=columns["prediction"],
        classes=tuple(scores),
        scores=np.stack(list(scores.values()), axis=1) if scores else np.zeros((0, 0)),
        subject=columns.get("subject"),
        attributes={
            name.removeprefix("attribute."): values
            for name, values in columns.items()
            if name.startswith("attribute.")
        },
    )
