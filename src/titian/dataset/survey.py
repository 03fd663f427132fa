"""The first look at a data folder: which files a project means, and whether any changed."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from titian.dataset.index import (
    ABSENT,
    Index,
    Stats,
    read_index,
    stat_files,
    stat_rows,
    trusted,
    write_index,
)
from titian.dataset.inspection import path_problem, table_problems
from titian.dataset.manifest import Manifest, Progress, hash_files, root_of
from titian.dataset.table import read_table
from titian.errors import InputError, Problem
from titian.values import Data


def survey(
    root: Path, data: Data, *, index_file: Path, workers: int, progress: Progress
) -> Manifest:
    """Return the manifest of the table, of every image that it names, and of raw labels.

    A table that did not change is not parsed again, and a file that did not change is not
    hashed again. Files that are missing are recorded as such and not refused here.

    Args:
        root: the data folder.
        data: the project's ``data`` block.
        index_file: where the stat index is kept; made if absent.
        workers: number of threads that hash.
        progress: called with bytes hashed and bytes to hash.

    Raises:
        InputError: the table is unreadable, or its content breaks a rule; all problems of
            the content that need no other file are raised together.
    """
    named = (("data.table", data.table), *(("annotate", path) for path in data.readings))
    lexical = [path_problem(root, path, place=place) for place, path in named]
    if any(lexical):
        raise InputError(*(problem for problem in lexical if problem is not None))
    index = read_index(index_file)
    paths = _known_paths(root, data, index)
    if paths is None:
        table = read_table(root / data.table)
        problems = table_problems(root, table, data)
        if problems:
            raise InputError(*problems)
        images = [] if data.image is None else table.columns[data.image]
        paths = sorted(
            {data.table, *data.readings, *(_relative(data, name) for name in images)},
            key=_bytes,
        )
    return _look(
        root,
        paths,
        index,
        index_file=index_file,
        workers=workers,
        progress=progress,
        table=data.table,
        column=_origin(data),
    )


def source_manifest(
    root: Path,
    paths: Sequence[str],
    *,
    index_file: Path,
    workers: int,
    progress: Progress,
    table: str = "",
    column: str = "",
) -> Manifest:
    """Return the manifest of files, hashing only those that changed.

    Args:
        root: the data folder.
        paths: relative to `root`, with ``/``.
        index_file: where the stat index is kept; made if absent, rebuilt if damaged.
        workers: number of threads that hash.
        progress: called with bytes hashed and bytes to hash.
        table: one of the paths, from which the others were read; remembered.
        column: the table's column that names them, and what else does; remembered.

    Raises:
        EnvironmentFault: a file is there but cannot be read.
        InputError: a path leads out of `root` through a symbolic link.
    """
    return _look(
        root,
        paths,
        read_index(index_file),
        index_file=index_file,
        workers=workers,
        progress=progress,
        table=table,
        column=column,
    )


def _look(
    root: Path,
    paths: Sequence[str],
    index: Index | None,
    *,
    index_file: Path,
    workers: int,
    progress: Progress,
    table: str,
    column: str,
) -> Manifest:
    if index is None or not _same(index.paths, paths):
        paths = sorted(set(paths), key=_bytes)
        index = _aligned(index, paths)
    looked_ns = time.time_ns()
    stats, links = stat_files(root, paths)
    unchanged = index.fresh & (stats == index.stats).all(axis=1)
    if unchanged.all() and index.root and (index.table, index.column) == (table, column):
        return _manifest(index.paths, stats, index.digests, index.root)
    stale = np.flatnonzero(~unchanged)
    there = stale[stats[stale, 0] != ABSENT]
    names = [paths[place] for place in there.tolist()]
    _require_inside(root, names, links=links)
    sizes = stats[there, 0].tolist()
    hashed = hash_files(root, names, sizes, workers=workers, progress=progress)
    digests = np.where(unchanged[:, None], index.digests, 0).astype(np.uint8)
    gone = bytes(digests.shape[1])
    digests[there] = np.frombuffer(
        b"".join(gone if one is None else one.digest for one in hashed), dtype=np.uint8
    ).reshape(-1, digests.shape[1])
    after = stat_rows(None if one is None else one.stat for one in hashed)
    # A file that was written while it was hashed keeps no trusted stats.
    fresh = trusted(stats, looked_ns=looked_ns)
    fresh[there] &= (after == stats[there]).all(axis=1)
    stats[there[after[:, 0] == ABSENT]] = ABSENT
    root_digest = root_of(paths, _sizes(stats), digests, stats[:, 0] != ABSENT)
    write_index(
        Index(
            paths=paths,
            stats=stats,
            digests=digests,
            fresh=fresh,
            root=root_digest,
            table=table,
            column=column,
        ),
        index_file,
    )
    return _manifest(paths, stats, digests, root_digest)


def _known_paths(root: Path, data: Data, index: Index | None) -> Sequence[str] | None:
    """Return the indexed paths if the table from which they were read did not change."""
    if index is None or (index.table, index.column) != (data.table, _origin(data)):
        return None
    place = _find(index.paths, data.table)
    if place is None or not index.fresh[place]:
        return None
    stats, _ = stat_files(root, [data.table])
    same = bool((stats[0] == index.stats[place]).all()) and stats[0, 0] != ABSENT
    return index.paths if same else None


def _origin(data: Data) -> str:
    """Return what the paths come from besides the table: its column, and files named apart."""
    return "\0".join((data.image or "", *data.readings))


def _find(paths: Sequence[str], path: str) -> int | None:
    try:
        return paths.index(path)
    except ValueError:
        return None


def _aligned(index: Index | None, paths: Sequence[str]) -> Index:
    """Return an index for `paths`, with what `index` knows of them."""
    stats = np.full((len(paths), 4), ABSENT - 1, dtype=np.int64)
    digests = np.zeros((len(paths), 32), dtype=np.uint8)
    fresh = np.zeros(len(paths), dtype=bool)
    if index is not None:
        place = {path: old for old, path in enumerate(index.paths)}
        pairs = [(new, place[path]) for new, path in enumerate(paths) if path in place]
        if pairs:
            new, old = np.asarray(pairs).T
            stats[new], digests[new] = index.stats[old], index.digests[old]
            fresh[new] = index.fresh[old]
    return Index(paths=paths, stats=stats, digests=digests, fresh=fresh, root="")


def _same(known: Sequence[str], paths: Sequence[str]) -> bool:
    return known is paths or list(known) == list(paths)


def _manifest(
    paths: Sequence[str], stats: Stats, digests: NDArray[np.uint8], root: str
) -> Manifest:
    return Manifest(
        paths=paths,
        sizes=_sizes(stats),
        digests=digests,
        present=stats[:, 0] != ABSENT,
        root=root,
    )


def _sizes(stats: Stats) -> Stats:
    return np.asarray(np.maximum(stats[:, 0], 0))


def _bytes(path: str) -> bytes:
    return path.encode()


def _relative(data: Data, name: str) -> str:
    """Return an image's path relative to the data folder; the table names it from its own."""
    return str(PurePosixPath(data.table).parent / name.strip())


def _require_inside(root: Path, paths: Sequence[str], *, links: Collection[str]) -> None:
    """Refuse paths that a symbolic link leads out of the data folder.

    `links` names the paths that are links themselves; the folders are looked at here.
    """
    real = os.path.realpath(root) + os.sep
    folders = {path.rpartition("/")[0] for path in paths}
    outside = {
        folder
        for folder in folders
        if not (os.path.realpath(root / folder) + os.sep).startswith(real)
    }
    problems = [
        Problem(
            code="T-D031",
            message=f"{path!r} leads out of the data folder through a symbolic link.",
            remedy="Copy the file into the data folder.",
        )
        for path in paths
        if (outside and path.rpartition("/")[0] in outside)
        or (path in links and not os.path.realpath(root / path).startswith(real))
    ]
    if problems:
        raise InputError(*problems)
