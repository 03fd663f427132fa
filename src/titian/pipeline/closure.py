"""The source that a stage's result depends on: its import closure within Titian.

A cached result may be reused only while the code that made it is unchanged. The closure is
read from the source without running it; an import inside a function or under
``TYPE_CHECKING`` counts, and so do each package ``__init__`` that Python would execute and
the data files (templates, fonts, rules) that lie in those packages.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "titian"
ABSENT = "absent"

# Import name -> distribution, where they differ; looking them up reads every installed
# package's file list, which takes longer than all the rest of this module.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "google": "protobuf",  # of that namespace we import nothing else
    "grpc": "grpcio",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Module:
    """One module as its source describes it.

    Attributes:
        digest: SHA-256 of its bytes, and of the data files beside a package's ``__init__``.
        imports: dotted names it imports, absolute; ``from a import b`` gives ``a.b``.
    """

    digest: bytes
    imports: tuple[str, ...]


def source_digest(function: Callable[..., object]) -> str:
    """Return the SHA-256 of the sources that `function` can reach within its package.

    It covers module names and bytes, never a path, so it is the same on every machine.
    """
    digest = hashlib.sha256()
    for name in modules(function):
        digest.update(f"{name}\n".encode() + _read(name).digest)
    return digest.hexdigest()


def library_versions(function: Callable[..., object]) -> dict[str, str]:
    """Return the distributions that the closure of `function` imports itself.

    Returns:
        Distribution -> version, sorted by name; ``absent`` for a library that is not
        installed, since its absence may decide what the code does.
    """
    names = modules(function)
    tops = {
        imported.partition(".")[0] for name in names for imported in _read(name).imports
    } - {name.partition(".")[0] for name in names}
    versions = dict(_version(top) for top in tops - sys.stdlib_module_names)
    return dict(sorted(versions.items()))


@cache
def modules(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of the modules in the closure of `function`, sorted."""
    start = function.__module__
    roots = {start.partition(".")[0], PACKAGE}
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for name in _executed(waiting.pop()):
            if name in found or _locate(name) is None:
                continue
            found.add(name)
            waiting.extend(
                imported
                for imported in _read(name).imports
                if imported.partition(".")[0] in roots
            )
    return tuple(sorted(found))


def _executed(name: str) -> Iterator[str]:
    """Yield a, a.b, a.b.c: what Python executes on the way to a.b.c."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


@cache
def _locate(name: str) -> Path | None:
    """Return the source file of a module; None for a class, a function or a stranger."""
    parent, _, last = name.rpartition(".")
    if not parent:
        loaded = sys.modules.get(name)
        spec = getattr(loaded, "__spec__", None) or importlib.util.find_spec(name)
        origin = None if spec is None else spec.origin
        return Path(origin) if origin is not None and origin.endswith(".py") else None
    package = _locate(parent)
    if package is None or package.name != "__init__.py":
        # A module that a test runner loaded from a file, under a name of its own.
        origin = getattr(sys.modules.get(name), "__file__", None)
        return None if origin is None else Path(origin)
    for path in (package.parent / last / "__init__.py", package.parent / f"{last}.py"):
        if path.is_file():
            return path
    return None


@cache
def _read(name: str) -> _Module:
    path = _locate(name)
    if path is None:
        msg = f"{name} has no source file"
        raise ModuleNotFoundError(msg)
    source = path.read_bytes()
    digest = hashlib.sha256(source)
    package = name
    if path.name == "__init__.py":
        for data in _data_files(path.parent):
            digest.update(f"\n{data.relative_to(path.parent).as_posix()}\n".encode())
            digest.update(data.read_bytes())
    else:
        package = name.rpartition(".")[0]
    imports = tuple(_imports(source.decode(), package))
    return _Module(digest=digest.digest(), imports=imports)


def _data_files(folder: Path) -> Iterator[Path]:
    """Yield a package's own data files, in order; its subpackages see to theirs."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__pycache__")):
            continue
        if path.is_dir():
            if not (path / "__init__.py").exists():
                yield from _data_files(path)
        elif path.suffix not in {".py", ".pyc"}:
            yield path


def _imports(source: str, package: str) -> Iterator[str]:
    """Yield the absolute dotted names that `source` imports, anywhere in it."""
    statements = list(_statements(source))
    try:
        parsed = ast.parse("\n".join(statements)).body
    except SyntaxError:  # prose that begins a line with "from" or "import"
        parsed = [node for statement in statements for node in _parse(statement)]
    for node in parsed:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                ancestor = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*ancestor, base] if base else ancestor)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _statements(source: str) -> Iterator[str]:
    """Yield every import statement, found by its line: parsing all the rest costs 20 times."""
    lines = iter(source.splitlines())
    for line in lines:
        statement = line.strip()
        if not statement.startswith(("import ", "from ")):
            continue
        if "(" in statement and " import " in statement:
            while ")" not in statement:
                statement += "\n" + next(lines, ")")
        while statement.endswith("\\"):
            statement = statement[:-1] + next(lines, "").strip()
        yield statement


def _parse(statement: str) -> list[ast.stmt]:
    try:
        return ast.parse(statement).body
    except SyntaxError:
        return []


@cache
def _version(top: str) -> tuple[str, str]:
    """Return the distribution that a top-level import name comes from, and its version."""
    if importlib.util.find_spec(top) is None:
        return _DISTRIBUTIONS.get(top, top), ABSENT
    name = _DISTRIBUTIONS.get(top, top)
    try:
        return name, importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        owners = importlib.metadata.packages_distributions().get(top)
    if not owners:
        return top, ABSENT
    return owners[0], importlib.metadata.version(owners[0])
