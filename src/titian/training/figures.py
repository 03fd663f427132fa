"""How training went, as figures."""

from __future__ import annotations

from collections.abc import Sequence

from titian.training.loop import Trained
from titian.training.table import Score, Step
from titian.values import LineFigure, TableFigure
from titian.values.figure import Series

#: Points of a curve that a page can show.
MOST_POINTS = 200


def learning_curve(trained: Trained) -> LineFigure:
    """Draw the losses of each epoch."""
    count = len(trained.tune_losses)
    step = -(-count // MOST_POINTS)
    epochs = tuple(float(epoch + 1) for epoch in range(0, count, step))
    return LineFigure(
        name="learning_curve",
        title="Learning curve",
        caption=(
            f"The weights of epoch {trained.best_epoch} were kept: the tune loss was least "
            "there. A training loss that falls while the tune loss rises is overfitting."
        ),
        x_label="epoch",
        y_label="cross-entropy (nat)",
        series=(
            Series(label="train (augmented)", x=epochs, y=trained.train_losses[::step]),
            Series(label="tune", x=epochs, y=trained.tune_losses[::step]),
        ),
    )


def growth_curve(steps: Sequence[Step]) -> LineFigure:
    """Draw the losses over the number of training cases."""
    cases = tuple(float(step.cases) for step in steps)
    return LineFigure(
        name="learning_curve",
        title="Learning curve",
        caption=(
            "A tune loss that still falls at the right end says that more training cases "
            "would help."
        ),
        x_label="training cases",
        y_label="cross-entropy (nat)",
        series=(
            Series(label="train", x=cases, y=tuple(step.train_loss for step in steps)),
            Series(label="tune", x=cases, y=tuple(step.tune_loss for step in steps)),
        ),
    )


def folds_table(scores: Sequence[Score], chosen: str) -> TableFigure:
    """Show what cross-validation said about each candidate."""
    return TableFigure(
        name="cross_validation",
        title="Cross-validation on the training part",
        caption="Least mean cross-entropy is chosen; folds divide no subject.",
        columns=("candidate", "mean (nat)", "standard error (nat)", "chosen"),
        rows=tuple(
            (
                score.name,
                score.mean,
                score.standard_error,
                "yes" if score.name == chosen else "",
            )
            for score in scores
        ),
    )
