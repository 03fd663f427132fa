"""The command line: the only place that prints."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Run `titian`."""
    if sys.argv[1:] in (["--help"], ["-h"]):
        # The parser alone takes 0.2 s to import; its page of help is kept as text, and a
        # test fails when the two differ.
        sys.stdout.write((Path(__file__).parent / "help.txt").read_text(encoding="utf-8"))
        return
    from titian.cli.app import app

    app(prog_name="titian")
