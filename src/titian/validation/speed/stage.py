"""The ``speed`` stage: how fast the released model answers, on this machine, in this run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from titian.dataset.parquet import write_columns
from titian.dataset.records import read_records
from titian.models.card import read_card
from titian.models.inspection import parse_model, read_bytes
from titian.stage import Context, Stage, StageResult
from titian.statistics import Estimate
from titian.validation.speed.checks import findings
from titian.validation.speed.faults import controls
from titian.validation.speed.figures import latency_figure, layers_figure, sweep_figure
from titian.validation.speed.measurement import Speed, measure_speed
from titian.validation.speed.scenario import Load, make_load
from titian.validation.speed.sweep import sweep
from titian.validation.speed.target import open_target
from titian.validation.speed.trace import Trace
from titian.values import Figure, Interval, Measurement, Project, Replay

REPLAY = Replay(
    derivable=False,
    tolerance=0.0,
    reason="timings hang on the machine and its load; another run gives others",
)

DEFAULT_DURATION_S = 10.0
STEPS = 100
SWEEP_TURN_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedBlock:
    """The ``speed`` block.

    Attributes:
        scenario: ``single-stream``, ``multi-stream``, ``server`` or ``offline``.
        target_latency_ms: bound on the latency's percentile.
        percentile: in percent; 90 for single-stream and 99 otherwise.
        target_qps: queries a second of the server scenario.
        min_duration_s: the run lasts at least this long.
        min_queries: and has at least this many queries; 100 unless stated.
        threads: threads inside an operator.
    """

    scenario: str = "single-stream"
    target_latency_ms: float | None = None
    percentile: float | None = None
    target_qps: float | None = None
    min_duration_s: float = DEFAULT_DURATION_S
    min_queries: int | None = None
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedSettings:
    """What a run depends on besides the model, the cases' size and the machine."""

    load: Load
    threads: int
    alpha: float


def configure(project: Project) -> SpeedSettings | None:
    """Return the settings, or None when the project has no ``speed`` block.

    Raises:
        InputError: T-V160 to T-V163, what the block asks for.
    """
    block = project.blocks.get("speed")
    if not isinstance(block, SpeedBlock):
        return None
    load = make_load(
        block.scenario,
        block.percentile,
        target_latency_ms=block.target_latency_ms,
        target_qps=block.target_qps,
        min_duration_s=block.min_duration_s,
        min_queries=block.min_queries,
        seed=project.seed,
    )
    return SpeedSettings(load=load, threads=max(1, block.threads), alpha=project.alpha)


def run(settings: SpeedSettings, inputs: Mapping[str, Path], context: Context) -> StageResult:
    """Time the model on input of the size of the project's cases."""
    path = inputs["model.fp32"]
    target = open_target(
        path,
        threads=settings.threads,
        seed=settings.load.seed,
        shapes=input_shapes(path, inputs["records"]),
    )

    def told(share: float) -> None:
        context.progress("queries", min(round(share * STEPS), STEPS), STEPS)

    found = measure_speed(target, settings.load, alpha=settings.alpha, progress=told)
    swept = sweep(target, rng=np.random.default_rng([context.seed, 3]), turn_s=SWEEP_TURN_S)
    drawn: tuple[Figure | None, ...] = (
        latency_figure(found),
        sweep_figure(swept),
        None if found.work is None else layers_figure(found.work),
    )
    latencies = context.folder / "latencies.parquet"
    write_columns(columns(found.trace), latencies)
    return StageResult(
        artifacts={"latencies": latencies},
        measurements=measurements(found, alpha=settings.alpha),
        findings=findings(found),
        figures=tuple(figure for figure in drawn if figure is not None),
        controls=controls(found, target.answer),
        replay=REPLAY,
    )


