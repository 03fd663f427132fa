"""The manifest of a data folder: which files, how long, with which SHA-256, and one root.

The root is the SHA-256 over one line per file, in the byte order of the paths:
``<digest> <size> <length of the path in bytes>:<path>``, each line ended by a line feed. The
length keeps paths that hold blanks or line feeds apart. A missing file has the digest ``-``
and the size 0, so that its coming back changes the root.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from titian.errors import EnvironmentFault, Problem

READ_BYTES = 1 << 18  # of one read: stays in the cache; hashlib lets other threads run
WHOLE_BYTES = 1 << 20  # a file up to this size is read at once
BATCH_BYTES = 8 << 20  # files handed to a thread at once, so that small ones cost little
BATCH_FILES = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Files known by their digests.

    Attributes:
        paths: relative to the data folder, with ``/``, in the order of their bytes.
        sizes: shape (n,), bytes.
        digests: shape (n, 32), SHA-256; zeros where the file is missing.
        present: shape (n,), whether the file could be read.
        root: one digest over all of them, in hex.
    """

    paths: Sequence[str]
    sizes: NDArray[np.int64]
    digests: NDArray[np.uint8]
    present: NDArray[np.bool_]
    root: str
    _place: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def size_bytes(self) -> int:
        """The sum over all files."""
        return int(self.sizes.sum())

    @property
    def missing(self) -> tuple[str, ...]:
        """The paths that could not be read."""
        return tuple(self.paths[int(place)] for place in np.flatnonzero(~self.present))

    def digest_of(self, path: str) -> str:
        """Return a file's digest in hex, ``""`` if it is missing.

        Raises:
            KeyError: the path is not in the manifest.
        """
        if not self._place:
            self._place.update({name: place for place, name in enumerate(self.paths)})
        place = self._place[path]
        return self.digests[place].tobytes().hex() if self.present[place] else ""


def root_of(
    paths: Sequence[str],
    sizes: NDArray[np.int64],
    digests: NDArray[np.uint8],
    present: NDArray[np.bool_],
) -> str:
    """Return the root over files whose paths are in the order of their bytes."""
    total = hashlib.sha256()
    lines: list[bytes] = []
    names = digests.tobytes().hex()
    there = present.tolist()
    for place, (path, size) in enumerate(zip(paths, sizes.tolist(), strict=True)):
        raw = path.encode()
        digest = names[64 * place : 64 * place + 64] if there[place] else "-"
        lines.append(b"%s %d %d:%s\n" % (digest.encode(), size, len(raw), raw))
        if len(lines) == 4096:
            total.update(b"".join(lines))
            lines.clear()
    total.update(b"".join(lines))
    return total.hexdigest()


class Hashed(NamedTuple):
    """What was read of one file; a tuple, since a data set has many and they cost time.

    Attributes:
        digest: 32 bytes.
        stat: of the open file, after its last byte was read.
    """

    digest: bytes
    stat: os.stat_result


def hash_files(
    root: Path,
    paths: Sequence[str],
    sizes: Sequence[int],
    *,
    workers: int,
    progress: Progress,
) -> list[Hashed | None]:
    """Digest files by threads.

    Args:
        root: folder that the paths are relative to.
        paths: relative paths.
        sizes: expected lengths in bytes, for sharing the work out and for progress.
        workers: number of threads.
        progress: called with bytes done and bytes in all.

    Returns:
        What was read of each file, None for a file that is missing.

    Raises:
        EnvironmentFault: a file is there but cannot be read.
    """
    base = os.open(root, os.O_RDONLY)
    total = sum(sizes)
    found: list[Hashed | None] = []
    done = 0
    try:
        with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
            batches = _batches(sizes)
            work = pool.map(
                lambda span: _hash_batch(base, paths[slice(*span)], sizes[slice(*span)]),
                batches,
            )
            for (start, end), batch in zip(batches, work, strict=True):
                found += batch
                done += sum(sizes[start:end])
                progress(done, total)
    finally:
        os.close(base)
    return found


def _batches(sizes: Sequence[int]) -> list[tuple[int, int]]:
    spans, start, held = [], 0, 0
    for place, size in enumerate(sizes):
        held += size
        if held >= BATCH_BYTES or place + 1 - start >= BATCH_FILES:
            spans.append((start, place + 1))
            start, held = place + 1, 0
    if start < len(sizes):
        spans.append((start, len(sizes)))
    return spans


def _hash_batch(base: int, paths: Sequence[str], sizes: Sequence[int]) -> list[Hashed | None]:
    return [_hash_file(base, path, size) for path, size in zip(paths, sizes, strict=True)]


def _hash_file(base: int, path: str, size: int) -> Hashed | None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=base)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        # One byte more than is expected: less then says that this was the end.
        wanted = (size if size < WHOLE_BYTES else READ_BYTES) + 1
        content = os.read(file, wanted)
        digest = hashlib.sha256(content)
        if len(content) != size:
            while content := os.read(file, READ_BYTES):
                digest.update(content)
        return Hashed(digest=digest.digest(), stat=os.fstat(file))
    except IsADirectoryError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(file)


def _unreadable(path: str, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        Problem(
            code="T-D044",
            message=f"{path!r} is there but cannot be read ({error.strerror}).",
            remedy="Check its permissions and the disk.",
        )
    )
