"""The image recipe: augmentation, training, checkpoints, and a graph that answers the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from titian.errors import EnvironmentFault
from titian.models import Card, load_model, resize_images, with_card
from titian.training.calibration import Calibration
from titian.training.checkpoint import FILE_NAME, Checkpoint, read_checkpoint, write_checkpoint
from titian.training.loop import Part, Plan, train_network
from titian.training.network import (
    Preprocessing,
    augment,
    build_network,
    load_weights,
    logits_of,
    reproducible,
    weights_of,
)
from titian.training.network_graph import network_graph

from .conftest import pictures


def part(n: int, *, seed: int = 0, classes: int = 2) -> Part:
    images, codes = pictures(n, seed=seed, classes=classes)
    return Part(inputs=(images[:, None] - np.float32(0.3)) / np.float32(0.2), codes=codes)


def trained(folder, *, seed=1, epochs=3, train=None, patience=10, classes=2):
    folder.mkdir(exist_ok=True)
    with reproducible():
        return train_network(
            train or part(48, classes=classes),
            part(24, seed=5, classes=classes),
            classes=classes,
            plan=Plan(seed=seed, epochs=epochs, patience=patience, batch=16),
            folder=folder,
            progress=lambda *_: None,
        )


def equal(first, second) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_augmentation_changes_each_case_and_leaves_the_original():
    inputs = part(6).inputs
    kept = inputs.copy()
    changed = augment(inputs, np.random.default_rng(1))
    assert np.array_equal(inputs, kept)
    assert changed.shape == inputs.shape
    assert changed.dtype == np.float32
    assert (np.abs(changed - inputs).max(axis=(1, 2, 3)) > 0.1).all()
    assert np.array_equal(changed, augment(inputs, np.random.default_rng(1)))
    # The first case of a mean near zero stays near it: gain and offset are small.
    assert abs(changed.mean() - inputs.mean()) < 0.2


def test_initial_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = weights_of(build_network(2, seed=4))
    torch.manual_seed(2)
    assert equal(first, weights_of(build_network(2, seed=4)))
    assert not equal(first, weights_of(build_network(2, seed=5)))


def test_torch_is_left_as_it_was():
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    with reproducible():
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    first = trained(tmp_path / "a")
    again = trained(tmp_path / "b")
    assert equal(first.weights, again.weights)
    assert first.tune_losses == again.tune_losses
    assert not equal(first.weights, trained(tmp_path / "c", seed=2).weights)


def test_global_random_state_has_no_part_in_it(tmp_path):
    torch.manual_seed(1)
    first = trained(tmp_path / "a", epochs=1)
    torch.manual_seed(99)
    assert equal(first.weights, trained(tmp_path / "b", epochs=1).weights)


def test_training_learns_and_stops_when_the_tune_loss_no_longer_falls(tmp_path):
    result = trained(tmp_path / "a", epochs=60, patience=4)
    assert min(result.tune_losses) < 0.4
    assert len(result.tune_losses) < 60
    assert len(result.tune_losses) - result.best_epoch == 4
    assert result.tune_losses[result.best_epoch - 1] == min(result.tune_losses)


def test_rare_classes_are_weighted(tmp_path):
    whole = part(60, classes=2)
    some = np.concatenate(
        [np.flatnonzero(whole.codes == 0), np.flatnonzero(whole.codes == 1)[:5]]
    )
    rare = Part(inputs=whole.inputs[some], codes=whole.codes[some])
    result = trained(tmp_path / "a", epochs=1, train=rare)
    assert result.shares == pytest.approx([30 / 35, 5 / 35])
    assert result.trained_shares == pytest.approx([0.5, 0.5])


def test_a_loss_that_is_no_number_is_said(tmp_path):
    broken = part(32)
    broken.inputs[3] = np.nan
    with pytest.raises(EnvironmentFault) as caught:
        trained(tmp_path / "a", train=broken)
    assert str(caught.value) == (
        "T-T011: the loss of epoch 1 is not a number; training cannot go on. "
        "Look for images without contrast, or try another training.seed."
    )


class StoppedError(Exception):
    """Stands for a kill between two epochs."""


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_a_stopped_training_carries_on_bit_for_bit(tmp_path, stop_after):
    whole = trained(tmp_path / "whole", epochs=4)

    def stop(done: int, _total: int) -> None:
        if done == stop_after:
            raise StoppedError

    folder = tmp_path / "parts"
    folder.mkdir()
    plan = Plan(seed=1, epochs=4, batch=16)
    with reproducible(), pytest.raises(StoppedError):
        train_network(
            part(48), part(24, seed=5), classes=2, plan=plan, folder=folder, progress=stop
        )
    again = trained(folder, epochs=4)
    assert equal(whole.weights, again.weights)
    assert again.tune_losses == whole.tune_losses
    assert again.train_losses == whole.train_losses


def test_a_checkpoint_of_other_settings_is_left_alone(tmp_path):
    trained(tmp_path / "a", epochs=2, seed=1)
    assert equal(
        trained(tmp_path / "a", epochs=2, seed=2).weights,
        trained(tmp_path / "b", epochs=2, seed=2).weights,
    )


def example_checkpoint() -> Checkpoint:
    arrays = {"0.weight": np.arange(6.0).reshape(2, 3), "step": np.asarray(4.0)}
    return Checkpoint(
        belongs_to="abc",
        epoch=3,
        best_epoch=2,
        train_losses=(0.1, 0.30000000000000004, 0.2),
        tune_losses=(1.0, 0.5, 0.75),
        weights=arrays,
        best={name: values + 1 for name, values in arrays.items()},
        optimizer={"0/exp_avg": np.ones(3, np.float32)},
    )


def test_a_checkpoint_is_read_as_it_was_written(tmp_path):
    written = example_checkpoint()
    write_checkpoint(written, tmp_path)
    read = read_checkpoint(tmp_path, belongs_to="abc")
    assert read is not None
    assert (read.epoch, read.best_epoch) == (3, 2)
    assert read.train_losses == written.train_losses
    for group in ("weights", "best", "optimizer"):
        assert equal(getattr(written, group), getattr(read, group))
    assert read_checkpoint(tmp_path, belongs_to="another") is None


def test_a_torn_checkpoint_counts_as_none(tmp_path):
    assert read_checkpoint(tmp_path, belongs_to="abc") is None
    write_checkpoint(example_checkpoint(), tmp_path)
    whole = (tmp_path / FILE_NAME).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 3):
        (tmp_path / FILE_NAME).write_bytes(whole[:length])
        assert read_checkpoint(tmp_path, belongs_to="abc") is None
    for place in range(0, len(whole), 37):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        (tmp_path / FILE_NAME).write_bytes(flipped)
        assert read_checkpoint(tmp_path, belongs_to="abc") is None


@pytest.mark.parametrize("shape", [(24, 24), (40, 31), (17, 60)])
def test_the_graph_answers_what_torch_answers(tmp_path, shape):
    with reproducible():
        network = build_network(3, seed=1)
        result = trained(tmp_path / "a", epochs=2, classes=3)
        load_weights(network, result.weights)
        preprocessing = Preprocessing(size=24, mean=0.3, scale=0.2)
        calibration = Calibration(scale=0.5, shift=(0.3, -0.1, 0.0))
        graph = network_graph(network, preprocessing, calibration)
        card = Card(input="image", classes=("a", "b", "c"))
        path = tmp_path / "m.onnx"
        path.write_bytes(with_card(graph, card).SerializeToString())
        images = np.random.default_rng(1).random((5, 1, *shape), dtype=np.float32)
        resized = resize_images(images, (24, 24))
        logits = logits_of(network, preprocessing.apply(resized))
    answers = load_model(path).predict_images(list(images[:, 0]))
    assert np.abs(answers - calibration.apply(logits)).max() < 2e-6
