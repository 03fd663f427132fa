"""A stat index: so that files which did not change are not hashed again.

As in git: a file whose size, modification time, change time and inode are those of the index
keeps its digest. Putting a modification time back does not help, since the change time cannot
be set. A file that was touched within `RACY_NS` of the moment when it was looked at could have
been written once more without either time moving; it is hashed again next time.

One file: magic, a JSON header, numpy arrays, joined paths, and a SHA-256 over all of it. A
file that is damaged in any way reads as no index. It is a cache, never evidence.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAGIC = b"titian-index-1\n"
RACY_NS = 2_000_000_000  # 2 s: the coarsest clock of a file system in use (FAT)
FIELDS = 4  # size, mtime_ns, ctime_ns, inode
ABSENT = -1

Stats = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What was known at the last look.

    Attributes:
        paths: in the order of their bytes.
        stats: shape (n, 4), `FIELDS`; all `ABSENT` for a file that was missing.
        digests: shape (n, 32).
        fresh: shape (n,), whether the stats can be trusted (not racy).
        root: root of the manifest.
        table_digest: digest of the table from which the paths were read; ``""`` if unknown.
        column: the image column read then.
    """

    paths: Sequence[str]
    stats: Stats
    digests: NDArray[np.uint8]
    fresh: NDArray[np.bool_]
    root: str
    table: str = ""
    column: str = ""


def stat_files(root: Path, paths: Sequence[str]) -> tuple[Stats, frozenset[str]]:
    """Look at each file.

    Returns:
        Shape (n, 4), a row of `ABSENT` where there is no regular file; and which of the
        paths are symbolic links (the row is then that of the file to which they lead).
    """
    base = os.open(root, os.O_RDONLY)
    links: list[str] = []
    try:
        stats = stat_rows(_stats(base, paths, links))
    finally:
        os.close(base)
    return stats, frozenset(links)


def _stats(
    base: int, paths: Sequence[str], links: list[str]
) -> Iterator[os.stat_result | None]:
    stat = os.stat
    for path in paths:
        try:
            found = stat(path, dir_fd=base, follow_symlinks=False)
            if found.st_mode & 0o170000 == 0o120000:
                links.append(path)
                found = stat(path, dir_fd=base)
        except (OSError, ValueError):
            yield None
            continue
        yield found


def stat_rows(found: Iterable[os.stat_result | None]) -> Stats:
    """Return one row a file, of `ABSENT` where it is missing or no regular file."""
    rows: list[int] = []
    append = rows.extend
    absent = (ABSENT,) * FIELDS
    for one in found:
        if one is not None and one.st_mode & 0o170000 == 0o100000:
            append((one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino))
        else:
            append(absent)
    return np.array(rows, dtype=np.int64).reshape(-1, FIELDS)


def trusted(stats: Stats, *, looked_ns: int) -> NDArray[np.bool_]:
    """Say which stats can be trusted: neither time within `RACY_NS` of the look or after it."""
    newest = np.maximum(stats[:, 1], stats[:, 2])
    return newest < looked_ns - RACY_NS


def write_index(index: Index, path: Path) -> None:
    """Write atomically: aside, then renamed."""
    names = "\0".join(index.paths).encode()
    header = json.dumps(
        {
            "n": len(index.paths),
            "names": len(names),
            "root": index.root,
            "table": index.table,
            "column": index.column,
        }
    ).encode()
    body = b"".join(
        [
            MAGIC,
            len(header).to_bytes(8, "little"),
            header,
            np.ascontiguousarray(index.stats, dtype="<i8").tobytes(),
            np.ascontiguousarray(index.digests, dtype=np.uint8).tobytes(),
            index.fresh.astype(np.uint8).tobytes(),
            names,
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.write(hashlib.sha256(body).digest())
        Path(aside).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(aside).unlink()
        raise


def read_index(path: Path) -> Index | None:
    """Read an index; None if there is none or it is damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    body = memoryview(data)[:-32]
    if not data.startswith(MAGIC) or hashlib.sha256(body).digest() != data[-32:]:
        return None
    start = len(MAGIC) + 8
    length = int.from_bytes(data[len(MAGIC) : start], "little")
    header = json.loads(bytes(body[start : start + length]))
    n = int(header["n"])
    at = start + length
    stats = np.frombuffer(body, dtype="<i8", count=n * FIELDS, offset=at).reshape(n, FIELDS)
    at += n * FIELDS * 8
    digests = np.frombuffer(body, dtype=np.uint8, count=n * 32, offset=at).reshape(n, 32)
    at += n * 32
    fresh = np.frombuffer(body, dtype=np.uint8, count=n, offset=at).astype(bool)
    names = bytes(body[at + n :]).decode()
    return Index(
        paths=names.split("\0") if n else [],
        stats=stats,
        digests=digests,
        fresh=fresh,
        root=header["root"],
        table=header["table"],
        column=header["column"],
    )
