"""What `titian validate speed` says: a document of every number, and a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from titian.cli.output import estimate_row

if TYPE_CHECKING:
    from rich.console import Console

    from titian.statistics import Estimate
    from titian.validation.speed.comparison import Comparison
    from titian.validation.speed.layers import Work
    from titian.validation.speed.machine import Machine
    from titian.validation.speed.measurement import Speed
    from titian.validation.speed.sweep import Setting

SHOWN_LAYERS = 5


def document(
    found: Speed, swept: Sequence[Setting], compared: Comparison | None
) -> dict[str, Any]:
    """Return every number as one JSON document; an unknown value is null, with a reason."""
    from titian.values import to_json

    trace, load = found.trace, found.trace.load
    return {
        "model": {
            "name": found.name,
            "kind": found.kind,
            "threads": found.threads,
            "workers": found.workers,
            "batch": found.batch,
            "inputs": {name: list(shape) for name, shape in found.shapes},
            "answers_finite": found.finite,
        },
        "load": to_json(load),
        "run": {
            "queries": len(trace),
            "answered": int(trace.answered.sum()),
            "samples": int(trace.samples.sum()),
            "wall_s": trace.wall_s,
            "min_duration_met": trace.min_duration_met,
            "min_queries_met": trace.min_queries_met,
            "cut": trace.cut or None,
            "failures": to_json(trace.failures),
        },
        "latency_ms": {
            "mean": found.mean_ms,
            "percentiles": [
                {"percentile": round(share * 100, 6), **estimate_row(value)}
                for share, value in found.latency
            ],
        },
        "samples_per_s": estimate_row(found.throughput),
        "early_stopping": None
        if found.early_stopping is None
        else {
            "percentile": round(found.early_stopping.percentile * 100, 6),
            "latency_ms": _ms(found.early_stopping.latency_ns),
            "queries": found.early_stopping.queries,
            "discarded": found.early_stopping.discarded,
            "needed": found.early_stopping.needed,
        },
        "bound": None
        if found.bound is None or found.verdict is None
        else {
            "percentile": round(found.bound.percentile * 100, 6),
            "latency_ms": _ms(found.bound.bound_ns),
            "queries": found.bound.queries,
            "over": found.bound.over,
            "needed": found.bound.needed,
            "verdict": found.verdict.status,
            "detail": found.verdict.detail,
        },
        "overhead": to_json(found.overhead),
        "resources": to_json(found.resources) | {"reasons": dict(found.resources.reasons)},  # type: ignore[operator] # an object
        "work": None if found.work is None else _work(found.work),
        "sweep": [
            {
                "batch": setting.batch,
                "threads": setting.threads,
                "samples_per_s": estimate_row(setting.throughput),
                "latency_ms": estimate_row(setting.latency_ms),
            }
            for setting in swept
        ],
        "against": None if compared is None else _comparison(compared),
        "machine": {"before": _machine(found.before), "after": _machine(found.after)},
        "notes": list(notes_of(found)),
    }


def notes_of(found: Speed) -> tuple[str, ...]:
    """Return what a person should know before believing the numbers."""
    notes = list(found.notes)
    if found.trace.cut:
        notes.append(found.trace.cut)
    notes += [
        f"{failure.count:,} queries without an answer: {failure.reason}"
        for failure in found.trace.failures
    ]
    if found.before.busy:
        notes.append(
            f"the machine was busy: load {found.before.load:.1f} on {found.before.cores} "
            "processors before the run"
        )
    if found.work is not None and not found.work.complete:
        lacking = ", ".join(f"{name} ({n})" for name, n, _ in found.work.unknown)
        notes.append(f"operations lack the layers {lacking}")
    return tuple(notes)


def print_report(
    out: Console,
    found: Speed,
    swept: Sequence[Setting],
    compared: Comparison | None,
    drawn: Sequence[str],
) -> None:
    """Print a short summary."""
    for line in _lines(found, swept, compared):
        out.print(line, markup=False, soft_wrap=True)
    for note in notes_of(found):
        out.print(f"Note: {note}.", markup=False, soft_wrap=True)
    for path in drawn:
        out.print(f"Picture: {path}", markup=False, soft_wrap=True)


def _lines(found: Speed, swept: Sequence[Setting], compared: Comparison | None) -> list[str]:
    trace, load = found.trace, found.trace.load
    threads = "" if found.threads is None else f", {found.threads} thread(s)"
    lines = [
        f"{found.name}, {load.scenario}{threads}, {found.workers} worker(s): "
        f"{int(trace.answered.sum()):,} of {len(trace):,} queries answered in "
        f"{trace.wall_s:.1f} s"
    ]
    if found.verdict is not None:
        lines.append(f"{found.verdict.status}: {found.verdict.detail}")
    lines.append("")
    for share, value in found.latency:
        lines.append(f"  latency p{share * 100:<6g} {_shown(value, 'ms')}")
    lines.append(f"  throughput      {_shown(found.throughput, 'samples/s')}")
    early = found.early_stopping
    if early is not None:
        named = f"p{early.percentile * 100:g}"
        lines.append(
            f"  early stopping  {named} {early.latency_ns / 1e6:.3f} ms "
            f"(rank {early.discarded:,} from the top)"
            if early.latency_ns is not None and early.latency_ns != float("inf")
            else f"  early stopping  not shown: {named} needs {early.needed:,} queries that "
            "are answered"
        )
    over = found.overhead
    lines.append(
        f"  own overhead    {_number(over.empty_p50_us)} us, p99 {_number(over.empty_p99_us)} "
        f"us on a system that does nothing; {over.empty_cpu_us:.3g} us of processor time a "
        "query"
    )
    if over.delay_p99_us is not None:
        lines.append(
            f"  own delay       p50 {over.delay_p50_us:.0f} us, p99 {over.delay_p99_us:.0f} "
            f"us, longest {over.delay_max_us:.0f} us in this run"
        )
    if over.starved_share is not None:
        lines.append(f"  waiting         {over.starved_share:.1%} of the run for a processor")
    lines += ["", *_resource_lines(found)]
    if found.work is not None:
        lines += _work_lines(found.work)
    machine = found.before
    mhz = "" if machine.frequency_mhz is None else f" at {machine.frequency_mhz:.0f} MHz"
    load_s = "" if machine.load is None else f", load {machine.load:.1f}"
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries)
    lines.append(
        f"  machine         {machine.cpu or 'unknown'}{mhz}, {machine.cores} "
        f"processors{load_s}; {libraries}"
    )
    if swept:
        lines += ["", "  batch threads samples/s"]
        lines += [f"  {s.batch:>5} {s.threads:>7} {_shown(s.throughput, '')}" for s in swept]
    if compared is not None:
        lines += ["", *_comparison_lines(compared)]
    return lines


def _resource_lines(found: Speed) -> list[str]:
    used, why = found.resources, dict(found.resources.reasons)

    def row(name: str, key: str, value: float | None, unit: str) -> str:
        shown = (
            f"not shown: {why.get(key, 'unknown')}" if value is None else f"{value:.4g} {unit}"
        )
        return f"  {name:<15} {shown}"

    lines = [
        row("processor time", "cpu_s", used.cpu_ms_per_sample, "ms a sample"),
        row("peak memory", "peak_memory_mib", used.peak_memory_mib, "MiB"),
        row("energy", "energy_j", used.energy_mj_per_sample, "mJ a sample (whole processor)"),
    ]
    if used.model_memory_mib is not None:
        lines[1] += f", {used.model_memory_mib:.4g} MiB of it since the model was opened"
    return lines


def _work_lines(work: Work) -> list[str]:
    most = sorted(work.layers, key=lambda layer: -(layer.operations or 0))[:SHOWN_LAYERS]
    shown = ", ".join(
        f"{layer.operator} {layer.name} {(layer.operations or 0) / 1e6:.3g} M"
        for layer in most
        if layer.operations
    )
    return [
        f"  model           {work.size_bytes / 2**20:.3g} MiB, {work.parameters:,} parameters, "
        f"{work.operations / 1e6:.4g} M operations a call",
        f"  largest layers  {shown or 'none'}",
    ]


def _comparison_lines(compared: Comparison) -> list[str]:
    lines = [
        f"{compared.first} against {compared.second}, {compared.pairs:,} pairs in turn: "
        f"{_shown(compared.ratio, 'times the time')}",
        f"  medians {_shown(compared.first_ms, 'ms')} and {_shown(compared.second_ms, 'ms')}",
    ]
    if compared.size_ratio is not None:
        lines.append(f"  size {compared.size_ratio:.3g} times the other's")
    if compared.difference is not None:
        lines.append(f"  answers differ by at most {compared.difference:.3g} on one input")
    lines += [f"  {f.count:,} pairs without an answer: {f.reason}" for f in compared.failures]
    if compared.max_ratio is not None:
        lines.append(f"{compared.status}: ratio <= {compared.max_ratio:g}")
    return lines


def _comparison(compared: Comparison) -> dict[str, Any]:
    return {
        "first": compared.first,
        "second": compared.second,
        "pairs": compared.pairs,
        "ratio": estimate_row(compared.ratio),
        "first_ms": estimate_row(compared.first_ms),
        "second_ms": estimate_row(compared.second_ms),
        "size_ratio": compared.size_ratio,
        "largest_difference": compared.difference,
        "max_ratio": compared.max_ratio,
        "verdict": compared.status or None,
        "failures": [
            {"reason": failure.reason, "count": failure.count} for failure in compared.failures
        ],
    }


def _work(work: Work) -> dict[str, Any]:
    return {
        "size_bytes": work.size_bytes,
        "parameters": work.parameters,
        "operations": work.operations,
        "complete": work.complete,
        "unknown": [
            {"operator": name, "count": n, "reason": why} for name, n, why in work.unknown
        ],
        "layers": [
            {
                "name": layer.name,
                "operator": layer.operator,
                "operations": layer.operations,
                "parameters": layer.parameters,
                "output": None if layer.output is None else list(layer.output),
            }
            for layer in work.layers
        ],
    }


def _machine(machine: Machine) -> dict[str, Any]:
    return {
        "cpu": machine.cpu,
        "processors": machine.cores,
        "frequency_mhz": machine.frequency_mhz,
        "governor": machine.governor,
        "load": machine.load,
        "memory_gib": machine.memory_gib,
        "platform": machine.platform,
        "libraries": dict(machine.libraries),
        "busy": machine.busy,
    }


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e6


def _shown(estimate: Estimate, unit: str) -> str:
    if estimate.value is None:
        return f"not shown: {estimate.reason}"
    text = f"{_number(estimate.value)} {unit}".rstrip()
    if not estimate.intervals:
        return f"{text} (no interval: {estimate.reason})"
    interval = estimate.intervals[0]
    return f"{text} ({_number(interval.low)} to {_number(interval.high)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
