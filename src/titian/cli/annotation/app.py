"""The table of the annotation commands; modules named here import nothing heavy either."""

from __future__ import annotations

import typer

from titian.cli.annotation.agreement import agreement
from titian.cli.annotation.consensus import consensus
from titian.cli.annotation.convert import convert
from titian.cli.annotation.cost import cost
from titian.cli.annotation.issues import issues
from titian.cli.annotation.qualify import qualify
from titian.cli.annotation.replay import replay

app = typer.Typer(
    no_args_is_help=True,
    help="Bring labels together, measure agreement, find label errors, convert formats.",
)
app.command()(consensus)
app.command()(agreement)
app.command()(replay)
app.command()(issues)
app.command()(qualify)
app.command()(cost)
app.command()(convert)
