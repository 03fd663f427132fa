"""Training a network epoch by epoch, with early stopping on the tune part."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from titian.errors import EnvironmentFault, Problem
from titian.training.calibration import Codes, Scores, cross_entropy, softmax
from titian.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from titian.training.network import (
    Pixels,
    Weights,
    as_tensor,
    augment,
    build_network,
    load_weights,
    logits_of,
    weights_of,
)
from titian.training.optimizer import AdamW


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to train.

    Attributes:
        seed: decides initial weights, order and augmentation.
        epochs: most passes over the training part.
        patience: epochs without a better tune loss after which training stops.
        batch: cases per step.
        rate: learning rate of AdamW at the start; it falls to 0 along a cosine.
        decay: weight decay.
        imbalance: class weights are used where the largest class has more than this many
            times the cases of the smallest.
    """

    seed: int
    epochs: int
    patience: int = 8
    batch: int = 32
    rate: float = 3e-3
    decay: float = 1e-2
    imbalance: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Normalised pixels, shape (n, 1, s, s), and the class of each case, shape (n,)."""

    inputs: Pixels
    codes: Codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The best epoch's weights and how training went.

    Attributes:
        weights: of the epoch with the least tune loss.
        best_epoch: counted from 1.
        train_losses: cross-entropy of augmented training cases, nats, one per epoch.
        tune_losses: cross-entropy of tune cases, nats, one per epoch.
        shares: shape (k,), class shares of the training part.
        trained_shares: shape (k,), the same after class weights.
    """

    weights: Weights
    best_epoch: int
    train_losses: tuple[float, ...]
    tune_losses: tuple[float, ...]
    shares: Scores
    trained_shares: Scores


def train_network(
    train: Part,
    tune: Part,
    *,
    classes: int,
    plan: Plan,
    folder: Path,
    progress: Callable[[int, int], None],
) -> Trained:
    """Train until the tune loss stops falling or the epochs are used up.

    Args:
        train: cases to learn from.
        tune: cases that only decide when to stop.
        classes: number of classes.
        plan: how.
        folder: where the checkpoint lies; a run that was killed carries on from there and
            ends with the same weights, bit for bit, as one that was not.
        progress: told how many of how many epochs are done, after each one.

    Raises:
        EnvironmentFault: T-T011, the loss stopped being a number.
    """
    import torch

    shares = np.bincount(train.codes, minlength=classes) / len(train.codes)
    balance = shares.max() > plan.imbalance * shares.min()
    class_weights = 1 / (classes * shares) if balance else np.ones(classes)
    trained_shares = shares * class_weights / (shares * class_weights).sum()
    prior = np.log(shares) - np.log(trained_shares)
    criterion = torch.nn.CrossEntropyLoss(
        weight=torch.from_numpy(class_weights.astype(np.float32))
    )
    network = build_network(classes, seed=plan.seed)
    optimizer = AdamW(list(network.parameters()), decay=plan.decay)
    belongs_to = _fingerprint(train, tune, plan)
    state = read_checkpoint(folder, belongs_to=belongs_to)
    if state is not None:
        load_weights(network, state.weights)
        optimizer.load(state.optimizer)
    while state is None or not _finished(state, plan):
        epoch = 0 if state is None else state.epoch
        train_loss = _epoch(network, optimizer, criterion, train, plan, epoch)
        tune_loss = cross_entropy(softmax(logits_of(network, tune.inputs) + prior), tune.codes)
        if not (math.isfinite(train_loss) and math.isfinite(tune_loss)):
            raise EnvironmentFault(_diverged(epoch + 1))
        earlier = () if state is None else state.tune_losses
        better = not earlier or tune_loss < min(earlier)
        weights = weights_of(network)
        state = Checkpoint(
            belongs_to=belongs_to,
            epoch=epoch + 1,
            best_epoch=epoch + 1 if better or state is None else state.best_epoch,
            train_losses=((() if state is None else state.train_losses) + (train_loss,)),
            tune_losses=(*earlier, tune_loss),
            weights=weights,
            best=weights if better or state is None else state.best,
            optimizer=optimizer.arrays(),
        )
        write_checkpoint(state, folder)
        progress(state.epoch, plan.epochs)
    return Trained(
        weights=state.best,
        best_epoch=state.best_epoch,
        train_losses=state.train_losses,
        tune_losses=state.tune_losses,
        shares=shares,
        trained_shares=trained_shares,
    )


def _finished(state: Checkpoint, plan: Plan) -> bool:
    return state.epoch >= plan.epochs or state.epoch - state.best_epoch >= plan.patience


def _epoch(
    network: Any,  # noqa: ANN401 - torch comes late
    optimizer: AdamW,
    criterion: Any,  # noqa: ANN401
    train: Part,
    plan: Plan,
    epoch: int,
) -> float:
    import torch

    rng = np.random.default_rng([plan.seed, 3, epoch])
    rate = plan.rate * 0.5 * (1 + math.cos(math.pi * epoch / plan.epochs))
    order = rng.permutation(len(train.codes))
    # A last batch of one case would leave batch normalisation without a spread.
    batches = np.array_split(order, max(1, len(order) // plan.batch))
    network.train()
    total = 0.0
    for batch in batches:
        inputs = as_tensor(augment(train.inputs[batch], rng))
        loss = criterion(network(inputs), torch.from_numpy(train.codes[batch]))
        loss.backward()
        optimizer.step(rate)
        total += float(loss.detach()) * len(batch)
    return total / len(order)


def _fingerprint(train: Part, tune: Part, plan: Plan) -> str:
    digest = hashlib.sha256(json.dumps(asdict(plan), sort_keys=True).encode())
    for part in (train, tune):
        for values in (part.inputs, part.codes):
            digest.update(repr((values.shape, values.dtype.str)).encode())
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _diverged(epoch: int) -> Problem:
    return Problem(
        code="T-T011",
        message=f"the loss of epoch {epoch} is not a number; training cannot go on.",
        remedy="Look for images without contrast, or try another training.seed.",
    )
