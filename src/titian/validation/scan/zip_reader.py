"""Read a zip strictly: every byte belongs to one member, and both headers say the same.

Source: PKWARE APPNOTE 6.3.10. Readers differ in which header they believe, in what they do
with duplicates and in where they look for the directory; a file on which they could differ
is refused.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from struct import Struct
from typing import Final

from titian.validation.scan.examination import Examination, Part
from titian.validation.scan.reason import Refused
from titian.validation.scan.source import CHUNK, Source

_END: Final = Struct("<4s4H2LH")
_END64: Final = Struct("<4sQ2H2L4Q")
_LOCATOR: Final = Struct("<4sLQL")
_CENTRAL: Final = Struct("<4s2B5H3L5H2L")
_LOCAL: Final = Struct("<4s2B4H3L2H")
_NONE16: Final = 0xFFFF
_NONE32: Final = 0xFFFFFFFF
_ENCRYPTED: Final = 0x2041  # bits 0, 6 and 13
_KNOWN: Final = 0x080E  # bits 1 and 2 (level), 3 (descriptor), 11 (UTF-8)
_DESCRIPTOR: Final = 0x0008
_UNIX: Final = 3
_LINK: Final = 0o120000
STORED, DEFLATED = 0, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member of a zip.

    Attributes:
        name: as both headers write it.
        method: 0 stored, 8 deflated.
        crc: CRC-32 of the content.
        packed: bytes in the file.
        size: bytes of the content.
        header: offset of the local header.
        start: offset of the content; set when the local header was read.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header: int
    start: int
    flags: int


def members(part: Part, exam: Examination) -> list[Member]:
    """Return the members in the order of their bytes, all headers checked.

    Raises:
        Refused: a reader could see another archive than this one.
    """
    source, prefix = part.source, part.prefix
    start, size, count, tail = _directory(source, prefix)
    if count > exam.policy.members:
        raise Refused("T-S004", f"{prefix}{count} members, {exam.policy.members} are read")
    if size > exam.policy.header_bytes or size > source.size:
        raise Refused("T-S004", f"{prefix}a directory of {size} bytes")
    found = _central(source.exactly(start, size), count, prefix)
    if start + size != tail:
        raise Refused("T-S023", f"{prefix}byte {start + size}: bytes between directory and end")
    names: set[str] = set()
    folded: set[str] = set()
    for member in found:
        where = f"{prefix}{member.name}"
        if member.name in names or member.name.casefold() in folded:
            raise Refused("T-S022", f"{where}: the name is there twice")
        names.add(member.name)
        folded.add(member.name.casefold())
        _name(member.name, where)
    found.sort(key=lambda m: m.header)
    checked, at = [], 0
    for member in found:
        if member.header != at:
            what = "bytes that belong to no member" if member.header > at else "an overlap"
            raise Refused("T-S023", f"{prefix}byte {at}: {what}")
        member_, at = _local(source, member, prefix)
        checked.append(member_)
    if at != start:
        raise Refused("T-S023", f"{prefix}byte {at}: bytes that belong to no member")
    return checked


def content(part: Part, exam: Examination, member: Member) -> Source:
    """Return a member's content, its checksum checked.

    Raises:
        Refused: the checksum or the size is wrong, or too much comes out.
    """
    where = f"{part.prefix}{member.name}"
    packed = part.source.part(member.start, member.packed)
    if member.method == STORED:
        crc = 0
        for chunk in packed.chunks():
            crc = zlib.crc32(chunk, crc)
        _sums(member, crc, member.packed, where)
        return packed
    exam_spool = exam.spool(part, member.name)
    inflate = zlib.decompressobj(-15)
    crc = 0
    try:
        for chunk in packed.chunks():
            data = chunk
            while data and not inflate.eof:
                out = inflate.decompress(data, CHUNK)
                data = inflate.unconsumed_tail
                crc = zlib.crc32(out, crc)
                exam_spool.write(out)
                if exam_spool.size > member.size:
                    raise Refused(
                        "T-S021", f"{where}: more than the {member.size} bytes claimed"
                    )
                if not out and not data:
                    break
            if inflate.eof and (inflate.unused_data or data):
                raise Refused("T-S005", f"{where}: bytes behind the compressed data")
        while not inflate.eof:
            out = inflate.decompress(inflate.unconsumed_tail, CHUNK)
            if not out:
                raise Refused("T-S002", f"{where}: the compressed data are cut")
            crc = zlib.crc32(out, crc)
            exam_spool.write(out)
    except zlib.error as error:
        raise Refused("T-S002", f"{where}: {error}") from None
    exam.unpacked += exam_spool.size
    _sums(member, crc, exam_spool.size, where)
    return exam_spool.source()


def _sums(member: Member, crc: int, size: int, where: str) -> None:
    if size != member.size:
        raise Refused("T-S021", f"{where}: {size} bytes, {member.size} are claimed")
    if crc != member.crc:
        raise Refused("T-S021", f"{where}: CRC-32 {crc:08x}, {member.crc:08x} is claimed")


def _directory(source: Source, prefix: str) -> tuple[int, int, int, int]:
    """Return the directory's offset, size, number of members, and where its trailer begins."""
    at = source.size - _END.size
    if at < 0:
        raise Refused("T-S002", f"{prefix}too short for a zip")
    sign, disk, first, here, count, size, start, comment = _END.unpack(
        source.exactly(at, _END.size)
    )
    if sign != b"PK\x05\x06" or comment:
        tail = source.read(max(0, at - _NONE16), _NONE16 + _END.size)
        if b"PK\x05\x06" in tail:
            raise Refused("T-S005", f"{prefix}a comment or other bytes behind the directory")
        raise Refused("T-S002", f"{prefix}the zip has no end: it is cut")
    if disk or first or here != count:
        raise Refused("T-S025", f"{prefix}the zip spans several disks")
    before = source.read(at - _LOCATOR.size, _LOCATOR.size) if at >= _LOCATOR.size else b""
    if before[:4] != b"PK\x06\x07":
        if start == _NONE32:
            raise Refused("T-S020", f"{prefix}byte {at}: the 64-bit record is missing")
        return start, size, count, at
    _, disk, record, disks = _LOCATOR.unpack(before)
    locator = at - _LOCATOR.size
    fields = _END64.unpack(source.exactly(record, _END64.size))
    sign, length, _, _, disk64, first64, here64, count64, size64, start64 = fields
    if sign != b"PK\x06\x06" or disk or disks > 1 or disk64 or first64 or here64 != count64:
        raise Refused("T-S020", f"{prefix}byte {record}: the 64-bit record is broken")
    if length + 12 != _END64.size or record + _END64.size != locator:
        raise Refused("T-S023", f"{prefix}byte {record}: bytes in or behind the 64-bit record")
    for short, long, none in (
        (count, count64, _NONE16), (size, size64, _NONE32), (start, start64, _NONE32),
    ):  # fmt: skip
        if short not in (long, none):
            raise Refused("T-S020", f"{prefix}byte {at}: the two end records differ")
    return start64, size64, count64, record


