"""Compressed files and tars: unpacked into a limited, unnamed file and looked at in turn."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import CHUNK, Source

_MEMORY: Final = 64 << 20  # bytes that an xz file's dictionary may ask for
_BLOCK: Final = 512
_HARMLESS: Final = {b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname"}


def compression_of(head: bytes) -> str:
    """Return how bytes are compressed, or "" where they are not."""
    if head[:3] == b"\x1f\x8b\x08":
        return "gzip"
    if head[:3] == b"BZh" and head[3:4].isdigit() and head[4:10] in (
        b"1AY&SY", b"\x17rE8P\x90",
    ):  # fmt: skip
        return "bz2"
    if head[:6] == b"\xfd7zXZ\x00":
        return "xz"
    if (
        head[:1] == b"\x5d"
        and head[1:5] in ((1 << k).to_bytes(4, "little") for k in range(12, 27))
        and (head[5:13] == b"\xff" * 8 or head[10:13] == b"\0\0\0")
    ):
        return "lzma"
    if len(head) > 2 and head[0] == 0x78 and head[1] in (0x01, 0x5E, 0x9C, 0xDA):
        return "zlib"
    return ""


def _decompressor(kind: str) -> Any:  # noqa: ANN401 - three classes without a common base
    match kind:
        case "gzip":
            return _Inflate(31)
        case "zlib":
            return _Inflate(15)
        case "bz2":
            return bz2.BZ2Decompressor()
        case "xz":
            return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        case _:
            return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY)


class _Inflate:
    """zlib's decompressor with the interface of the others."""

    def __init__(self, bits: int) -> None:
        self._inner = zlib.decompressobj(bits)
        self._rest = b""

    def decompress(self, data: bytes, most: int) -> bytes:
        out = self._inner.decompress(self._rest + data, most)
        self._rest = self._inner.unconsumed_tail
        return out

    @property
    def needs_input(self) -> bool:
        return not self._rest

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def examine_compressed(kind: str) -> Callable[[Part, Examination], None]:
    """Return the examination of a file that is compressed in one way."""

    def examine(part: Part, exam: Examination) -> None:
        exam.name_format(kind, part)
        spool = exam.spool(part, f"the {kind} data")
        unpack = _decompressor(kind)
        offset = 0
        try:
            for chunk in part.source.chunks():
                if unpack.eof:
                    raise Refused("T-S005", f"{part.prefix}byte {offset}: bytes behind the end")
                offset += len(chunk)
                spool.write(unpack.decompress(chunk, CHUNK))
                while not unpack.eof and not unpack.needs_input:
                    spool.write(unpack.decompress(b"", CHUNK))
        except (zlib.error, OSError, lzma.LZMAError, EOFError) as error:
            raise Refused("T-S002", f"{part.prefix}the {kind} data: {error}") from None
        if not unpack.eof:
            # zlib holds back what did not fit into the last piece.
            raise Refused("T-S002", f"{part.prefix}byte {offset}: the {kind} data are cut")
        if unpack.unused_data:
            raise Refused(
                "T-S005",
                f"{part.prefix}byte {offset - len(unpack.unused_data)}: bytes behind the end",
            )
        exam.unpacked += spool.size
        name = PurePosixPath(part.name)
        inner = name.stem if name.suffix in {".gz", ".bz2", ".xz", ".lzma", ".z"} else name.name
        exam.descend(part, spool.source(), inner or "content")

    return examine


def tar_checksum(block: bytes) -> bool:
    """Return whether a block is a tar header whose checksum is right."""
    if len(block) < _BLOCK or not block.strip(b"\0"):
        return False
    digits = block[148:156].strip(b"\0 ")
    if not digits or any(d not in b"01234567" for d in digits):
        return False
    return int(digits, 8) == sum(block[:148]) + 256 + sum(block[156:_BLOCK])


def examine_tar(part: Part, exam: Examination) -> None:
    """Walk the members; only plain files and folders with plain names."""
    exam.name_format("tar", part)
    source, prefix, at = part.source, part.prefix, 0
    names: set[str] = set()
    while at < source.size:
        block = source.exactly(at, _BLOCK)
        if not block.strip(b"\0"):
            for chunk in source.chunks(at):
                if chunk.strip(b"\0"):
                    raise Refused("T-S005", f"{prefix}byte {at}: bytes behind the end")
            return
        if not tar_checksum(block):
            raise Refused("T-S002", f"{prefix}byte {at}: a broken tar header")
        name, size, kind = _tar_fields(block, prefix, at)
        where = f"{prefix}{name}"
        if kind == b"5":
            size = 0
        elif kind == b"x":
            _pax(source, at + _BLOCK, size, where)
        elif kind not in (b"0", b"\0"):
            raise Refused("T-S024", f"{where}: neither file nor folder (type {kind!r})")
        parts = name.rstrip("/").removeprefix("./").split("/")
        if (
            name.startswith("/")
            or "\\" in name
            or (".." in parts)
            or ("" in parts and name != "./")
        ):
            raise Refused("T-S024", f"{where!r}: the name leads out of the archive")
        if name in names and kind != b"x":
            raise Refused("T-S022", f"{where}: the name is there twice")
        names.add(name)
        start = at + _BLOCK
        if kind not in (b"5", b"x"):
            exam.descend(part, source.part(start, size), name)
        rest = -size % _BLOCK
        if source.exactly(start + size, rest).strip(b"\0"):
            raise Refused("T-S005", f"{where}: the padding holds something")
        at = start + size + rest


def _pax(source: Source, start: int, size: int, where: str) -> None:
    """Allow what says when and whose a file is; names and sizes must not be overridden."""
    if size > CHUNK:
        raise Refused("T-S004", f"{where}: an extended header of {size} bytes")
    for line in source.exactly(start, size).split(b"\n")[:-1]:
        key = line.partition(b" ")[2].partition(b"=")[0]
        if key not in _HARMLESS:
            raise Refused("T-S024", f"{where}: an extended header sets {key!r:.40}")


def _tar_fields(block: bytes, prefix: str, at: int) -> tuple[str, int, bytes]:
    try:
        name = block[:100].split(b"\0")[0].decode("utf-8")
        if block[257:262] == b"ustar":
            folder = block[345:500].split(b"\0")[0].decode("utf-8")
            name = f"{folder}/{name}" if folder and block[263:265] == b"00" else name
        size = int(block[124:136].strip(b"\0 ") or b"0", 8)
    except ValueError:
        raise Refused("T-S002", f"{prefix}byte {at}: a broken tar header") from None
    return name, size, block[156:157]
