"""Tables that a command writes: CSV, or Parquet where the name says so, whole or not at all."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from titian.pipeline.reporter import Reporter

PARQUET: Final = (".parquet", ".pq")
Cell = str | int | float | None
_NEEDS_QUOTES: Final = re.compile(r'[,"\r\n]|^\s|\s$|^$')


def target_problems(
    targets: Mapping[str, Path | None], sources: Sequence[Path]
) -> list[Problem]:
    """Say what is wrong with the files that a command is to write.

    Args:
        targets: option -> file; None where the option was left out.
        sources: files that the command reads; none may be written over.
    """
    problems = []
    read = {path.resolve() for path in sources}
    seen: dict[Path, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        place = path.resolve()
        if path.is_dir() or not place.parent.is_dir():
            what = "is a folder" if path.is_dir() else f"lies in {path.parent}, which is none"
            problems.append(
                Problem(
                    code="T-A350",
                    message=f"{option} {path} {what}; it is a file in a folder that exists.",
                    remedy="Name a file, or make the folder first.",
                )
            )
        elif place in read or place in seen:
            what = f"also what {seen[place]} writes" if place in seen else "one of the inputs"
            problems.append(
                Problem(
                    code="T-A351",
                    message=f"{option} {path} is {what}; nothing is written over.",
                    remedy="Name another file.",
                )
            )
        seen.setdefault(place, option)
    return problems


def require_targets(targets: Mapping[str, Path | None], sources: Sequence[Path]) -> None:
    """Refuse files that cannot or must not be written, before any work is done.

    Raises:
        InputError: T-A350 no place for the file, T-A351 it would be written over another.
    """
    problems = target_problems(targets, sources)
    if problems:
        raise InputError(*problems)


def write_columns(columns: Mapping[str, Sequence[Cell]], path: Path) -> None:
    """Write a table; text stands in it verbatim, None and NaN become empty cells.

    Args:
        columns: name -> n cells, of text or of numbers.
        path: a name in `PARQUET` gives Parquet, any other CSV (UTF-8, RFC 4180 quotes).
    """
    from titian.evidence.store import write_aside

    parquet = path.suffix.lower() in PARQUET
    write_aside(path, _parquet(columns) if parquet else _csv(columns))


def _csv(columns: Mapping[str, Sequence[Cell]]) -> bytes:
    lines = [",".join(map(_quoted, columns))]
    lines += [",".join(map(_cell, row)) for row in zip(*columns.values(), strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _cell(value: Cell) -> str:
    match value:
        case str():
            return _quoted(value)
        case None:
            return ""
        case float() if math.isnan(value):
            return ""
        case _:
            return repr(value)


def _quoted(text: str) -> str:
    # The csv module of Python 3.11 leaves a lone carriage return bare, which ends a row.
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _parquet(columns: Mapping[str, Sequence[Cell]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = pa.BufferOutputStream()
    arrays = {name: pa.array(cells, from_pandas=True) for name, cells in columns.items()}
    pq.write_table(pa.table(arrays), out)
    return bytes(out.getvalue())


@contextmanager
def step(
    reporter: Reporter, name: str, place: int, total: int
) -> Iterator[Callable[[int, int], None]]:
    """Report one step of a command; what it gives takes items done and items in all."""
    import time

    start = time.perf_counter()
    reporter.stage_started(name, place, total)
    yield lambda done, items: reporter.step(name, name, done, items)
    reporter.stage_finished(name, seconds=time.perf_counter() - start, cached=False)