def _central(data: bytes, count: int, prefix: str) -> list[Member]:
    found, at = [], 0
    for _ in range(count):
        if at + _CENTRAL.size > len(data) or data[at : at + 4] != b"PK\x01\x02":
            raise Refused("T-S020", f"{prefix}the directory holds fewer members than claimed")
        fields = _CENTRAL.unpack_from(data, at)
        _, _, system, _, flags, method, _, _, crc, packed, size = fields[:11]
        name_size, extra_size, comment_size, disk, _, external, header = fields[11:]
        at += _CENTRAL.size
        raw = data[at : at + name_size]
        extra = data[at + name_size : at + name_size + extra_size]
        at += name_size + extra_size + comment_size
        name = _decoded(raw, flags, prefix)
        where = f"{prefix}{name}"
        if comment_size:
            raise Refused("T-S005", f"{where}: a comment")
        if disk:
            raise Refused("T-S025", f"{where}: lies on another disk")
        if system == _UNIX and (external >> 16) & 0o170000 == _LINK:
            raise Refused("T-S024", f"{where}: is a link")
        size, packed, header = _long(extra, (size, packed, header), where)
        _features(flags, method, where)
        if method == STORED and size != packed:
            raise Refused("T-S020", f"{where}: stored in {packed} bytes, {size} are claimed")
        found.append(
            Member(
                name=name, method=method, crc=crc, packed=packed, size=size,
                header=header, start=0, flags=flags,
            )
        )  # fmt: skip
    if at != len(data):
        raise Refused("T-S020", f"{prefix}the directory holds more than its {count} members")
    return found


