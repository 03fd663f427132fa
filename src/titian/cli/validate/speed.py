"""`titian validate speed`: latency, throughput and cost of a model under a stated load."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from titian.cli.output import console, reserved_output, write_json
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from titian.validation.speed.comparison import Comparison
    from titian.validation.speed.endpoint import HttpTarget
    from titian.validation.speed.measurement import Speed
    from titian.validation.speed.sweep import Setting
    from titian.validation.speed.target import OnnxTarget

LINE_S: Final = 5.0
"""A pipe hears of progress this often; a terminal, as often as it is told."""


def speed(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="ONNX file, or http://HOST:PORT/v2/models/NAME of an endpoint.",
        ),
    ],
    scenario: Annotated[
        str,
        typer.Option(metavar="NAME", help="single-stream, multi-stream, server or offline."),
    ] = "single-stream",
    target_latency_ms: Annotated[
        float | None, typer.Option(metavar="L", help="Bound on the latency's percentile.")
    ] = None,
    percentile: Annotated[
        float | None,
        typer.Option(metavar="P", help="In percent; 90 for single-stream, 99 otherwise."),
    ] = None,
    target_qps: Annotated[
        float | None, typer.Option(metavar="Q", help="Queries a second (server).")
    ] = None,
    min_duration_s: Annotated[
        float, typer.Option(metavar="S", help="The run lasts at least this long.")
    ] = 10.0,
    min_queries: Annotated[
        int | None, typer.Option(metavar="N", help="And has at least so many queries (100).")
    ] = None,
    max_duration_s: Annotated[
        float, typer.Option(metavar="S", help="The run is cut off here.")
    ] = 600.0,
    samples_per_query: Annotated[
        int | None, typer.Option(metavar="N", help="Of multi-stream (8).")
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=1024, help="Threads inside an operator.")
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=1024, help="Queries answered at the same time (server, offline)."
        ),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, max=65536, help="Samples a call (offline).")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=D,D,...", help="Shape of an input with free axes."),
    ] = None,
    inputs: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Real arrays by the input's name."),
    ] = None,
    timeout_s: Annotated[
        float, typer.Option(metavar="S", help="Longest exchange with an endpoint.")
    ] = 10.0,
    against: Annotated[
        str | None,
        typer.Option(metavar="OTHER", help="A model to compare with, query by query."),
    ] = None,
    max_ratio: Annotated[
        float | None,
        typer.Option(metavar="R", help="Exit 1 when MODEL takes over R times OTHER's time."),
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Also time batches and numbers of threads.")
    ] = False,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where pictures go, as SVG files.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of arrivals and inputs.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Measure how fast a model answers under a load, and what that costs.

    Scenarios and early stopping are those of MLPerf's LoadGen; latency counts from when a
    query was due. With a bound, exit 1 says that it was not shown to hold. With --against,
    both models answer in turn and only their ratio is judged.

    \b
    Examples:
      titian validate speed model.onnx --target-latency-ms 50
      titian validate speed model.onnx --scenario server --target-qps 20 \\
        --target-latency-ms 100 --percentile 99
      titian validate speed int8.onnx --against fp32.onnx --max-ratio 1.0
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.cli.validate.speed_report import document, print_report
    from titian.validation.speed.measurement import measure_speed
    from titian.validation.speed.scenario import make_load

    _require_sense(model, against, max_ratio, timeout_s, sweep=sweep, figures=figures)
    load = make_load(
        scenario,
        percentile,
        target_latency_ms=target_latency_ms,
        target_qps=target_qps,
        min_duration_s=min_duration_s,
        min_queries=min_queries,
        max_duration_s=max_duration_s,
        samples_per_query=samples_per_query,
        seed=seed,
    )
    opening = partial(_open, threads=threads, seed=seed, timeout_s=timeout_s)
    with reserved_output(wanted=json), _Progress() as progress, ExitStack() as stack:
        shapes, arrays = read_shapes(shape or []), read_arrays(inputs)
        target = opening(model, shapes, arrays)
        stack.callback(target.close)
        other = None if against is None else opening(against, shapes, arrays)
        if other is not None:
            stack.callback(other.close)
        found = measure_speed(
            target, load, workers=workers, batch=batch, progress=progress.step("run")
        )
        swept = _sweep(target, seed, progress) if sweep else ()
        compared = None
        if other is not None:
            compared = _compare(target, other, found, max_ratio, progress)
    drawn = [] if figures is None else _draw(found, swept, figures)
    if json:
        write_json(document(found, swept, compared) | {"figures": drawn})
    else:
        print_report(console(), found, swept, compared, drawn)
    failed = found.verdict is not None and found.verdict.status != "met"
    if failed or (compared is not None and compared.status == "not met"):
        raise typer.Exit(1)


def read_shapes(stated: list[str]) -> dict[str, tuple[int, ...]]:
    """Read ``NAME=1,3,224,224``; an empty right side is the shape of a scalar.

    Raises:
        InputError: T-V168; all that are wrong are told.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    problems = []
    for text in stated:
        name, equals, sizes = text.rpartition("=")
        try:
            shape = tuple(int(size) for size in sizes.replace("x", ",").split(",") if sizes)
        except ValueError:
            shape = (0,)
        if not name or not equals or any(size < 1 for size in shape):
            problems.append(
                Problem(
                    code="T-V168",
                    message=f"--shape {text!r} is not NAME=1,3,224,224.",
                    remedy="Write the input's name, an equals sign and sizes of 1 or more.",
                )
            )
        shapes[name] = shape
    if problems:
        raise InputError(*problems)
    return shapes


