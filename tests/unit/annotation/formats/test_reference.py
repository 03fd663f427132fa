"""The reference names every code and every format."""

from __future__ import annotations

import re
from pathlib import Path

from titian.annotation.formats import FORMATS

ROOT = Path(__file__).resolve().parents[4]
SOURCES = [
    *(ROOT / "src/titian/annotation/formats").glob("*.py"),
    ROOT / "src/titian/annotation/validity.py",
    ROOT / "src/titian/cli/annotation/convert.py",
]


def test_every_code_is_documented_and_used():
    page = (ROOT / "docs/reference/errors/annotation_formats.md").read_text("utf-8")
    documented = re.findall(r"^## (T-A1\d\d)$", page, re.MULTILINE)
    used = {
        code for file in SOURCES for code in re.findall(r"T-A1\d\d", file.read_text("utf-8"))
    }
    assert documented == sorted(used)


def test_every_format_is_documented():
    page = (ROOT / "docs/reference/formats.md").read_text("utf-8")
    assert re.findall(r"^\| `(\S+)` \|", page, re.MULTILINE) == list(FORMATS)