def _features(flags: int, method: int, where: str) -> None:
    if flags & _ENCRYPTED:
        raise Refused("T-S006", f"{where}: is encrypted")
    if flags & ~_KNOWN:
        raise Refused("T-S025", f"{where}: flags 0x{flags:04x} are not known")
    if method not in (STORED, DEFLATED):
        raise Refused("T-S025", f"{where}: compression method {method}")


def _decoded(raw: bytes, flags: int, prefix: str) -> str:
    try:
        return raw.decode("utf-8" if flags & 0x800 else "ascii")
    except UnicodeDecodeError:
        raise Refused(
            "T-S024", f"{prefix}{raw!r:.80}: a name that readers decode apart"
        ) from None


def _name(name: str, where: str) -> None:
    parts = name.rstrip("/").split("/")
    bad = (
        not name
        or name.startswith("/")
        or "\\" in name
        or ":" in name
        or any(ord(c) < 32 or ord(c) == 127 for c in name)
        or any(p in {"", ".", ".."} for p in parts)
    )
    if bad:
        raise Refused(
            "T-S024", f"{where!r}: the name leads out of the archive, or is no plain path"
        )


def _long(extra: bytes, values: tuple[int, int, int], where: str) -> tuple[int, int, int]:
    """Return size, packed size and offset with the 64-bit values put in."""
    at, seen = 0, False
    result = list(values)
    while at + 4 <= len(extra):
        tag, size = (
            int.from_bytes(extra[at : at + 2], "little"),
            int.from_bytes(extra[at + 2 : at + 4], "little"),
        )
        body = extra[at + 4 : at + 4 + size]
        at += 4 + size
        if len(body) != size:
            raise Refused("T-S020", f"{where}: an extra field reaches beyond the header")
        if tag != 1:
            continue
        if seen:
            raise Refused("T-S020", f"{where}: two 64-bit fields")
        seen, used = True, 0
        for i, value in enumerate(result):
            if value == _NONE32:
                if used + 8 > len(body):
                    raise Refused("T-S020", f"{where}: the 64-bit field is cut")
                result[i] = int.from_bytes(body[used : used + 8], "little")
                used += 8
    if at < len(extra) and extra[at:].strip(b"\0"):
        raise Refused("T-S020", f"{where}: an extra field is cut")
    return result[0], result[1], result[2]


def _local(source: Source, member: Member, prefix: str) -> tuple[Member, int]:
    """Return the member with its start, and the offset behind it."""
    where = f"{prefix}{member.name}"
    fields = _LOCAL.unpack(source.exactly(member.header, _LOCAL.size))
    sign, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size = fields
    at = member.header + _LOCAL.size
    raw = source.exactly(at, name_size)
    extra = source.exactly(at + name_size, extra_size)
    start = at + name_size + extra_size
    if sign != b"PK\x03\x04":
        raise Refused("T-S020", f"{where}: byte {member.header} is no local header")
    streamed = bool(flags & _DESCRIPTOR)
    wide = (size, packed) == (_NONE32, _NONE32)
    size, packed, _ = _long(extra, (size, packed, 0), where)
    claims = (
        ("name", _decoded(raw, flags, prefix), member.name),
        ("flags", flags, member.flags),
        ("method", method, member.method),
        ("CRC", crc, member.crc),
        ("packed size", packed, member.packed),
        ("size", size, member.size),
    )
    for what, local, central in claims:
        if local != central and not (
            streamed and local == 0 and what in {"CRC", "packed size", "size"}
        ):
            raise Refused(
                "T-S020",
                f"{where}: the two headers differ in {what}: {local!r:.80}, {central!r:.80}",
            )
    end = start + member.packed
    if end > source.size:
        raise Refused("T-S002", f"{where}: {member.packed} bytes are claimed beyond the end")
    if streamed:
        end = _descriptor(source, member, end, where, wide)
    from dataclasses import replace

    return replace(member, start=start), end


def _descriptor(source: Source, member: Member, at: int, where: str, wide: bool) -> int:
    sign = b"PK\x07\x08" + member.crc.to_bytes(4, "little")
    for width in (8, 4) if wide or member.size > _NONE32 - 1 else (4, 8):
        if max(member.size, member.packed) >= 1 << (8 * width):
            continue
        expected = (
            sign
            + member.packed.to_bytes(width, "little")
            + member.size.to_bytes(width, "little")
        )
        for body in (expected, expected[4:]):
            if source.read(at, len(body)) == body:
                following = source.read(at + len(body), 2)
                if following == b"PK":
                    return at + len(body)
    raise Refused("T-S020", f"{where}: byte {at}: the data descriptor does not agree")
