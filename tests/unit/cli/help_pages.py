"""The help of every command: for the reference page and the quick `titian --help`."""

from __future__ import annotations

from typer.main import get_command
from typer.testing import CliRunner

from titian.cli.app import app

WIDTH_CHARACTERS = 80
HEAD = """\
# Commands

This page is what `titian COMMAND --help` prints.

With `--json`, standard output holds one JSON document and nothing else: for errors,
`{"errors": [{"code", "message", "remedy"}]}`. Progress goes to standard error: bars in a
terminal, plain lines in a pipe. Exit codes: 0 done; 1 what was checked failed; 2 the input or
the call is wrong; 3 the machine or Titian failed; 130 interrupted.

Completion in your shell: `titian --install-completion`.
"""


def help_page(*words: str) -> str:
    """Return what `titian WORDS --help` prints on 80 columns."""
    result = CliRunner().invoke(
        app,
        [*words, "--help"],
        prog_name="titian",
        env={"COLUMNS": str(WIDTH_CHARACTERS), "TERMINAL_WIDTH": str(WIDTH_CHARACTERS)},
    )
    assert result.exit_code == 0, result.output
    return "\n".join(line.rstrip() for line in result.stdout.splitlines()) + "\n"


def commands() -> list[tuple[str, ...]]:
    """Return the words of every command, groups before their members."""
    found: list[tuple[str, ...]] = [()]
    pending = [((), get_command(app))]
    while pending:
        words, command = pending.pop(0)
        for name, inner in getattr(command, "commands", {}).items():
            found.append((*words, name))
            pending.append(((*words, name), inner))
    return found


def reference() -> str:
    """Return the page of all commands."""
    parts = [HEAD]
    for words in commands():
        title = " ".join(("titian", *words))
        parts.append(f"## {title}\n\n```text\n{help_page(*words)}```\n")
    return "\n".join(parts)
