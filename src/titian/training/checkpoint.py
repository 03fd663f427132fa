"""Where a killed training carries on: one npz file, replaced in one step after each epoch.

The file holds plain arrays and JSON, so that reading it runs no code. It names what it
belongs to; a file of another run, or one that cannot be read, counts as none.
"""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FILE_NAME = "checkpoint.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The whole state of a training after an epoch.

    Random numbers need no state: each epoch makes its generator from the seed and its
    own number (`titian.training.network`).

    Attributes:
        belongs_to: digest of settings and pixels.
        epoch: epochs that are finished.
        best_epoch: the epoch of `best`, counted from 1.
        train_losses: one number an epoch, in nats.
        tune_losses: one number an epoch, in nats.
        weights: of the network now.
        best: weights of the best epoch.
        optimizer: the optimizer's moments and steps.
    """

    belongs_to: str
    epoch: int
    best_epoch: int
    train_losses: tuple[float, ...]
    tune_losses: tuple[float, ...]
    weights: dict[str, npt.NDArray[Any]]
    best: dict[str, npt.NDArray[Any]]
    optimizer: dict[str, npt.NDArray[Any]]


def write_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Replace the folder's checkpoint; a kill leaves the old one or the new one."""
    stated = {
        "belongs_to": checkpoint.belongs_to,
        "epoch": checkpoint.epoch,
        "best_epoch": checkpoint.best_epoch,
        "train_losses": checkpoint.train_losses,
        "tune_losses": checkpoint.tune_losses,
    }
    arrays = {"stated": np.frombuffer(json.dumps(stated).encode(), np.uint8)}
    for group in ("weights", "best", "optimizer"):
        arrays |= {f"{group}/{n}": values for n, values in getattr(checkpoint, group).items()}
    aside = folder / f"{FILE_NAME}.new"
    with aside.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / FILE_NAME)


def read_checkpoint(folder: Path, *, belongs_to: str) -> Checkpoint | None:
    """Return the folder's checkpoint, or None where there is none of this run."""
    try:
        with np.load(folder / FILE_NAME, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        stated = json.loads(arrays.pop("stated").tobytes())
        checkpoint = Checkpoint(
            belongs_to=stated["belongs_to"],
            epoch=stated["epoch"],
            best_epoch=stated["best_epoch"],
            train_losses=tuple(stated["train_losses"]),
            tune_losses=tuple(stated["tune_losses"]),
            weights=_group(arrays, "weights/"),
            best=_group(arrays, "best/"),
            optimizer=_group(arrays, "optimizer/"),
        )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return checkpoint if checkpoint.belongs_to == belongs_to else None


def _group(arrays: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
