"""The machine's state beside a timing: what it was, how busy, and with which libraries.

No host name, user or path: a statement of this may leave the site.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_MEMINFO = Path("/proc/meminfo")
_CPUFREQ = Path("/sys/devices/system/cpu/cpu0/cpufreq")

BUSY_SHARE = 0.5
"""A load above this share of the cores before the run makes timings doubtful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Facts that change a timing; None where the system does not tell.

    Attributes:
        cpu: model name.
        cores: logical processors that this process may use.
        frequency_mhz: of the first processor, at the time of asking.
        governor: the frequency policy, such as ``performance``.
        load: runnable tasks, averaged over the last minute.
        memory_gib: installed.
        platform: such as ``linux-x86_64``.
        libraries: (name, version) of what does the work.
    """

    cpu: str | None
    cores: int
    frequency_mhz: float | None
    governor: str | None
    load: float | None
    memory_gib: float | None
    platform: str
    libraries: tuple[tuple[str, str], ...]

    @property
    def busy(self) -> bool:
        """Whether others were at work when this was asked."""
        return self.load is not None and self.load > BUSY_SHARE * self.cores


def look_at_machine() -> Machine:
    """Ask the system now."""
    text = _read(_CPUINFO)
    frequency = _first(r"^cpu MHz\s*:\s*([0-9.]+)", text)
    scaled = _read(_CPUFREQ / "scaling_cur_freq").strip()
    memory = _first(r"^MemTotal:\s*(\d+)", _read(_MEMINFO))
    mhz = float(scaled) / 1e3 if scaled.isdigit() else float(frequency) if frequency else None
    return Machine(
        cpu=_first(r"^(?:model name|Model)\s*:\s*(.+)$", text) or platform.processor() or None,
        cores=cores(),
        frequency_mhz=mhz,
        governor=_read(_CPUFREQ / "scaling_governor").strip() or None,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        memory_gib=round(int(memory) / 2**20, 1) if memory else None,
        platform=f"{platform.system().lower()}-{platform.machine()}",
        libraries=_libraries(),
    )


def cores() -> int:
    """Return how many logical processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _libraries() -> tuple[tuple[str, str], ...]:
    from importlib.metadata import PackageNotFoundError, version

    found = [("python", platform.python_version())]
    for name in ("numpy", "onnx", "onnxruntime"):
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else None
