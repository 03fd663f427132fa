"""Cost model of the accelerator: cycles beside SCALE-Sim, exploration rate, golden prices.

Goals: 0 layers whose cycles differ from SCALE-Sim 3.0.0 (AlexNet, ResNet-18, MobileNetV2, three
dataflows); 10,000,000 designs with memory and energy terms in 60 s of one core, and 100,000
times the rate of SCALE-Sim, 1,000 times that of zigzag-dse; Chiplet Actuary's values.

The peer lives in an environment of its own (``pip install scalesim==3.0.0 "numpy==2.2.6"
"pandas<3"``, ``pip install zigzag-dse==3.9.1 six``): name its interpreter with
``--scalesim-python`` or ``--zigzag-python``. Distinct layers are run once;
``--most-elements`` leaves out those on which the peer needs minutes.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from titian.accelerator.exploration.search import explore
from titian.accelerator.exploration.space import Space
from titian.accelerator.packaging.quotation import quote
from titian.accelerator.timing import DATAFLOWS, scalesim_cycles
from titian.accelerator.workload.layers import Workload
from titian.accelerator.workload.topology import read_topology

Row = tuple[str, int, int, int, int, int, int, int]
HEAD = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, "
    "Num Filter, Strides,\n"
)
GOAL_POINTS, GOAL_S, GOAL_RATIO = 10_000_000, 60.0, 100_000
GOLDEN = (
    ("5nm", 1, "mcm", "yield", 0.43024, 5e-6),
    ("5nm", 1, "mcm", "known-good die", 671.592, 5e-4),
    ("5nm", 1, "mcm", "packaged", 698.578, 5e-4),
    ("7nm", 1, "mcm", "yield", 0.49894, 5e-6),
    ("7nm", 1, "mcm", "known-good die", 318.602, 5e-4),
    ("7nm", 1, "mcm", "packaged", 342.022, 5e-4),
    ("5nm", 5, "mcm", "packaged", 383.61, 6e-3),
    ("5nm", 5, "fanout", "packaged", 448.13, 6e-3),
    ("5nm", 5, "interposer", "packaged", 551.46, 6e-3),
    ("7nm", 5, "mcm", "packaged", 223.38, 6e-3),
    ("7nm", 5, "fanout", "packaged", 277.85, 6e-3),
    ("7nm", 5, "interposer", "packaged", 352.54, 6e-3),
)
PEER = '''
import contextlib, io, json, os, sys, tempfile, time
from scalesim.layout_utils import layouts
from scalesim.scale_config import scale_config
from scalesim.single_layer_sim import single_layer_sim
from scalesim.topology_utils import topologies
CONFIG = """[general]
run_name = r
[architecture_presets]
ArrayHeight : {side}
ArrayWidth : {side}
IfmapSramSzkB: 512
FilterSramSzkB: 512
OfmapSramSzkB: 256
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Dataflow : {flow}
Bandwidth : 10
ReadRequestBuffer: 512
WriteRequestBuffer: 512
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport : false
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""
side, folder = sys.argv[1], sys.argv[2]
for line in sys.stdin:
    row, flow = json.loads(line)
    config, table = os.path.join(folder, "c.cfg"), os.path.join(folder, "t.csv")
    open(config, "w").write(CONFIG.format(side=side, flow=flow))
    open(table, "w").write("head\\nL," + ",".join(map(str, row)) + ",\\n")
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        settings = scale_config()
        settings.read_conf_file(config)
        topology = topologies()
        topology.load_arrays(table)
        topology.set_spatio_temporal_params()
        layer = single_layer_sim()
        layer.set_params(layer_id=0, config_obj=settings, topology_obj=topology,
                         layout_obj=layouts(), verbose=False)
        layer.run()
        report = layer.get_compute_report_items()
    found = [int(report[1]), int(report[2]), time.process_time() - start]
    print(json.dumps(found), flush=True)
