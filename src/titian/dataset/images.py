"""Pictures as arrays: PNG, JPEG and DICOM to one grey image in [0, 1].

The bytes are read once, checked against their digest, and looked at through their header
before anything is decoded, so that a small file cannot unfold into gigabytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import warnings
from pathlib import Path

import numpy as np

from titian.dataset.dicom import decode_dicom
from titian.dataset.picture import (
    BYTE_LIMIT,
    LUMINANCE,
    PIXEL_LIMIT,
    Picture,
    Pixels,
    UnreadableImageError,
    require_pixels,
)

PNG_END = b"IEND\xaeB`\x82"

__all__ = ["Picture", "Pixels", "UnreadableImageError", "decode", "read_bytes", "read_image"]


def read_image(root: Path, path: str, sha256: str | None = None) -> Pixels:
    """Read one image as grey values.

    Args:
        root: folder that holds the table.
        path: relative to `root`.
        sha256: expected digest in hex of the bytes; None accepts any.

    Returns:
        Shape (h, w), float32 in [0, 1]; of several frames the middle one.

    Raises:
        UnreadableImageError: missing, changed, too large or corrupt.
    """
    data = read_bytes(root, path)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise UnreadableImageError(
            "T-D042",
            path,
            f"its bytes are not those with the digest {sha256[:12]}... that the records name",
        )
    return decode(data, name=path).pixels


def read_bytes(root: Path, path: str) -> bytes:
    """Read the file of an image.

    Raises:
        UnreadableImageError: it is missing or longer than `BYTE_LIMIT`.
    """
    try:
        with open(root / path, "rb", opener=_open_at_once) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                reason = "the file cannot be read (Not a regular file)"
                raise UnreadableImageError("T-D040", path, reason)
            size = state.st_size
            if size > BYTE_LIMIT:
                raise UnreadableImageError(
                    "T-D043", path, f"the file has {size:,} bytes; the limit is {BYTE_LIMIT:,}"
                )
            return file.read()
    except OSError as error:
        reason = f"the file cannot be read ({error.strerror})"
        raise UnreadableImageError("T-D040", path, reason) from error


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for a writer where a pipe stands in a file's place."""
    return os.open(path, flags | os.O_NONBLOCK)


def decode(data: bytes, *, name: str) -> Picture:
    """Decode the bytes of an image.

    Raises:
        UnreadableImageError: too large or corrupt.
    """
    if not data:
        raise UnreadableImageError("T-D041", name, "the file is empty (0 bytes)")
    if data[:8] == b"\x89PNG\r\n\x1a\n" or data[:3] == b"\xff\xd8\xff":
        return _decode_raster(data, name=name)
    if data[128:132] == b"DICM" or name.lower().endswith((".dcm", ".dicom", ".ima")):
        return decode_dicom(data, name=name)
    raise UnreadableImageError("T-D041", name, "the file is not PNG, JPEG or DICOM")


def _decode_raster(data: bytes, *, name: str) -> Picture:
    from PIL import Image, ImageOps

    if data.startswith(b"\x89PNG") and PNG_END not in data:
        # Pillow is content when the last row of pixels is there; a whole file has an end.
        raise UnreadableImageError("T-D041", name, "the PNG file is cut short")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                require_pixels(image.width * image.height, name=name)
                image.load()
                upright = ImageOps.exif_transpose(image)
                pixels, bits = _grey(upright)
                return Picture(pixels=pixels, bits=bits, device=str(image.format))
        except UnreadableImageError:
            raise
        except Image.DecompressionBombError as error:
            reason = f"its header declares too many pixels; the limit is {PIXEL_LIMIT:,}"
            raise UnreadableImageError("T-D043", name, reason) from error
        except Exception as error:  # a decoder meets arbitrary bytes
            reason = f"it cannot be decoded ({_first_line(error)})"
            raise UnreadableImageError("T-D041", name, reason) from error


def _grey(image: object) -> tuple[Pixels, int]:
    from PIL import Image

    assert isinstance(image, Image.Image)  # noqa: S101 - the type is hidden by the late import
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.float32) / np.float32(65535), 16
    if image.mode == "F":
        return np.clip(np.asarray(image, dtype=np.float32), 0, 1), 32
    if image.mode in {"1", "L", "LA"}:
        return np.asarray(image.convert("L")).astype(np.float32) / np.float32(255), 8
    colour = np.asarray(image.convert("RGB")).astype(np.float32)
    return np.clip(colour @ LUMINANCE / np.float32(255), 0, 1), 8


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(".") or type(error).__name__
