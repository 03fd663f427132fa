"""What `titian.yaml` may say about training."""

from __future__ import annotations

from dataclasses import dataclass

from titian.errors import InputError, Problem
from titian.values import Project

RECIPES = ("auto", "cnn", "tabular")

#: Enough for the small network to level off; the tune loss usually stops it earlier.
DEFAULT_EPOCHS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBlock:
    """The ``training`` block.

    Attributes:
        recipe: ``cnn`` for images, ``tabular`` for tables; ``auto`` takes the one that
            fits the data.
        seed: decides the split, the initial weights, the order of cases and every
            augmentation.
        epochs: most passes over the training part that ``cnn`` makes.
        sensitivity: the operating threshold is the highest that reaches this sensitivity
            on the tune part; None takes the one of the largest Youden index there.
    """

    recipe: str = "auto"
    seed: int = 0
    epochs: int = DEFAULT_EPOCHS
    sensitivity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What the train stage runs with; attributes as in `TrainingBlock`.

    Attributes:
        recipe: ``cnn`` or ``tabular``.
        positive: positive class; None for an argmax over classes.
    """

    recipe: str
    seed: int
    epochs: int
    sensitivity: float | None
    positive: str | None


def configure(project: Project) -> TrainSettings | None:
    """Return the settings of the train stage, or None where a model is given.

    Raises:
        InputError: T-T001 unknown recipe; T-T002 recipe against the data; T-T003 epochs;
            T-T004 sensitivity. All found are raised together.
    """
    if "model" in project.blocks and "training" not in project.blocks:
        return None
    block = project.blocks.get("training", TrainingBlock())
    if not isinstance(block, TrainingBlock):
        raise TypeError(f"block 'training' is a {type(block).__name__}")
    fitting = "tabular" if project.data.image is None else "cnn"
    problems = _problems(block, project, fitting)
    if problems:
        raise InputError(*problems)
    return TrainSettings(
        recipe=fitting,
        seed=block.seed,
        epochs=block.epochs,
        sensitivity=block.sensitivity,
        positive=project.data.positive,
    )


def _problems(block: TrainingBlock, project: Project, fitting: str) -> list[Problem]:
    problems = []
    if "model" in project.blocks:
        problems.append(
            Problem(
                code="T-T005",
                message="the project has both a 'training' and a 'model' block.",
                remedy="Remove one of the two blocks.",
            )
        )
    if block.recipe not in RECIPES:
        problems.append(
            Problem(
                code="T-T001",
                message=f"training.recipe is {block.recipe!r}; known are {', '.join(RECIPES)}.",
                remedy="Write 'auto', or leave it out.",
            )
        )
    elif block.recipe not in ("auto", fitting):
        held = "no image column" if project.data.image is None else "an image column"
        problems.append(
            Problem(
                code="T-T002",
                message=f"training.recipe is {block.recipe!r}, but the data name {held}.",
                remedy=f"Write '{fitting}' or 'auto', or change data.image.",
            )
        )
    if not 1 <= block.epochs <= 10_000:
        problems.append(
            Problem(
                code="T-T003",
                message=f"training.epochs is {block.epochs}; it must lie in [1, 10000].",
                remedy=f"Leave it out for {DEFAULT_EPOCHS}.",
            )
        )
    if block.sensitivity is not None and not 0.0 < block.sensitivity <= 1.0:
        problems.append(
            Problem(
                code="T-T004",
                message=(
                    f"training.sensitivity is {block.sensitivity}; it is a share of the "
                    "positives in (0, 1]."
                ),
                remedy="Write a number such as 0.9, or leave it out for Youden's index.",
            )
        )
    elif block.sensitivity is not None and project.data.positive is None:
        problems.append(
            Problem(
                code="T-T004",
                message="training.sensitivity is set, but data.positive is not.",
                remedy="Name it under data.positive, or leave the sensitivity out.",
            )
        )
    return problems
