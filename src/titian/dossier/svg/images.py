"""Pictures in a grid, each with its label."""

from __future__ import annotations

import base64
import re
import struct

from titian.dossier.reference import NOT_SHOWN
from titian.dossier.svg.canvas import LINE_PX, Canvas, Palette, wrap
from titian.values import ImagesFigure

_TILE = 132.0
_GAP = 8.0
_COLUMNS = 4
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def draw_images(figure: ImagesFigure, palette: Palette, uid: str) -> str:
    """Draw the pictures, each as large as a tile allows in its own proportions."""
    canvas = Canvas(palette, uid)
    y, row_height = 2.0, 0.0
    for at, (label, png) in enumerate(zip(figure.labels, figure.png_base64, strict=True)):
        column = at % _COLUMNS
        if column == 0 and at:
            y += row_height + _GAP
            row_height = 0.0
        x = 2 + column * (_TILE + _GAP)
        lines = wrap(label, _TILE)
        size = _png_size(png)
        if size is None:
            canvas.rect(x, y, _TILE, _TILE, stroke=palette.rule)
            canvas.text(
                x + _TILE / 2,
                y + _TILE / 2,
                NOT_SHOWN,
                anchor="middle",
                italic=True,
                colour=palette.soft,
            )
        else:
            scale = _TILE / max(size)
            width, height = size[0] * scale, size[1] * scale
            canvas.image(x + (_TILE - width) / 2, y + (_TILE - height) / 2, width, height, png)
        canvas.lines(
            x + _TILE / 2,
            y + _TILE + 12 + (len(lines) - 1) * LINE_PX / 2,
            lines,
            anchor="middle",
        )
        row_height = max(row_height, _TILE + 8 + LINE_PX * len(lines))
    width = 4 + min(max(len(figure.labels), 1), _COLUMNS) * (_TILE + _GAP)
    return canvas.svg(width, y + row_height + 4, label=f"{figure.title}. {figure.caption}")


def _png_size(png_base64: str) -> tuple[int, int] | None:
    """Return width and height from the file's header, None where it is no PNG."""
    if not _BASE64.fullmatch(png_base64):
        return None
    head = base64.b64decode(png_base64[:64] + "=" * (-len(png_base64[:64]) % 4))
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or len(head) < 24:
        return None
    width, height = struct.unpack(">II", head[16:24])
    return (width, height) if width and height else None
