"""Scan files and folders: default deny, nothing loaded, nothing read outside what was given."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from titian.errors import InputError, Problem
from titian.validation.scan import (
    gguf,
    npy,
    onnx_model,
    pickle_file,
    safetensors,
    saved_model,
    text,
    torch_files,
    zips,
)
from titian.validation.scan.archives import examine_compressed, examine_tar
from titian.validation.scan.examination import Examination, Outside, Part
from titian.validation.scan.external import settled
from titian.validation.scan.policy import Policy, standard
from titian.validation.scan.reason import Refused, Report
from titian.validation.scan.recognition import recognise, unread
from titian.validation.scan.source import Source
from titian.validation.scan.torch_files import StateDict

_READERS: Final[dict[str, Callable[[Part, Examination], StateDict | None]]] = {
    "zip": zips.examine,
    "npy": npy.examine,
    "torch legacy": torch_files.examine_legacy,
    "pickle": pickle_file.examine,
    "safetensors": safetensors.examine,
    "onnx": onnx_model.examine,
    "gguf": gguf.examine,
    "saved model": saved_model.examine,
    "text": text.examine,
    "tar": examine_tar,
    **{kind: examine_compressed(kind) for kind in ("gzip", "zlib", "bz2", "xz", "lzma")},
}


def scan(
    paths: Sequence[Path],
    policy: Policy | None = None,
    keep: Callable[[StateDict, Report], None] | None = None,
) -> tuple[Report, ...]:
    """Report on every file of the given files and folders, in the order of their names.

    Args:
        paths: files and folders.
        policy: what is allowed; the one that ships where none is given.
        keep: told of each allowed state dict, while its file is open.

    Raises:
        InputError: ``T-S101``: a path is not there.
    """
    policy = policy or standard()
    missing = [p for p in paths if not os.path.lexists(p)]
    if missing:
        raise InputError(
            *(
                Problem(
                    code="T-S101",
                    message=f"{path} does not exist.",
                    remedy="Name files or folders that are there.",
                )
                for path in missing
            )
        )
    roots = [Path(os.path.realpath(p.parent)) / p.name for p in paths]
    found: dict[str, tuple[Report, tuple[Outside, ...]]] = {}
    for path in paths:
        for file in _walk(path):
            name = str(file.absolute())
            if name not in found:
                found[name] = _scan_file(file, policy, roots, keep)
    return tuple(report for report, _ in settled(found).values())


def _walk(path: Path) -> Iterator[Path]:
    """Yield the files below a path; links to folders are yielded, not followed."""
    todo = [path]
    while todo:
        here = todo.pop()
        if here.is_symlink() or not here.is_dir():
            yield here
            continue
        todo.extend(sorted(here.iterdir(), reverse=True))


def _scan_file(
    path: Path,
    policy: Policy,
    roots: Sequence[Path],
    keep: Callable[[StateDict, Report], None] | None,
) -> tuple[Report, tuple[Outside, ...]]:
    """Report on one file, and name what it takes from other files.

    Args:
        path: of the file.
        policy: what is allowed.
        roots: what was given; links may lead into it only.
        keep: told of the state dict, while the file is open.
    """
    exam = Examination(policy=policy)
    digest = ""
    try:
        descriptor = _open(path, roots)
    except Refused as refused:
        exam.refuse(refused.code, refused.where)
        return _report(path, exam, digest), ()
    try:
        before = os.fstat(descriptor)
        source = Source(descriptor, 0, before.st_size)
        exam.size = source.size
        hashing = hashlib.sha256()
        held: StateDict | None = None
        try:
            for chunk in source.chunks():
                hashing.update(chunk)
            digest = hashing.hexdigest()
            held = examine(Part(source=source, name=path.name), exam)
        except Refused as refused:
            exam.refuse(refused.code, refused.where)
        except OSError as error:
            exam.refuse("T-S007", f"cannot be read: {error.strerror}")
        after = os.fstat(descriptor)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            exam.refuse("T-S007", "the file was changed while it was read")
        report = _report(path, exam, digest)
        if keep and held and report.allowed:
            keep(held, report)
        return report, tuple(exam.outside)
    finally:
        os.close(descriptor)
        for spool in exam.spools:
            spool.close()


def examine(part: Part, exam: Examination) -> StateDict | None:
    """Look at a part and at all that lies within it; return the outermost state dict."""
    exam.queue.append(part)
    held = None
    while exam.queue:
        here = exam.queue.popleft()
        try:
            found = _one(here, exam)
            held = held or (found if not here.place else None)
        except Refused as refused:
            exam.refuse(refused.code, refused.where)
    return held


def _one(part: Part, exam: Examination) -> StateDict | None:
    kind = recognise(part)
    exam.name_format(kind, part)
    if kind == "empty":
        return None
    if kind == "unread":
        row = unread(part.source.read(0, 16))
        name, code, what = row or ("unknown", "T-S001", "not read")
        exam.name_format(name, part)
        raise Refused(code, f"{part.prefix}byte 0: {what}")
    reader = _READERS.get(kind)
    if reader is None:
        raise Refused("T-S001", f"{part.prefix}byte 0: {kind} is not read yet")
    return reader(part, exam)


def _open(path: Path, roots: Sequence[Path]) -> int:
    """Open a plain file without following a link out of what was given."""
    target = path
    if path.is_symlink():
        real = Path(os.path.realpath(path))
        if not any(real == root or root in real.parents for root in roots):
            raise Refused("T-S003", "a link that leads out of what was given")
        target = real
    try:
        kind = os.lstat(target).st_mode
        if not stat.S_ISREG(kind):
            raise Refused("T-S003", "neither a file nor a folder")
        descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused("T-S007", f"cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused("T-S003", "neither a file nor a folder")
    return descriptor


def _report(path: Path, exam: Examination, digest: str) -> Report:
    return Report(
        path=str(path),
        format=exam.format or "unknown",
        sha256=digest,
        allowed=not exam.reasons,
        reasons=tuple(exam.reasons),
        notes=tuple(exam.notes),
    )