'''

MAPPER = """
import contextlib, io, os, sys
import zigzag
from zigzag.api import get_hardware_performance_zigzag as perform
inputs = os.path.join(os.path.dirname(zigzag.__file__), "inputs")
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    perform(inputs + "/workload/alexnet.onnx", inputs + "/hardware/tpu_like.yaml",
            inputs + "/mapping/tpu_like.yaml", dump_folder=sys.argv[1], lpf_limit=4,
            loma_show_progress_bar=False, nb_spatial_mappings_generated=1)
"""


def alexnet() -> list[Row]:
    """Krizhevsky, Sutskever and Hinton (2012), without the split over two processors."""
    return [
        ("Conv1", 227, 227, 11, 11, 3, 96, 4),
        ("Conv2", 31, 31, 5, 5, 96, 256, 1),
        ("Conv3", 15, 15, 3, 3, 256, 384, 1),
        ("Conv4", 15, 15, 3, 3, 384, 384, 1),
        ("Conv5", 15, 15, 3, 3, 384, 256, 1),
        ("FC6", 1, 1, 1, 1, 9216, 4096, 1),
        ("FC7", 1, 1, 1, 1, 4096, 4096, 1),
        ("FC8", 1, 1, 1, 1, 4096, 1000, 1),
    ]


def resnet18() -> list[Row]:
    """He et al. (2016), table 1."""
    rows: list[Row] = [("Conv1", 230, 230, 7, 7, 3, 64, 2)]
    side, channels = 56, 64
    for stage, filters in enumerate((64, 128, 256, 512), start=2):
        for block in (1, 2):
            stride = 2 if stage > 2 and block == 1 else 1
            before, side = side, side // stride
            name = f"Conv{stage}_{block}"
            rows.append((f"{name}a", before + 2, before + 2, 3, 3, channels, filters, stride))
            rows.append((f"{name}b", side + 2, side + 2, 3, 3, filters, filters, 1))
            if stride == 2:
                rows.append((f"{name}s", before, before, 1, 1, channels, filters, 2))
            channels = filters
    return [*rows, ("FC", 1, 1, 1, 1, 512, 1000, 1)]


def mobilenet_v2() -> list[Row]:
    """Sandler et al. (2018), table 2."""
    rows: list[Row] = [("Conv1", 226, 226, 3, 3, 3, 32, 2)]
    side, channels, block = 112, 32, 0
    for factor, filters, count, first in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
        (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for place in range(count):
            stride, wide, block = (first if place == 0 else 1), channels * factor, block + 1
            if factor > 1:
                rows.append((f"Expand{block}", side, side, 1, 1, channels, wide, 1))
            rows.append((f"Block{block}_DP", side + 2, side + 2, 3, 3, wide, 1, stride))
            side //= stride
            rows.append((f"Project{block}", side, side, 1, 1, wide, filters, 1))
            channels = filters
    return [*rows, ("Conv2", 7, 7, 1, 1, 320, 1280, 1), ("FC", 1, 1, 1, 1, 1280, 1000, 1)]


NETWORKS = {"alexnet": alexnet, "resnet18": resnet18, "mobilenet_v2": mobilenet_v2}


def workload(name: str, folder: Path) -> Workload:
    """Write a network as a table and read it back."""
    path = folder / f"{name}.csv"
    path.write_text(HEAD + "".join(", ".join(map(str, r)) + ",\n" for r in NETWORKS[name]()))
    return read_topology(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Layers on which both were asked, and those on which they differ."""

    layers: int
    mismatches: tuple[str, ...]
    left_out: int
    peer_s: float


def distinct(most_elements: int) -> tuple[list[tuple[int, ...]], int]:
    """Return the rows whose operands hold at most so many numbers, and how many hold more."""
    rows = {
        (*row[1:5], 1 if "DP" in row[0] else row[5], *row[6:])
        for name in NETWORKS
        for row in NETWORKS[name]()
    }
    small = sorted(row for row in rows if _elements(row) <= most_elements)
    return small, len(rows) - len(small)


def _mkn(row: tuple[int, ...]) -> tuple[int, int, int]:
    height, width, fh, fw, channels, filters, stride = row
    steps = [-(-(a - f + stride) // stride) for a, f in ((height, fh), (width, fw))]
    return steps[0] * steps[1], fh * fw * channels, filters


def _elements(row: tuple[int, ...]) -> int:
    m, k, n = _mkn(row)
    return m * k + k * n


def beside_scalesim(python: str, *, side: int, most_elements: int) -> Agreement:
    """Ask both for the cycles of every distinct layer under every dataflow."""
    rows, left_out = distinct(most_elements)
    asked = [(row, flow) for row in rows for flow in DATAFLOWS]
    with (
        tempfile.TemporaryDirectory(prefix="titian-scalesim-") as folder,
        subprocess.Popen(
            [python, "-c", PEER, str(side), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as peer,
    ):
        answers = list(_answers(peer, asked))
    wrong = []
    for (row, flow), (cycles, stalls, _) in zip(asked, answers, strict=True):
        m, k, n = _mkn(row)
        ours = int(scalesim_cycles(m, k, n, rows=side, cols=side, dataflow=flow))
        if ours != cycles - stalls:
            wrong.append(f"{flow} {row}: {ours} against {cycles} with {stalls} stalls")
    return Agreement(
        layers=len(asked),
        mismatches=tuple(wrong),
        left_out=left_out * len(DATAFLOWS),
        peer_s=sum(answer[2] for answer in answers),
    )


def _answers(
    peer: subprocess.Popen[str], asked: list[tuple[tuple[int, ...], str]]
) -> Iterator[tuple[int, int, float]]:
    if peer.stdin is None or peer.stdout is None:
        raise RuntimeError
    for question in asked:
        peer.stdin.write(json.dumps(question) + "\n")
        peer.stdin.flush()
        cycles, stalls, seconds = json.loads(peer.stdout.readline())
        yield cycles, stalls, seconds


def zigzag_s(python: str, *, most_s: float) -> tuple[float, bool]:
    """Return the processor time in which zigzag-dse costs AlexNet on one design.

    It searches a mapping for each layer, which the closed forms do not; its smallest search.

    Returns:
        Seconds, and whether it came to an end within `most_s`.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    finished = True
    with tempfile.TemporaryDirectory(prefix="titian-zigzag-") as folder:
        try:
            subprocess.run(
                [python, "-c", MAPPER, folder], capture_output=True, check=True, timeout=most_s
            )
        except subprocess.TimeoutExpired:
            finished = False
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Designs that an exploration costed, and the processor time it took."""

    points: int
    cpu_s: float
    front: int


def exploration(name: str, folder: Path, *, prune: bool) -> Rate:
    """Explore the usual grid for one network."""
    work = workload(name, folder)
    start = time.process_time()
    found = explore(work, Space(), prune=prune)
    return Rate(points=found.costed, cpu_s=time.process_time() - start, front=len(found.front))


def golden() -> list[tuple[str, float, float, bool]]:
    """Return Chiplet Actuary's printed values, ours, and whether they agree as printed."""
    rows = []
    for node, chiplets, integration, what, printed, tolerance in GOLDEN:
        cost = quote(node, 800, chiplets=chiplets, integration=integration).assembly
        ours = {
            "yield": cost.die_yield,
            "known-good die": cost.known_good_die_usd,
            "packaged": cost.packaged_usd,
        }[what]
        name = f"{node} {what}, {chiplets} x {integration}"
        rows.append((name, printed, float(ours), abs(float(ours) - printed) <= tolerance))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--scalesim-python", help="interpreter that has scalesim 3.0.0")
    parser.add_argument("--zigzag-python", help="interpreter that has zigzag-dse 3.9.1 and six")
    parser.add_argument("--most-s", type=float, default=120.0, help="zigzag's time limit")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--most-elements", type=int, default=400_000)
    options = parser.parse_args()

    agreeing = [row for row in golden() if row[3]]
    print(f"Chiplet Actuary: {len(agreeing)} of {len(GOLDEN)} printed values reproduced")
    for name, printed, ours, agrees in golden():
        if not agrees:
            print(f"  differs: {name}: printed {printed}, ours {ours}")

    with tempfile.TemporaryDirectory(prefix="titian-networks-") as temporary:
        rates = {name: exploration(name, Path(temporary), prune=False) for name in NETWORKS}
    print(
        f"exploration, one process, no pruning (goal {GOAL_POINTS:,} designs in {GOAL_S:g} s)"
    )
    for name, rate in rates.items():
        print(
            f"  {name:<14}{rate.points:>12,} designs {rate.cpu_s:7.1f} s CPU "
            f"{rate.points / rate.cpu_s:>12,.0f} a second, front {rate.front}"
        )
    if options.zigzag_python is not None:
        theirs, ours = zigzag_s(options.zigzag_python), rates["alexnet"]
        times = theirs * ours.points / ours.cpu_s
        print(
            f"zigzag-dse 3.9.1, AlexNet: {theirs:.1f} s CPU a design, {times:,.0f} times ours"
        )
    if options.scalesim_python is None:
        print("SCALE-Sim: not run; name its interpreter with --scalesim-python")
        return
    found = beside_scalesim(
        options.scalesim_python, side=options.side, most_elements=options.most_elements
    )
    print(
        f"SCALE-Sim 3.0.0, {options.side} x {options.side}: {found.layers} layers and "
        f"dataflows, {len(found.mismatches)} differ ({found.left_out} too large, left out)"
    )
    for line in found.mismatches:
        print(f"  {line}")
    # A design's cost is that of all its layers; the peer is given one layer for a design.
    ours = max(rate.cpu_s / rate.points for rate in rates.values())
    theirs = found.peer_s / found.layers
    print(
        f"  {theirs:.2f} s a layer against {ours * 1e6:.2f} us a whole design: at least "
        f"{theirs / ours:,.0f} times (goal {GOAL_RATIO:,})"
    )


if __name__ == "__main__":
    main()
