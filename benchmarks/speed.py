"""What the load generator costs, beside MLPerf's LoadGen, and whether verdicts agree.

Run by `make bench`. LoadGen runs in its own environment, named by TITIAN_LOADGEN_PYTHON;
without it our own numbers alone are printed. To make that environment:

    python3 -m venv loadgen
    loadgen/bin/pip install mlcommons-loadgen==6.0.17 numpy
    export TITIAN_LOADGEN_PYTHON=$PWD/loadgen/bin/python

Both send the same load to a system that does nothing, in turn and in processes of their own;
what counts is the ratio of two neighbours. A busy machine moves the absolute numbers. Early
stopping is compared on LoadGen's own runs: its counts and verdicts against ours on the
latencies that its trace holds. `python benchmarks/speed.py counts` runs that part alone,
`load` the other.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from titian.validation.speed.early_stopping import check_bound, estimate_latency, min_passing
from titian.validation.speed.generator import generate
from titian.validation.speed.scenario import make_load

QPS = 20_000.0
DURATION_S = 3.0
ROUNDS = 5
CASES = 1_000
SEED = 2026
QUIET_SHARE = 0.01  # of the time that the generator was ready and had no processor
PERCENTILES = (0.8, 0.9, 0.95, 0.97, 0.99)

_PEER = r"""
import json, os, re, shutil, sys, tempfile, time
import mlperf_loadgen as lg

def run(scenario, issue, trace, **settings):
    wanted = lg.TestSettings()
    wanted.scenario = getattr(lg.TestScenario, scenario)
    wanted.mode = lg.TestMode.PerformanceOnly
    for name, value in settings.items():
        setattr(wanted, name, value)
    folder = tempfile.mkdtemp()
    output = lg.LogOutputSettings()
    output.outdir, output.copy_summary_to_stdout = folder, False
    log = lg.LogSettings()
    log.log_output, log.enable_trace = output, trace
    system = lg.ConstructSUT(issue, lambda: None)
    samples = lg.ConstructQSL(1024, 1024, lambda _: None, lambda _: None)
    cpu, wall = time.process_time(), time.perf_counter()
    lg.StartTestWithLogSettings(system, samples, wanted, log, "")
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    lg.DestroyQSL(samples); lg.DestroySUT(system)
    texts = [open(os.path.join(folder, f"mlperf_log_{name}")).read()
             for name in ("summary.txt", "trace.json")]
    shutil.rmtree(folder)
    return (cpu, wall, *texts)

def nothing(queries):
    lg.QuerySamplesComplete([lg.QuerySampleResponse(q.id, 0, 0) for q in queries])

def number(text, pattern):
    found = re.search(pattern, text)
    return None if found is None else float(found.group(1))

asked = json.loads(sys.stdin.read())
if asked["what"] == "load":
    cpu, wall, summary, _ = run(
        asked["scenario"], nothing, False, min_query_count=asked["queries"],
        min_duration_ms=int(asked["seconds"] * 1000), server_target_qps=asked["qps"],
        server_target_latency_ns=10**9, single_stream_expected_latency_ns=5_000)
    told = {f"p{p}": number(summary, rf"{p}\.00 percentile latency \(ns\) *: (\d+)")
            for p in (50, 90, 99)}
    told["mean"] = number(summary, r"Mean latency \(ns\) *: (\d+)")
    told["with"] = number(summary, r"QPS w/ loadgen overhead *: ([0-9.]+)")
    rate = number(summary, r"Completed samples per second *: ([0-9.]+)")
    told["queries"] = rate * asked["seconds"] if rate else None
    print(json.dumps(told | {"cpu": cpu, "wall": wall}))
else:
    for case in asked["cases"]:
        waits = iter(case["waits"])
        def issue(queries):
            end = time.perf_counter_ns() + next(waits, 0)
            while time.perf_counter_ns() < end:
                pass
            nothing(queries)
        n, p = case["n"], case["p"]
        server = case["scenario"] == "Server"
        _, _, summary, trace = run(
            case["scenario"], issue, True, min_duration_ms=0, min_query_count=n,
            max_query_count=n, server_target_qps=1e6, server_target_latency_ns=case["bound"],
            server_target_latency_percentile=p, single_stream_target_latency_percentile=p)
        print(json.dumps({
            "latency": [int(x) for x in re.findall(r'"complete_ns":(\d+)', trace)],
            "satisfied": "Early stopping satisfied: Yes" in summary,
            "more": number(summary, r"at least (\d+) more queries"),
            "needed": number(summary, r"Need to process at least (\d+) queries"),
            "discarded": number(summary, r"Would discard (\d+) highest"),
            "estimate": number(summary, r"percentile estimate: (\d+)"),
        }), flush=True)
