"""Errors to exit codes and messages: no traceback ever reaches a user."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup

from titian.cli.output import write_error_line, write_json
from titian.errors import EnvironmentFault, Problem, TitianError

INTERRUPTED: Final = 130
"""128 + SIGINT, as shells report it."""
PIPE_CLOSED: Final = 141
"""128 + SIGPIPE: nobody reads the output any more."""

_ARGUMENTS: Final = "titian.arguments"


class GuardedGroup(TyperGroup):
    """Runs a command and turns what it raises into an exit code and a message."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - private type
        """Remember the arguments: whether JSON is wanted, and which project it is about."""
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - private type
        """Run the command."""
        arguments: tuple[str, ...] = ctx.meta[_ARGUMENTS]
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            write_error_line("")
            write_error_line(
                "Interrupted. Nothing is lost: the next `titian run` carries on after the "
                "last finished stage."
                if arguments[:1] in {("run",), ("demo",)}
                else "Interrupted before it was done. Call it again."
            )
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Python would complain once more when it flushes standard output at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except TitianError as error:
            raise typer.Exit(report(error, arguments)) from None
        except Exception as error:
            if hasattr(error, "format_message"):  # a wrong call, which typer reports itself
                raise
            raise typer.Exit(report(as_fault(error, arguments), arguments)) from None


def report(error: TitianError, arguments: Sequence[str]) -> int:
    """Say what is wrong, with ``--json`` as a document too; return the exit code."""
    for problem in error.problems:
        write_error_line(f"{problem}\n")
    if not error.problems:
        write_error_line(str(error))
    if "--json" in arguments:
        write_json(
            {
                "errors": [
                    {"code": p.code, "message": p.message, "remedy": p.remedy}
                    for p in error.problems
                ]
            }
        )
    return error.exit_code


def as_fault(error: Exception, arguments: Sequence[str]) -> TitianError:
    """Return what the machine, or Titian itself, did wrong, in words."""
    match error:
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return EnvironmentFault.of(
                "T-X901",
                f"the disk is full{_at(error)}.",
                "Free some space and run the same command again; nothing is lost, and "
                "finished stages are not repeated.",
            )
        case OSError(errno=errno.EACCES | errno.EPERM | errno.EROFS):
            return EnvironmentFault.of(
                "T-X902",
                f"the system refuses access{_at(error)}: {(error.strerror or '').lower()}.",
                "Change its permissions, or choose another folder.",
            )
        case MemoryError():
            return EnvironmentFault.of(
                "T-X903",
                "the memory of this machine is used up.",
                "Close other programs, use smaller images, or name a cluster with --engine.",
            )
        case _:
            path = _save_traceback(error, arguments)
            return EnvironmentFault(
                Problem(
                    code="T-X000",
                    message=f"Titian failed: {type(error).__name__}: {_first_line(error)}.",
                    remedy=f"This is a fault of Titian's own. Details are in {path}; please "
                    "report it.",
                )
            )


def _at(error: OSError) -> str:
    return f" at {error.filename}" if error.filename else ""


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "no message")[:200]


def _save_traceback(error: Exception, arguments: Sequence[str]) -> Path:
    text = "".join(traceback.format_exception(error))
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")  # noqa: TID251 - the shell
    for folder in (_state_folder(arguments), Path(tempfile.gettempdir())):
        path = folder / f"crash-{moment}-{os.getpid()}.txt"
        try:
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return path
    return Path("(nowhere: neither the project nor the temporary folder can be written)")


def _state_folder(arguments: Sequence[str]) -> Path:
    """Return the state folder of the project that the call is about."""
    for argument in (*arguments, "."):
        folder = Path(argument) / ".titian"
        if folder.is_dir():
            return folder
    return Path(tempfile.gettempdir())
