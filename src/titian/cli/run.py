"""`titian run`: train, validate, judge and sign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from titian.cli.output import console, reserved_output, write_json


def run(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder with titian.yaml.")
    ] = Path(),
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Folder of the data; DIR itself by default."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE", help="local (default), dask://HOST:PORT or ray://HOST:PORT."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Run a project: every stage that changed, then the dossier.

    What an earlier run finished is not repeated, also after a kill. The dossier is
    written to DIR/dossier, with a zip beside it. Exits 1 if any requirement is not met.

    \b
    Examples:
      titian run examples/heart_disease --data ../data/uci_heart_sites
      titian run my-study --json > result.json
      titian run my-study --engine dask://10.0.0.5:8786
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.cli.progress import open_reporter
    from titian.cli.verdicts import exit_code, print_outcome, run_document
    from titian.pipeline.run import run as run_project

    with reserved_output(wanted=json), open_reporter(plain=json) as reporter:
        outcome = run_project(directory, data=data, engine=engine, reporter=reporter)
    if json:
        write_json(run_document(outcome))
    else:
        print_outcome(console(), outcome)
    raise typer.Exit(exit_code(outcome.verdicts))
