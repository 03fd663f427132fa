"""The training and the tune part as a recipe reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.dataset.images import read_image
from titian.dataset.records import Records
from titian.errors import InputError, Problem
from titian.models import order_classes, resize_images
from titian.stage import Context
from titian.training.calibration import Codes
from titian.training.network import Pixels

#: A class needs this many training cases for the smallest of cross-validations.
MIN_TRAIN_CASES = 2

#: Sides in pixels that the network is used with: on real ultrasound of 256 pixels, 96
#: cost more than twice the time of 64 and showed no better answers.
SIDES = (32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Records of one part with their classes as numbers.

    Attributes:
        records: the part's rows.
        codes: shape (n,), place of each label in the class list.
    """

    records: Records
    codes: Codes


def class_order(labels: npt.NDArray[Any], positive: str | None) -> tuple[str, ...]:
    """Return the classes, sorted; of a binary task the positive one last.

    Raises:
        InputError: T-T006, a positive class is named and there are not exactly two
            classes, or it is none of them; or there is only one class.
    """
    classes = order_classes((str(label) for label in labels), positive)
    if positive is None and len(classes) >= 2:
        return classes
    if positive is not None and len(classes) == 2 and positive in classes:
        return classes
    shown = ", ".join(repr(name) for name in classes[:5]) + (", ..." if classes[5:] else "")
    if positive is None:
        message = f"the labels hold one class only ({shown}); a model needs two or more."
    else:
        message = (
            f"data.positive is {positive!r} and the labels hold {len(classes)} classes "
            f"({shown}); a positive class needs exactly two, of which it is one."
        )
    raise InputError(
        Problem(
            code="T-T006",
            message=message,
            remedy="Name one of two labels under data.positive; leave it out for more.",
        )
    )


def divide(
    records: Records, part: npt.NDArray[Any], classes: tuple[str, ...]
) -> tuple[Cases, Cases]:
    """Return the training and the tune part.

    Raises:
        InputError: T-T007, a class has too few cases in one of them.
    """
    codes = _codes(records.label, classes)
    problems = []
    parts = []
    for name, fewest in (("train", MIN_TRAIN_CASES), ("tune", 1)):
        index = np.flatnonzero(part == name)
        counts = np.bincount(codes[index], minlength=len(classes))
        problems += [
            Problem(
                code="T-T007",
                message=(
                    f"the {name} part has {count} cases of class {label!r}; training needs at "
                    f"least {fewest} there."
                ),
                remedy="Give the part a larger share under data.split, or collect cases.",
            )
            for label, count in zip(classes, counts, strict=True)
            if count < fewest
        ]
        parts.append(Cases(records=records.take(index), codes=codes[index]))
    if problems:
        raise InputError(*problems)
    return parts[0], parts[1]


def _codes(labels: npt.NDArray[Any], classes: tuple[str, ...]) -> Codes:
    place = {name: code for code, name in enumerate(classes)}
    return np.asarray([place[str(label)] for label in labels], np.int64)


def choose_side(files: Mapping[str, npt.NDArray[Any]]) -> int:
    """Return the side that images are resized to, in pixels.

    The multiple of 16 next to the median of the images' shorter sides, within `SIDES`.
    """
    if "height" not in files or not len(files["height"]):
        return SIDES[1]
    shorter = np.minimum(files["height"], files["width"])
    middle = float(np.nanmedian(shorter)) if np.isfinite(shorter).any() else SIDES[1]
    return int(np.clip(round(middle / 16) * 16, *SIDES))


def read_pixels(records: Records, root: Path, side: int, context: Context) -> Pixels:
    """Decode every image once, check its digest and resize it.

    Returns:
        Shape (n, 1, side, side), values in [0, 1].
    """
    if records.image is None or records.sha256 is None:
        raise TypeError("records of images lack their paths")
    items = list(zip(records.image.tolist(), records.sha256.tolist(), strict=True))
    shrunk = context.map(partial(_shrink, root=root, side=side), items, step="read images")
    return np.stack(shrunk)


def _shrink(
    item: tuple[str, str],
    rng: np.random.Generator,  # noqa: ARG001 - the engine gives one to every item
    *,
    root: Path,
    side: int,
) -> Pixels:
    image = read_image(root, item[0], item[1])
    shrunk: Pixels = resize_images(image[np.newaxis, np.newaxis], (side, side))[0]
    return shrunk