def read_arrays(path: Path | None) -> dict[str, Any]:
    """Read the arrays of an ``.npz`` file by name; none without a file.

    Raises:
        InputError: T-V169, the file holds no plain arrays.
    """
    if path is None:
        return {}
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            Problem(
                code="T-V169",
                message=f"{path.name} holds no plain arrays by name ({reason.rstrip('.')}).",
                remedy="Write it with numpy.savez(FILE, NAME=array).",
            )
        ) from error


def _require_sense(
    model: str,
    against: str | None,
    max_ratio: float | None,
    timeout_s: float,
    *,
    sweep: bool,
    figures: Path | None,
) -> None:
    from titian.validation.speed.endpoint import is_endpoint

    wrong = []
    if max_ratio is not None and against is None:
        wrong.append("--max-ratio compares with another model, and --against names none")
    if max_ratio is not None and not 0 < max_ratio < float("inf"):
        wrong.append(f"--max-ratio is {max_ratio:g}; it is a number above 0")
    if not 0 < timeout_s <= 3600:
        wrong.append(f"--timeout-s is {timeout_s:g}; it is above 0 and at most 3600")
    if sweep and is_endpoint(model):
        wrong.append("--sweep changes batches and threads, which an endpoint chooses itself")
    if figures is not None and figures.exists() and not figures.is_dir():
        wrong.append(f"--figures {figures} is a file; it is a folder")
    if wrong:
        raise InputError(
            *(
                Problem(code="T-V170", message=f"{what}.", remedy="Change the options.")
                for what in wrong
            )
        )


def _open(
    place: str,
    shapes: dict[str, tuple[int, ...]],
    arrays: dict[str, Any],
    *,
    threads: int,
    seed: int,
    timeout_s: float,
) -> OnnxTarget | HttpTarget:
    from titian.validation.speed.endpoint import is_endpoint, open_endpoint
    from titian.validation.speed.target import open_target

    if is_endpoint(place):
        return open_endpoint(place, timeout_s=timeout_s, seed=seed)
    return open_target(Path(place), threads=threads, seed=seed, shapes=shapes, inputs=arrays)


def _sweep(
    target: OnnxTarget | HttpTarget, seed: int, progress: _Progress
) -> tuple[Setting, ...]:
    import numpy as np

    from titian.validation.speed.sweep import sweep
    from titian.validation.speed.target import OnnxTarget

    if not isinstance(target, OnnxTarget):
        raise TypeError("an endpoint is not swept")
    return sweep(target, rng=np.random.default_rng(seed), progress=progress.step("sweep"))


def _compare(
    target: OnnxTarget | HttpTarget,
    other: OnnxTarget | HttpTarget,
    found: Speed,
    max_ratio: float | None,
    progress: _Progress,
) -> Comparison:
    from titian.validation.speed.comparison import compare

    return compare(
        target, other, found.trace.load, max_ratio=max_ratio, progress=progress.step("compare")
    )


def _draw(found: Speed, swept: tuple[Setting, ...], folder: Path) -> list[str]:
    from titian.dossier.svg import PRINT, draw
    from titian.validation.speed.figures import latency_figure, sweep_figure

    drawn = [latency_figure(found), sweep_figure(swept) if swept else None]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for figure in drawn:
        if figure is not None:
            path = folder / f"{figure.name}.svg"
            text = draw(figure, PRINT, figure.name)
            if "xmlns=" not in text.partition(">")[0]:
                text = text.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
            path.write_text(text, encoding="utf-8")
            written.append(str(path))
    return written


class _Progress:
    """One line that is written over, so lightly that timings do not feel it.

    A bar that is redrawn by a thread of its own would take the interpreter from the load
    generator ten times a second.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last_s = time.monotonic()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            self._write("\r\x1b[K")

    def step(self, name: str) -> Any:  # noqa: ANN401 - a callable of one share
        def told(share: float) -> None:
            if self._terminal:
                self._write(f"\r\x1b[K{name} {share:.0%}")
            elif time.monotonic() - self._last_s > LINE_S:
                self._last_s = time.monotonic()
                self._write(f"{name} {share:.0%}\n")

        return told

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, ValueError):
            self._terminal = False
