"""The digest of a function's source follows what the function can reach, and nothing else."""

from __future__ import annotations

import ast
import itertools
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import titian
from titian.pipeline import closure
from titian.pipeline.engine import open_engine
from titian.pipeline.registry import STAGES

SOURCE = Path(titian.__file__).parent
NUMBERS = itertools.count()


@pytest.fixture
def package(tmp_path: Path) -> Iterator[Path]:
    """A package of its own name: upper -> lower; stranger; data beside lower."""
    folder = tmp_path / f"bridge{next(NUMBERS)}"
    (folder / "lower").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "upper.py").write_text(
        "import json\n\nimport numpy\n\n\n"
        "def run():\n    from .lower.floor import stand\n    import sklearn\n\n"
        "    return stand()\n"
    )
    (folder / "lower" / "__init__.py").write_text("")
    (folder / "lower" / "floor.py").write_text("def stand():\n    return 1\n")
    (folder / "lower" / "rules.txt").write_text("one\n")
    (folder / "stranger.py").write_text("import nothing_of_that_name\n")
    sys.path.insert(0, str(tmp_path))
    yield folder
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def load(package: Path, module: str = "upper") -> Callable[..., object]:
    """Read the package afresh, as another process would."""
    for cached in (closure.modules, closure._locate, closure._read):
        cached.cache_clear()
    spec = spec_from_file_location(f"{package.name}.{module}", package / f"{module}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded.run


def test_the_closure_names_what_python_executes(package: Path) -> None:
    name = package.name
    assert closure.modules(load(package)) == (
        name,
        f"{name}.lower",
        f"{name}.lower.floor",
        f"{name}.upper",
    )


@pytest.mark.parametrize(
    "changed", ["lower/floor.py", "lower/__init__.py", "__init__.py", "lower/rules.txt"]
)
def test_a_comment_below_changes_the_digest(package: Path, changed: str) -> None:
    before = closure.source_digest(load(package))
    path = package / changed
    path.write_text(path.read_text() + "# why\n")
    assert closure.source_digest(load(package)) != before


def test_an_unrelated_module_leaves_the_digest(package: Path) -> None:
    before = closure.source_digest(load(package))
    (package / "stranger.py").write_text("STRANGE = True\n")
    assert closure.source_digest(load(package)) == before


def test_the_digest_does_not_know_the_folder(package: Path, tmp_path: Path) -> None:
    before = closure.source_digest(load(package))
    moved = tmp_path / "elsewhere" / package.name
    moved.parent.mkdir()
    package.rename(moved)
    sys.path.insert(0, str(moved.parent))
    try:
        assert closure.source_digest(load(moved)) == before
    finally:
        sys.path.remove(str(moved.parent))


def test_an_import_for_type_checking_counts(package: Path) -> None:
    path = package / "upper.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import "
        f"{package.name}.stranger\n\n\ndef run():\n    pass\n"
    )
    assert f"{package.name}.stranger" in closure.modules(load(package))


def test_libraries_are_those_the_closure_imports(package: Path) -> None:
    versions = closure.library_versions(load(package))
    assert sorted(versions) == ["numpy", "scikit-learn"]
    assert all(versions.values())


def test_a_missing_library_is_absent(package: Path) -> None:
    path = package / "upper.py"
    path.write_text("def run():\n    import nothing_of_that_name\n")
    assert closure.library_versions(load(package)) == {"nothing_of_that_name": "absent"}


def test_titian_reaches_its_own_modules() -> None:
    reached = closure.modules(open_engine)
    assert {"titian", "titian.errors", "titian.pipeline", "titian.pipeline.engine"} <= set(
        reached
    )
    assert "titian.values" not in reached
    assert "joblib" in closure.library_versions(open_engine)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from a import (\n    b,\n    c as d,\n)\n", ["a.b", "a.c"]),
        ("from a import b, \\\n    c\n", ["a.b", "a.c"]),
        ("import a.b as c, d\n", ["a.b", "d"]),
        ('"""Prose.\n\nfrom here on nothing\n"""\nimport a\n', ["a"]),
        ("from . import a\n", ["top.package.a"]),
        ("from ..b import a\n", ["top.b.a"]),
    ],
)
def test_imports_are_read_from_any_spelling(source: str, expected: list[str]) -> None:
    assert list(closure._imports(source, "top.package")) == expected


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.stem)
def test_the_quick_reader_agrees_with_the_whole_syntax_tree(path: Path) -> None:
    source = path.read_text()
    expected: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            expected |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            expected |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert expected <= set(closure._imports(source, "titian"))


def test_no_stage_needs_the_file_lists_of_all_that_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        pytest.fail("a library's import name is missing from closure._DISTRIBUTIONS")

    monkeypatch.setattr(closure.importlib.metadata, "packages_distributions", refuse)
    closure._version.cache_clear()
    for stage in STAGES:
        assert closure.ABSENT not in closure.library_versions(stage.run).values()
