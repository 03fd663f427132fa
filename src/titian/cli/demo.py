"""`titian demo`: a simulated study with planted faults, all the way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from titian.cli.output import console, reserved_output, write_json


def demo(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder to write the study to.")
    ] = Path("demo"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Run a simulated study and look for its planted faults.

    The study is synthetic: ultrasound-like images of two hospitals. The dossier is
    written to DIR/dossier and verified. Exits 1 if a planted fault was missed or the
    dossier does not verify.

    \b
    Example:
      titian demo
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.cli.progress import open_reporter
    from titian.cli.verdicts import print_outcome, print_planted, run_document
    from titian.pipeline.demo import make_demo

    with reserved_output(wanted=json), open_reporter(plain=json) as reporter:
        outcome = make_demo(directory, reporter)
    if json:
        planted = [
            {"fault": item.fault, "found": item.found, "evidence": item.evidence}
            for item in outcome.planted
        ]
        write_json(
            {**run_document(outcome.run), "planted": planted, "verified": outcome.verified}
        )
    else:
        out = console()
        print_outcome(out, outcome.run)
        print_planted(out, outcome)
    found = all(item.found for item in outcome.planted)
    raise typer.Exit(0 if found and outcome.verified else 1)
