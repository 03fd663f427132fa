"""Bytes and names from outside: bounded reading, UTF-8, and file names that stay inside."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from titian.annotation.formats.complaints import Complaints, refusal, shorten

MOST_BYTES = 1 << 30  # of one file
MOST_FILES = 1_000_000  # in one folder


def read_bytes(path: Path, *, name: str = "") -> bytes:
    """Read a file of at most `MOST_BYTES`.

    Raises:
        InputError: it is missing, a folder, not readable, or too large.
    """
    name = name or path.name
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is missing"
            raise refusal("T-A100", name, what, "Name a file in this format.")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise refusal(
                "T-A101",
                name,
                f"has {size:,} bytes; at most {MOST_BYTES:,} are read",
                "Divide it into several files.",
            )
        return path.read_bytes()
    except OSError as error:
        raise refusal(
            "T-A100", name, f"cannot be read ({error.strerror})", "Check its permissions."
        ) from error


def decode(data: bytes, *, name: str, verbatim: bool = False) -> str:
    """Decode UTF-8; line ends stay as they are.

    Args:
        data: the bytes of the file.
        name: file name, for messages.
        verbatim: keep a byte order mark, for texts whose characters are counted.

    Raises:
        InputError: it is another encoding, or holds NUL.
    """
    remedy = "Save the file as UTF-8."
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise refusal("T-A102", name, "is UTF-16; this format is read as UTF-8", remedy)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise refusal("T-A102", name, f"line {line} holds a NUL byte; text has none", remedy)
    try:
        return data.decode("utf-8" if verbatim else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refusal(
            "T-A102", name, f"line {line} is not UTF-8 (byte 0x{data[error.start]:02x})", remedy
        ) from error


def read_text(path: Path, *, name: str = "", verbatim: bool = False) -> str:
    """Read a file of text.

    Raises:
        InputError: as `read_bytes` and `decode`.
    """
    return decode(read_bytes(path, name=name), name=name or path.name, verbatim=verbatim)


def files_of(path: Path, suffix: str) -> list[tuple[Path, str]]:
    """List a file, or the files of a folder and its folders, with their names within it.

    Links to folders are not followed.

    Raises:
        InputError: there is no such file.
    """
    if path.is_file():
        return [(path, path.name)]
    found = []
    if path.is_dir():
        for folder, folders, files in path.walk() if hasattr(path, "walk") else _walk(path):
            folders.sort()
            found += [
                (Path(folder) / file, (Path(folder) / file).relative_to(path).as_posix())
                for file in files
                if file.lower().endswith(suffix)
            ]
            if len(found) > MOST_FILES:
                raise refusal(
                    "T-A101", path.name, f"holds over {MOST_FILES:,} files", "Divide it."
                )
    if not found:
        what = f"holds no {suffix} file" if path.is_dir() else "is missing"
        raise refusal("T-A100", path.name or str(path), what, "Name the file or its folder.")
    return sorted(found, key=lambda item: item[1])


def _walk(path: Path) -> Iterable[tuple[str, list[str], list[str]]]:
    import os

    return os.walk(path)


def check_names(names: Iterable[str], *, suffix: str, target: str) -> dict[str, PurePosixPath]:
    """Give each document the path of its file within the target folder.

    The path is the document's name, its suffix replaced.

    Raises:
        InputError: a name is absolute, leaves the folder, holds what no file name holds, or
            two documents would share one file.
    """
    complaints = Complaints(target)
    paths: dict[str, PurePosixPath] = {}
    taken: dict[str, str] = {}
    for name in names:
        why = _unsafe(name)
        if why:
            complaints.add(
                "T-A112", f"document {shorten(name)}", f"its name {why}", "Rename the document."
            )
            continue
        path = PurePosixPath(name)
        path = path.with_name(f"{path.stem}{suffix}")
        key = unicodedata.normalize("NFC", str(path)).casefold()
        if key in taken:
            complaints.add(
                "T-A112",
                f"document {shorten(name)}",
                f"its file {path} would also be that of {shorten(taken[key])}",
                "Rename one of them; file names must differ by more than case and suffix.",
            )
            continue
        taken[key] = name
        paths[name] = path
    complaints.raise_if_any()
    return paths


def _unsafe(name: str) -> str:
    parts = name.split("/")
    if not name or any(ord(c) < 32 or ord(c) == 127 or c in '\\:*?"<>|' for c in name):
        return "holds characters that no file name holds everywhere"
    if any(part in ("", ".", "..") or part.endswith((" ", ".")) for part in parts):
        return "leaves the folder or has an empty part"
    if any(len(part.encode()) > 200 for part in parts) or len(parts) > 20:
        return "is too long for a file name"
    stem = parts[-1].split(".")[0].upper()
    if stem in {
        "CON",
        "PRN",
        "AUX",
        "NUL",
        *(f"{p}{n}" for p in ("COM", "LPT") for n in range(10)),
    }:
        return "is reserved on Windows"
    return "" if PurePosixPath(name).stem else "has no stem"


def write_file(folder: Path, path: PurePosixPath, text: str) -> None:
    """Write UTF-8 text below a folder; line ends stay as they are."""
    place = folder.joinpath(*path.parts)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text.encode())