"""


def ask(python: str, question: dict[str, object]) -> list[dict[str, float]]:
    """Put a question to LoadGen in its own process; return its answers, one a line."""
    held = subprocess.run(
        [python, "-c", _PEER],
        input=json.dumps(question),
        text=True,
        capture_output=True,
        check=True,
    )
    return [json.loads(line) for line in held.stdout.splitlines() if line.startswith("{")]


def nothing(_query: int, _samples: int) -> None:
    return


def ours(scenario: str, workers: int) -> dict[str, float]:
    """Send the load to nothing; latencies in ns, processor time in s."""
    load = make_load(
        scenario,
        target_qps=QPS if scenario == "server" else None,
        min_duration_s=DURATION_S,
    )
    cpu = time.process_time()
    trace = generate(nothing, load, workers=workers)
    cpu = time.process_time() - cpu
    told = dict(zip(("p50", "p90", "p99"), quantiles(trace.latency_ns), strict=True))
    return told | {
        "mean": float(trace.latency_ns.mean()),
        "delay": quantiles(trace.delay_ns)[2],
        "queries": float(len(trace)),
        "with": len(trace) / trace.wall_s,
        "starved": (trace.waited_s or 0.0) / trace.wall_s,
        "cpu": cpu,
    }


def quantiles(values: np.ndarray) -> list[float]:
    return [float(v) for v in np.quantile(values, [0.50, 0.90, 0.99])]


def in_process(scenario: str, workers: int) -> dict[str, float]:
    held = subprocess.run(
        [sys.executable, __file__, "own", scenario, str(workers)],
        text=True,
        capture_output=True,
        check=True,
    )
    return json.loads(held.stdout)


def measure_load(python: str | None) -> None:
    """Print the generator's own delay and its overhead beside LoadGen's."""
    print(f"  server, {QPS:,.0f} queries/s to a system that does nothing, {ROUNDS} rounds")
    rounds = []
    for _ in range(ROUNDS):
        mine, pooled = in_process("server", 0), in_process("server", 1)
        theirs = None
        if python:
            (theirs,) = ask(
                python,
                {"what": "load", "scenario": "Server", "qps": QPS, "seconds": DURATION_S}
                | {"queries": 100},
            )
        rounds.append((mine, pooled, theirs))
        load = os.getloadavg()[0]
        shown = "" if theirs is None else f"; LoadGen p99 {theirs['p99'] / 1e3:8.1f} us"
        print(
            f"    own delay p99 {mine['delay'] / 1e3:8.1f} us (with a worker thread "
            f"{pooled['delay'] / 1e3:8.1f} us){shown}; load {load:.1f}, without a processor "
            f"{mine['starved']:.1%} of the time"
        )
    delays = [mine["delay"] / 1e3 for mine, _, _ in rounds]
    quiet = [mine["delay"] / 1e3 for mine, _, _ in rounds if mine["starved"] < QUIET_SHARE]
    middle = statistics.median(delays)
    print(f"  own delay p99: median {middle:.1f} us, best round {min(delays):.1f} us")
    if quiet:
        held = statistics.median(quiet)
        print(
            f"  of {len(quiet)} rounds on a machine at rest {held:.1f} us "
            f"(goal 1000 us, {'ok' if held <= 1000 else 'MISSED'})"
        )
    else:
        print(
            "  goal 1000 us: not shown, since others had the processors in every round; the "
            "ratios below hold all the same"
        )
    for name, key, goal in (
        ("latency of nothing, median", "p50", 1.2),
        ("latency of nothing, mean", "mean", 1.2),
        ("latency of nothing, p99", "p99", 1.2),
    ):
        tell(name, [(m[key], t[key]) for m, _, t in rounds if t], 1e-3, "us", goal)
    tell(
        "processor time a query",
        [(m["cpu"] / m["queries"], t["cpu"] / t["queries"]) for m, _, t in rounds if t],
        1e6,
        "us",
        1.2,
    )
    pairs = []
    for _ in range(ROUNDS):
        mine = in_process("single-stream", 0)
        if python:
            (theirs,) = ask(
                python,
                {"what": "load", "scenario": "SingleStream", "qps": QPS, "queries": 100}
                | {"seconds": DURATION_S},
            )
            pairs.append((1 / mine["with"], 1 / theirs["with"]))
    tell("single-stream, time a query of nothing", pairs, 1e6, "us", 1.2)


def tell(
    name: str, pairs: list[tuple[float, float]], scale: float, unit: str, goal: float
) -> None:
    """Print the medians of both and the median of their ratios."""
    if not pairs:
        return
    mine, theirs = (statistics.median(side) * scale for side in zip(*pairs, strict=True))
    ratio = statistics.median(m / t for m, t in pairs)
    verdict = "ok" if ratio <= goal else "MISSED"
    print(
        f"  {name:<40} {mine:9.2f} {unit}, LoadGen {theirs:9.2f}: {ratio:5.2f}x "
        f"(goal {goal}x, {verdict})"
    )


def measure_counts(python: str | None) -> None:
    """Print how often counts and verdicts equal LoadGen's, and what ours cost."""
    rng = np.random.default_rng(SEED)
    tasks = [(int(t), float(rng.choice(PERCENTILES))) for t in rng.integers(0, 10_000, CASES)]
    begin = time.process_time()
    for t, p in tasks:
        min_passing(t, p)
    each = (time.process_time() - begin) / CASES
    worst = 0.0
    for p in (0.9, 0.99, 0.999):
        latency = rng.random(1_000_000)
        begin = time.process_time()
        estimate_latency(latency, p)
        check_bound(latency, p, bound_ns=0.99)
        worst = max(worst, time.process_time() - begin)
    print(
        f"  early stopping: {each * 1e3:.3f} ms a count (goal 10 ms, "
        f"{'ok' if each < 0.01 else 'MISSED'}); 1,000,000 latencies {worst * 1e3:.1f} ms"
    )
    if not python:
        return
    cases = [draw_case(rng, k) for k in range(CASES)]
    answers = ask(python, {"what": "counts", "cases": cases})
    equal = [agrees(case, told) for case, told in zip(cases, answers, strict=True)]
    passed = sum(bool(told["satisfied"]) for told in answers)
    verdict = "ok" if all(equal) else "MISSED"
    print(
        f"  equal counts and verdicts on LoadGen's own runs: {sum(equal)} of {CASES} "
        f"({passed} satisfied; goal all, {verdict})"
    )


