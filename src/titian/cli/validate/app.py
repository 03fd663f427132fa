"""The table of the validation commands; modules named here import nothing heavy either."""

from __future__ import annotations

import typer

from titian.cli.validate.compare import compare
from titian.cli.validate.plan import plan
from titian.cli.validate.predictions import predictions
from titian.cli.validate.remedies import remedies
from titian.cli.validate.robustness import robustness
from titian.cli.validate.slices import slices
from titian.cli.validate.speed import speed

app = typer.Typer(
    no_args_is_help=True,
    help="Measure disparity, accuracy and speed of a model's predictions.",
)


@app.callback()
def validate() -> None:
    """Measure disparity, accuracy and speed of a model's predictions."""


app.command()(predictions)
app.command()(compare)
app.command()(plan)
app.command()(remedies)
app.command()(robustness)
app.command()(slices)
app.command()(speed)
