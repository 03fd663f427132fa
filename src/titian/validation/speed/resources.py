"""What a run used: processor time, peak memory, energy.

Memory is the high-water mark of this process while the run lasts (Linux lets a process set
the mark back); energy is what the processor's own counters say (Linux powercap, RAPL), of
the whole package, whoever used it.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What was used; None where it is not shown, with the reason in `reasons`.

    Attributes:
        cpu_s: processor time of this process during the run, the generator's included.
        cpu_ms_per_sample: the same, a sample.
        peak_memory_mib: highest resident memory during the run.
        model_memory_mib: how far that lies above what was resident before the model came.
        energy_j: of the processor package during the run.
        energy_mj_per_sample: the same in millijoules, a sample.
        reasons: (name of the number, why it is not shown).
    """

    cpu_s: float | None
    cpu_ms_per_sample: float | None
    peak_memory_mib: float | None
    model_memory_mib: float | None
    energy_j: float | None
    energy_mj_per_sample: float | None
    reasons: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Counters at the start of a run.

    Attributes:
        resident_mib: resident memory before the model was loaded; None when unknown.
        reset: whether the memory's high-water mark could be set back.
        energy_uj: (counter, value, where it wraps around) of each package.
        lacking: why there are no energy counters; empty when there are.
    """

    resident_mib: float | None
    reset: bool
    energy_uj: tuple[tuple[Path, int, int], ...]
    lacking: str


def resident_mib() -> float | None:
    """Return the resident memory of this process now."""
    return _status("VmRSS")


def start_meter(before_mib: float | None, *, powercap: Path = POWERCAP) -> Meter:
    """Set back the memory's mark and read the energy counters.

    Args:
        before_mib: resident memory before the model was loaded.
        powercap: where the counters lie.
    """
    try:
        _CLEAR.write_text(_RESET_PEAK)
        reset = True
    except OSError:
        reset = False
    found, lacking = _counters(powercap)
    return Meter(resident_mib=before_mib, reset=reset, energy_uj=found, lacking=lacking)


def read_meter(meter: Meter, *, cpu_s: float, samples: int) -> Resources:
    """Return what was used since `start_meter`."""
    reasons: list[tuple[str, str]] = []
    peak = _peak_mib(meter, reasons)
    energy: float | None = None
    if meter.energy_uj:
        try:
            used = [
                (int(path.read_text()) - first) % wrap for path, first, wrap in meter.energy_uj
            ]
            energy = sum(used) / 1e6
        except (OSError, ValueError):
            reasons.append(("energy_j", "the energy counters could not be read again"))
    else:
        reasons.append(("energy_j", meter.lacking))
    growth = None
    if meter.reset and peak is not None and meter.resident_mib is not None:
        growth = max(0.0, peak - meter.resident_mib)
    each = 1.0 / samples if samples else None
    return Resources(
        cpu_s=cpu_s,
        cpu_ms_per_sample=None if each is None else cpu_s * 1e3 * each,
        peak_memory_mib=peak,
        model_memory_mib=growth,
        energy_j=energy,
        energy_mj_per_sample=None if energy is None or each is None else energy * 1e3 * each,
        reasons=tuple(reasons),
    )


def elsewhere() -> Resources:
    """Return what is known of a system in another process or on another machine: nothing."""
    why = "the system runs in another process"
    names = ("cpu_s", "peak_memory_mib", "energy_j")
    return Resources(
        cpu_s=None,
        cpu_ms_per_sample=None,
        peak_memory_mib=None,
        model_memory_mib=None,
        energy_j=None,
        energy_mj_per_sample=None,
        reasons=tuple((name, why) for name in names),
    )


def _counters(powercap: Path) -> tuple[tuple[tuple[Path, int, int], ...], str]:
    if not powercap.is_dir():
        return (), "the machine offers no energy counters"
    found = []
    denied = False
    # A package is intel-rapl:0; intel-rapl:0:1 is a part of it and would count twice.
    for folder in sorted(powercap.glob("*:*")):
        if folder.name.count(":") != 1:
            continue
        try:
            value = int((folder / "energy_uj").read_text())
            wrap = int((folder / "max_energy_range_uj").read_text())
        except PermissionError:
            denied = True
        except (OSError, ValueError):
            continue
        else:
            found.append((folder / "energy_uj", value, max(wrap, 1)))
    if found:
        return tuple(found), ""
    if denied:
        return (), "the energy counters may not be read by this user"
    return (), "the machine offers no energy counters"


def _peak_mib(meter: Meter, reasons: list[tuple[str, str]]) -> float | None:
    if meter.reset:
        peak = _status("VmHWM")
        if peak is not None:
            return peak
    try:
        import resource
    except ImportError:
        reasons.append(("peak_memory_mib", "the system does not tell"))
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    reasons.append(("model_memory_mib", "the peak is that of the process since its start"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


def _status(name: str) -> float | None:
    try:
        text = _STATUS.read_text()
    except OSError:
        return None
    found = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) / 1024 if found else None
