"""What no tracked file may hold; pre-commit runs this file on what is committed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_BYTES = 500_000

# Written so that this file does not hold what it looks for.
LOCAL_PATH = re.compile(rb"(?<![\w.:/~-])/(?:" + rb"work|root" + rb")/[\w.-]")
HOME_PATH = re.compile(rb"(?<![\w.:/~-])/(?:" + rb"home|Users" + rb")/[\w.-]")
PRIVATE_KEY = re.compile(
    rb"-----BEGIN (?:[A-Z]+ )*PRIV" + rb"ATE KEY-----\s+[A-Za-z0-9+/=]{20}"
)
TEST_DATA = {"a path of one person"}  # tests plant such paths, to see them refused
CONFLICT = re.compile(rb"^(?:<{7} |>{7} )", re.MULTILINE)


def tracked() -> list[Path]:
    """Return the files that git tracks here."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def faults(paths: Iterable[Path]) -> list[str]:
    """Return one line for each thing that must not be in these files."""
    return [f"{path}: {fault}" for path in paths for fault in _faults(path)]


def _faults(path: Path) -> Iterable[str]:
    content = path.read_bytes()
    if len(content) > MAX_BYTES:
        yield f"{len(content)} bytes; a tracked file has at most {MAX_BYTES}"
    for what, pattern in (
        ("a path of one machine", LOCAL_PATH),
        ("a path of one person", HOME_PATH),
        ("a private key", PRIVATE_KEY),
        ("a merge conflict", CONFLICT),
    ):
        if what in TEST_DATA and "tests" in path.parts:
            continue
        found = pattern.search(content)
        if found is not None:
            line = content.count(b"\n", 0, found.start()) + 1
            yield f"line {line}: {what}"
    try:
        if path.suffix == ".toml":
            tomllib.loads(content.decode())
        elif path.suffix == ".json":
            json.loads(content)
        elif path.suffix in {".yaml", ".yml"}:
            import yaml

            yaml.safe_load(content)
    except ValueError as error:
        yield f"does not parse: {error}"
    except Exception as error:  # noqa: BLE001  (yaml's errors are no ValueError)
        yield f"does not parse: {error}"


if __name__ == "__main__":
    found = faults(Path(name) for name in sys.argv[1:])
    sys.stderr.writelines(f"{line}\n" for line in found)
    raise SystemExit(bool(found))
