"""What a file is, by its content alone; its name is not believed."""

from __future__ import annotations

from typing import Final

from titian.validation.scan import npy, onnx_model, safetensors, saved_model, text, torch_files
from titian.validation.scan.archives import compression_of, tar_checksum
from titian.validation.scan.examination import Part
from titian.validation.scan.hidden import holds_pickle
from titian.validation.scan.opcodes import KINDS
from titian.validation.scan.reason import Refused

_PROTO: Final = 0x80
_PROGRAMS: Final = {
    b"\x7fELF": "an ELF program",
    b"MZ": "a Windows program",
    b"\xcf\xfa\xed\xfe": "a Mach-O program",
    b"\xca\xfe\xba\xbe": "a Mach-O or Java program",
    b"\x00asm": "a WebAssembly program",
}
_UNREAD: Final = {
    b"\x89HDF\r\n\x1a\n": ("hdf5", "T-S071", "HDF5 is not read in full yet"),
    b"7z\xbc\xaf\x27\x1c": ("7z", "T-S001", "7z archives are not read"),
    b"Rar!": ("rar", "T-S001", "RAR archives are not read"),
    b"\x28\xb5\x2f\xfd": ("zstd", "T-S001", "zstd data are not read"),
    b"\x04\x22\x4d\x18": ("lz4", "T-S001", "lz4 data are not read"),
    b"ZF": ("joblib 0.9", "T-S001", "joblib's old compression is not read"),
}


def recognise(part: Part) -> str:
    """Return the format of a part.

    Raises:
        Refused: it is of no known format, or of two at once.
    """
    source = part.source
    head = source.read(0, 512)
    found = _by_magic(part, head)
    if tar_checksum(head):
        guessed = found == "pickle" and head[0] != _PROTO
        if found not in {"", "text"} and not guessed:
            raise Refused("T-S005", f"{part.prefix}byte 0: both {found} and tar")
        return "tar"
    if found != "zip" and _zip_behind(part):
        raise Refused("T-S005", f"{part.prefix}a zip is appended to {found or 'it'}")
    if found:
        return found
    for magic, what in _PROGRAMS.items():
        if head.startswith(magic):
            raise Refused("T-S095", f"{part.prefix}byte 0: {what}")
    raise Refused("T-S001", f"{part.prefix}byte 0: begins with {head[:8].hex(' ')}")


def unread(head: bytes) -> tuple[str, str, str] | None:
    """Return name, code and reason of a format that is recognised but not read."""
    for magic, row in _UNREAD.items():
        if head.startswith(magic):
            return row
    return None


def _by_magic(part: Part, head: bytes) -> str:
    source = part.source
    if not head:
        return "empty"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if head.startswith(npy.MAGIC):
        return "npy"
    if head.startswith(b"GGUF"):
        return "gguf"
    if head.startswith(torch_files.MAGIC):
        return "torch legacy"
    if unread(head):
        return "unread"
    if head[0] == _PROTO and len(head) > 1 and head[1] <= 5:
        return "pickle"
    compressed = compression_of(head)
    if compressed:
        return compressed
    if safetensors.looks_like(source):
        return "safetensors"
    if text.looks_like(source):
        return "pickle" if _text_pickle(part, head) else "text"
    if KINDS[head[0]] >= 0 and holds_pickle(source):
        return "pickle"
    if saved_model.looks_like(part):
        return "saved model"
    if onnx_model.looks_like(part):
        return "onnx"
    return ""


def _text_pickle(part: Part, head: bytes) -> bool:
    """Return whether text is a pickle of protocol 0 that does something, or is named as one."""
    if not holds_pickle(part.source):
        return False
    named = part.name.lower().endswith(
        (".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib", ".ckpt")
    )
    return (
        named
        or head[:1] in b"("
        or any(
            op in part.source.read(0, 1 << 16)
            for op in (b"\nR", b"R.", b"(i", b"(c", b"tR", b"\nb")
        )
    )


def _zip_behind(part: Part) -> bool:
    """Return whether a reader that looks from the end would find a zip."""
    size = part.source.size
    tail = part.source.read(max(0, size - (1 << 16) - 22), 1 << 17)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + 22 > len(tail):
        return False
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    comment = int.from_bytes(tail[at + 20 : at + 22], "little")
    end = size - len(tail) + at
    return (
        at + 22 + comment == len(tail)
        and length <= end
        and (part.source.read(end - length, 4) == b"PK\x01\x02")
    )
