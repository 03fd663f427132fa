"""Collects what the code defines and what the pages describe."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

CODE = re.compile(r"\bT-[A-Z]\d{3}\b")
HEADING = re.compile(r"^#{2,4} `?([\w.\- ]+?)`?\s*(?:\{.*\})?$", re.MULTILINE)


def headings(folder: Path) -> set[str]:
    """Return the headings (level 2 to 4) of a page or of all pages in a folder."""
    pages = sorted(folder.glob("*.md")) if folder.is_dir() else [folder]
    return {name for page in pages for name in HEADING.findall(page.read_text())}


def undocumented(names: Iterable[str], described: Iterable[str]) -> list[str]:
    """Return the names that no heading describes."""
    return sorted(set(names) - set(described))


def error_codes(package: Path) -> set[str]:
    """Return the error codes that the strings of the code hold; docstrings do not count."""
    found: set[str] = set()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and id(node) not in prose and CODE.fullmatch(text):
                found.add(text)
    return found


def finding_codes(package: Path) -> set[str]:
    """Return the codes of all findings; a code that is not written out is an error.

    Controls plant findings of their own in ``faults.py``; no dossier shows them.
    """
    paths = [path for path in package.rglob("*.py") if path.name != "faults.py"]
    return {code for path in paths for code in _finding_codes(path)}


def _finding_codes(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    constants = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding"):
            continue
        for keyword in node.keywords:
            if keyword.arg != "code":
                continue
            value = keyword.value
            code = (
                value.value
                if isinstance(value, ast.Constant)
                else constants.get(getattr(value, "id", ""))
            )
            if not isinstance(code, str):
                msg = f"{path}:{value.lineno}: write the finding's code out or name a constant"
                raise TypeError(msg)
            yield code
