"""The table of commands. Modules named here import nothing heavy before they are called."""

from __future__ import annotations

from typing import Annotated

import typer

from titian import __version__
from titian.cli.accelerator.app import app as accelerator
from titian.cli.annotation.app import app as annotation
from titian.cli.demo import demo
from titian.cli.guard import GuardedGroup
from titian.cli.ledger import app as ledger
from titian.cli.new import new
from titian.cli.output import write_line
from titian.cli.run import run
from titian.cli.scan import scan
from titian.cli.status import status
from titian.cli.validate.app import app as validate
from titian.cli.verify import verify

app = typer.Typer(
    cls=GuardedGroup,
    no_args_is_help=True,
    # Plain help reads the same in a terminal, a pipe and a page, and starts faster.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        write_line(f"titian {__version__}")
        raise typer.Exit


@app.callback()
def titian(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Take an AI system from raw data to a signed release dossier.

    \b
    First steps:
      titian demo                 a simulated study with planted faults, all the way
      titian new my-study         a project file to fill in
      titian run my-study         train, validate, judge, sign
      titian verify my-study/dossier

    \b
    Exit codes: 0 done; 1 what was checked failed (a requirement is not met, a dossier
    was changed); 2 the input or the call is wrong; 3 the machine or Titian failed.
    """  # noqa: D301 - \b keeps the help from being rewrapped


app.command()(new)
app.command()(demo)
app.command()(run)
app.command()(status)
app.command()(verify)
app.command()(scan)
app.add_typer(ledger, name="ledger")
app.add_typer(annotation, name="annotation")
app.add_typer(validate, name="validate")
app.add_typer(accelerator, name="accelerator")