def draw_case(rng: np.random.Generator, place: int) -> dict[str, object]:
    """Draw a run of LoadGen: some queries are slow, and the bound lies anywhere."""
    n = int(rng.integers(30, 1_500))
    slow = rng.random(n) < rng.choice([0.0, 0.01, 0.05])
    waits = np.where(slow, 60_000, 0)
    # Queries queue up at this rate, so the latency grows by about 20 us a query.
    bound = int(n * 20_000 * rng.choice([0.5, 0.9, 1.0, 1.2, 3.0]) * rng.uniform(0.9, 1.1))
    return {
        "scenario": "Server" if place % 2 else "SingleStream",
        "n": n,
        "p": float(rng.choice(PERCENTILES)),
        "bound": bound,
        "waits": waits.tolist(),
    }


def agrees(case: dict[str, object], told: dict[str, float]) -> bool:
    """Say whether our counts on the same latencies are LoadGen's."""
    latency = np.asarray(told["latency"], dtype=np.float64)
    if len(latency) != case["n"]:
        return False
    p = float(str(case["p"]))
    if case["scenario"] == "Server":
        found = check_bound(latency, p, bound_ns=float(str(case["bound"])))
        return found.passed == told["satisfied"] and found.lacking == (told["more"] or 0)
    held = estimate_latency(latency, p)
    if told["discarded"] is None:
        return held.latency_ns is None and held.needed == told["needed"]
    return held.discarded - 1 == told["discarded"] and held.latency_ns == told["estimate"]


def main() -> None:
    if sys.argv[1:2] == ["own"]:
        print(json.dumps(ours(sys.argv[2], int(sys.argv[3]))))
        return
    python = os.environ.get("TITIAN_LOADGEN_PYTHON")
    if not python:
        print("TITIAN_LOADGEN_PYTHON is not set: LoadGen is left out.")
    elif not Path(python).exists():
        raise SystemExit(f"TITIAN_LOADGEN_PYTHON names no file: {python}")
    only = sys.argv[1:2]
    if only != ["counts"]:
        measure_load(python)
    if only != ["load"]:
        measure_counts(python)


if __name__ == "__main__":
    main()
