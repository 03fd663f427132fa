"""What the project file may say about training."""

from __future__ import annotations

import pytest

from titian.errors import InputError
from titian.training import TRAIN, TrainingBlock
from titian.values import Data, Project


def project(block: TrainingBlock | None = None, *, model: bool = False, **data) -> Project:
    blocks = {} if block is None else {"training": block}
    if model:
        blocks["model"] = object()
    named = {"table": "t.csv", "label": "ill", "positive": "1", **data}
    return Project(name="p", intended_use="u", data=Data(**named), blocks=blocks)


def message_of(asked: Project) -> str:
    with pytest.raises(InputError) as caught:
        TRAIN.configure(asked)
    return str(caught.value)


def test_auto_takes_the_recipe_that_fits_the_data():
    for image, recipe in ((None, "tabular"), ("path", "cnn")):
        settings = TRAIN.configure(project(TrainingBlock(seed=7), image=image))
        assert settings is not None
        assert (settings.recipe, settings.seed, settings.positive) == (recipe, 7, "1")


def test_a_project_without_blocks_trains_with_defaults_and_one_with_a_model_does_not():
    assert TRAIN.configure(project()) == TRAIN.configure(project(TrainingBlock()))
    assert TRAIN.configure(project(model=True)) is None


def test_training_and_a_model_exclude_each_other():
    assert message_of(project(TrainingBlock(), model=True)) == (
        "T-T005: the project has both a 'training' and a 'model' block. "
        "Remove one of the two blocks."
    )


def test_all_bad_values_are_named_together():
    bad = TrainingBlock(recipe="forest", epochs=0, sensitivity=1.5)
    assert message_of(project(bad)) == (
        "T-T001: training.recipe is 'forest'; known are auto, cnn, tabular. "
        "Write 'auto', or leave it out.\n"
        "T-T003: training.epochs is 0; it must lie in [1, 10000]. Leave it out for 30.\n"
        "T-T004: training.sensitivity is 1.5; it is a share of the positives in (0, 1]. "
        "Write a number such as 0.9, or leave it out for Youden's index."
    )


@pytest.mark.parametrize(
    ("recipe", "image", "held", "fitting"),
    [("cnn", None, "no image column", "tabular"), ("tabular", "p", "an image column", "cnn")],
)
def test_a_recipe_against_the_data_is_refused(recipe, image, held, fitting):
    assert message_of(project(TrainingBlock(recipe=recipe), image=image)) == (
        f"T-T002: training.recipe is {recipe!r}, but the data name {held}. "
        f"Write '{fitting}' or 'auto', or change data.image."
    )


def test_a_sensitivity_needs_a_positive_class():
    assert message_of(project(TrainingBlock(sensitivity=0.9), positive=None)) == (
        "T-T004: training.sensitivity is set, but data.positive is not. "
        "Name it under data.positive, or leave the sensitivity out."
    )
