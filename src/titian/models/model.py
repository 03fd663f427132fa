"""A loaded model: arrays in, class probabilities out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.errors import InputError, Problem
from titian.models.card import Card, read_card
from titian.models.inspection import parse_model, read_bytes
from titian.models.session import Floats, open_session, resize_images, run_session

Scores = npt.NDArray[np.float64]

#: Cases per call; more is no faster on one thread and only costs memory.
BATCH_CASES = 64

#: Pixels per call (16 MiB of float32), so that large images do not pile up.
BATCH_PIXELS = 4_194_304


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxModel:
    """An inspected model with its card and an open session.

    Attributes:
        name: file name, for messages.
        card: what the model says of itself.
    """

    name: str
    card: Card
    session: Any = field(repr=False)

    def predict_images(self, images: Sequence[npt.NDArray[np.floating[Any]]]) -> Scores:
        """Return class probabilities, shape (n, k), rows in the order of `images`.

        Args:
            images: arrays of shape (h, w), values in [0, 1]; sizes may differ.

        Raises:
            InputError: T-M008 odd output; T-M009 NaN output; T-M010 not a model of images.
        """
        self._expect("image")
        scores = np.full((len(images), len(self.card.classes)), np.nan)
        by_size: dict[tuple[int, ...], list[int]] = {}
        for place, image in enumerate(images):
            if image.ndim != 2 or 0 in image.shape:
                raise InputError(
                    Problem(
                        code="T-M010",
                        message=f"image {place} has shape {image.shape}; it must be (h, w).",
                        remedy="Give gray images as arrays of two axes.",
                    )
                )
            by_size.setdefault(image.shape, []).append(place)
        for shape, places in by_size.items():
            step = min(BATCH_CASES, max(1, BATCH_PIXELS // (shape[0] * shape[1])))
            for start in range(0, len(places), step):
                batch = places[start : start + step]
                stacked = np.stack([images[place] for place in batch]).astype(np.float32)
                scores[batch] = self._images(stacked[:, np.newaxis])
        return self._without_nan(scores)

    def predict_table(self, features: Mapping[str, npt.NDArray[Any]]) -> Scores:
        """Return class probabilities, shape (n, k).

        Args:
            features: column name -> shape (n,); numbers with NaN where missing, or texts
                with ``""`` where missing. Columns that the model does not read are ignored.

        Raises:
            InputError: T-M008 odd output; T-M009 NaN output; T-M010 a column is missing,
                is of the other kind, or the model is not one of tables.
        """
        self._expect("table")
        self._check_columns(features)
        lengths = {len(column) for column in features.values()}
        n = lengths.pop() if lengths else 0
        feeds: dict[str, Any] = {}
        card = self.card
        if card.numbers:
            feeds["numbers"] = number_matrix(features, card.numbers)
        if card.texts:
            feeds["texts"] = text_matrix(features, card.texts)
        step = card.batch or n or 1
        parts = [
            self._run({key: value[start : start + step] for key, value in feeds.items()})
            for start in range(0, n, step)
        ]
        scores = np.concatenate(parts) if parts else np.empty((0, len(card.classes)))
        return self._without_nan(scores)

    def _images(self, images: Floats) -> Scores:
        if self.card.size is not None and images.shape[2:] != self.card.size:
            images = resize_images(images, self.card.size)
        step = self.card.batch
        if step is None:
            return self._run({"image": images})
        parts = []
        for start in range(0, len(images), step):
            part = images[start : start + step]
            lacking = step - len(part)
            padded = np.concatenate([part, np.repeat(part[-1:], lacking, axis=0)])
            parts.append(self._run({"image": padded})[: len(part)])
        return np.concatenate(parts)

    def _run(self, feeds: dict[str, Any]) -> Scores:
        n = len(next(iter(feeds.values())))
        answer = run_session(self.session, feeds, name=self.name)[0]
        if answer.shape != (n, len(self.card.classes)):
            raise InputError(
                Problem(
                    code="T-M008",
                    message=(
                        f"{self.name} answers an array of shape {answer.shape} for {n} cases; "
                        f"its {len(self.card.classes)} classes need "
                        f"{(n, len(self.card.classes))}."
                    ),
                    remedy="Check the number of classes that the model states.",
                )
            )
        return np.asarray(answer, dtype=np.float64)

    def _without_nan(self, scores: Scores) -> Scores:
        bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if bad.size:
            raise InputError(
                Problem(
                    code="T-M009",
                    message=(
                        f"{self.name} answers NaN or infinity for {bad.size} of {len(scores)} "
                        f"cases (first: case {bad[0]} of the batch); a score is a number."
                    ),
                    remedy="Look at that case's input, or train the model again.",
                )
            )
        return scores

    def _expect(self, kind: str) -> None:
        if self.card.input != kind:
            raise InputError(
                Problem(
                    code="T-M010",
                    message=(
                        f"{self.name} reads data of kind {self.card.input!r}, "
                        f"and the project holds {kind!r}."
                    ),
                    remedy="Use a model made for this kind of data.",
                )
            )

    def _check_columns(self, features: Mapping[str, npt.NDArray[Any]]) -> None:
        problems = []
        for names, wanted in ((self.card.numbers, "numbers"), (self.card.texts, "texts")):
            for column in names:
                if column not in features:
                    held = "is missing"
                elif (features[column].dtype.kind in "fiub") == (wanted == "numbers"):
                    continue
                else:
                    held = f"holds {'texts' if wanted == 'numbers' else 'numbers'}"
                problems.append(
                    Problem(
                        code="T-M010",
                        message=(
                            f"feature {column!r} {held}; {self.name} reads {wanted} from it."
                        ),
                        remedy="Give the columns that the model was trained on.",
                    )
                )
        if problems:
            raise InputError(*problems)


def load_model(path: Path) -> OnnxModel:
    """Inspect, check and open a model that Titian trained or admitted.

    Raises:
        InputError: T-M001 to T-M007; see ``docs/reference/errors/model.md``.
    """
    content = read_bytes(path)
    model = parse_model(content, name=path.name)
    card = read_card(model)
    session = open_session(content, name=path.name)
    expected = {"image"} if card.input == "image" else set()
    expected |= {"numbers"} if card.numbers else set()
    expected |= {"texts"} if card.texts else set()
    inputs = {port.name for port in session.get_inputs()}
    if inputs != expected or not expected:
        raise InputError(
            Problem(
                code="T-M006",
                message=(
                    f"{path.name} has inputs {sorted(inputs)}; its metadata promise "
                    f"{sorted(expected)}."
                ),
                remedy="Train or admit the model again.",
            )
        )
    return OnnxModel(name=path.name, card=card, session=session)


def decide(scores: Scores, card: Card) -> npt.NDArray[np.str_]:
    """Return the answered class of each case, shape (n,), as label text.

    A binary model answers its positive class where that class's score is at least the
    threshold; another model answers the class of the highest score, the first of equals.
    """
    classes = np.asarray(card.classes)
    if card.positive is None or card.threshold is None:
        return np.asarray(classes[np.argmax(scores, axis=1)])
    return np.asarray(classes[(scores[:, 1] >= card.threshold).astype(np.int64)])


def number_matrix(features: Mapping[str, npt.NDArray[Any]], names: Sequence[str]) -> Floats:
    """Return the numeric columns `names` as float32, shape (n, p), NaN where missing."""
    return np.stack([np.asarray(features[name], np.float32) for name in names], axis=1)


def text_matrix(
    features: Mapping[str, npt.NDArray[Any]], names: Sequence[str]
) -> npt.NDArray[np.object_]:
    """Return the text columns `names` as strings, shape (n, q), ``""`` where missing."""
    return np.stack([np.asarray(features[name], dtype=object) for name in names], axis=1)
