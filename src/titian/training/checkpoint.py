"""Where a killed training carries on: one file, replaced in one step after each epoch.

The file is its own SHA-256 in hex and then an npz of plain arrays and JSON, so that
reading it runs no code. It names what it belongs to; a file of another run, or one whose
digest is wrong, counts as none.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FILE_NAME = "checkpoint"

_DIGEST_LENGTH = 64


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
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    content = packed.getvalue()
    aside = folder / f"{FILE_NAME}.new"
    with aside.open("wb") as file:
        file.write(hashlib.sha256(content).hexdigest().encode())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(folder / FILE_NAME)


def read_checkpoint(folder: Path, *, belongs_to: str) -> Checkpoint | None:
    """Return the folder's checkpoint, or None where there is none of this run."""
    try:
        whole = (folder / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    digest, content = whole[:_DIGEST_LENGTH], whole[_DIGEST_LENGTH:]
    if hashlib.sha256(content).hexdigest().encode() != digest:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    stated = json.loads(arrays.pop("stated").tobytes())
    if stated["belongs_to"] != belongs_to:
        return None
    return Checkpoint(
        belongs_to=belongs_to,
        epoch=stated["epoch"],
        best_epoch=stated["best_epoch"],
        train_losses=tuple(stated["train_losses"]),
        tune_losses=tuple(stated["tune_losses"]),
        weights=_group(arrays, "weights/"),
        best=_group(arrays, "best/"),
        optimizer=_group(arrays, "optimizer/"),
    )


def _group(arrays: dict[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
