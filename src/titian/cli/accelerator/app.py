"""The table of the accelerator commands; modules named here import nothing heavy either."""

from __future__ import annotations

import typer

from titian.cli.accelerator.build import build
from titian.cli.accelerator.estimate import estimate
from titian.cli.accelerator.explore import explore
from titian.cli.accelerator.package import package
from titian.cli.accelerator.quantize import quantize
from titian.cli.accelerator.simulate import simulate

app = typer.Typer(
    no_args_is_help=True,
    help="Cost, explore, build and prove an accelerator for a trained model.",
)


@app.callback()
def accelerator() -> None:
    """Cost, explore, build and prove an accelerator for a trained model."""


app.command()(estimate)
app.command()(explore)
app.command()(package)
app.command()(quantize)
app.command()(build)
app.command()(simulate)