def input_shapes(model: Path, records: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of an image of median size, for a model whose images may be any size."""
    parsed = parse_model(read_bytes(model), name=model.name)
    if read_card(parsed).input != "image":
        return {}
    (port,) = (port for port in parsed.graph.input if port.name == "image")
    dims = [dim.dim_value or None for dim in port.type.tensor_type.shape.dim]
    facts = read_records(records).files
    taken = [_median(facts.get("height")), _median(facts.get("width"))]
    size = [dims[0] or 1, dims[1] or 1, *(a or b for a, b in zip(dims[2:], taken, strict=True))]
    return {"image": tuple(size)}


def _median(values: Any) -> int:  # noqa: ANN401 - a column or nothing
    held = np.asarray([] if values is None else values, dtype=np.float64)
    held = held[np.isfinite(held)]
    return int(np.median(held)) if held.size else 1


def columns(trace: Trace) -> dict[str, np.ndarray]:
    """Return the table of every query, in nanoseconds from the start of the run."""
    return {
        "scheduled_ns": trace.scheduled_ns,
        "issued_ns": trace.issued_ns,
        "done_ns": np.where(trace.answered, trace.done_ns, -1),
        "answered": trace.answered.astype(np.int64),
        "samples": trace.samples,
    }


def measurements(found: Speed, *, alpha: float) -> tuple[Measurement, ...]:
    """Name what a run came to; a requirement may bound any of these."""
    n = len(found.trace)
    told = [
        _estimated(f"latency_p{f'{share * 100:g}'.replace('.', '_')}", value, "ms")
        for share, value in found.latency
    ]
    told.append(_estimated("throughput", found.throughput, "1/s"))
    if found.early_stopping is not None:
        held = found.early_stopping.latency_ns
        finite = held is not None and np.isfinite(held)
        told.append(
            Measurement(
                name="latency_early_stopping",
                value=held / 1e6 if held is not None and finite else None,
                n=n,
                unit="ms",
                method="early stopping, upper bound at 99 %",
                reason="an upper bound has no interval"
                if finite
                else f"it needs {found.early_stopping.needed} answered queries",
            )
        )
    used, why = found.resources, dict(found.resources.reasons)
    for name, value, unit, key in (
        ("cpu_per_sample", used.cpu_ms_per_sample, "ms", "cpu_s"),
        ("peak_memory", used.peak_memory_mib, "MiB", "peak_memory_mib"),
        ("energy_per_sample", used.energy_mj_per_sample, "mJ", "energy_j"),
        ("generator_delay_p99", found.overhead.delay_p99_us, "us", "generator"),
    ):
        reason = (
            "one reading has no interval" if value is not None else why.get(key, "not read")
        )
        told.append(Measurement(name=name, value=value, n=n, unit=unit, reason=reason))
    if found.work is not None:
        work = found.work
        told += [
            _counted("model_size", work.size_bytes, "B", alpha),
            _counted("parameters", work.parameters, "1", alpha),
        ]
        if work.complete:
            told.append(_counted("operations", work.operations, "1", alpha))
        else:
            lacking = ", ".join(name for name, _, _ in work.unknown)
            told.append(
                Measurement(
                    name="operations", value=None, n=1, reason=f"not counted: {lacking}"
                )
            )
    return tuple(told)


def _estimated(name: str, value: Estimate, unit: str) -> Measurement:
    return Measurement(
        name=name,
        value=value.value,
        n=value.n,
        unit=unit,
        method=value.method,
        intervals=value.intervals,
        reason=value.reason,
    )


def _counted(name: str, value: int, unit: str, alpha: float) -> Measurement:
    exact = Interval(alpha=alpha, low=float(value), high=float(value))
    return Measurement(
        name=name, value=float(value), n=1, unit=unit, method="counted", intervals=(exact,)
    )


SPEED: Stage[SpeedSettings] = Stage(
    name="speed",
    summary="Time the model under a stated load, on this machine.",
    reads=("model.fp32", "records"),
    writes=("latencies",),
    configure=configure,
    run=run,
    block="speed",
    block_type=SpeedBlock,
)
