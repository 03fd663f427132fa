"""Sizes of images on disk, for formats that do not say them."""

from __future__ import annotations

import warnings
from pathlib import Path

from titian.annotation.formats.complaints import Complaints
from titian.annotation.formats.source import files_of
from titian.annotation.shapes import Image
from titian.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif")


def list_pictures(folder: Path | None) -> dict[str, tuple[Path, str]]:
    """Map each picture's name without suffix to its file and name within the folder."""
    found: dict[str, tuple[Path, str]] = {}
    if folder is None:
        return found
    try:
        files = files_of(folder, "")
    except InputError:
        return found
    for file, name in files:
        if name.lower().endswith(SUFFIXES):
            found.setdefault(name[: -len(file.suffix)], (file, name))
    return found


def measure(stem: str, picture: tuple[Path, str] | None, complaints: Complaints) -> Image:
    """Return the size of a picture as it lies on disk, from its header alone."""
    if picture is None:
        complaints.add(
            "T-A114",
            "",
            f"the size of image {stem!r} is not known, since no picture has this name",
            "Give the folder of the images with --media.",
        )
        return Image(name=stem, width=1, height=1)
    import PIL.Image

    file, name = picture
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, whose pixels are not read
            with PIL.Image.open(file) as opened:
                width, height = opened.size
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError):
        complaints.add("T-A114", "", f"{name} is no picture", "Replace the picture.")
        width = height = 1
    return Image(name=name, width=width, height=height)
