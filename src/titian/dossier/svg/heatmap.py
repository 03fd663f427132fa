"""A matrix of numbers with named rows and columns, shaded and written out."""

from __future__ import annotations

from titian.dossier.reference import NOT_SHOWN, number_text
from titian.dossier.svg.canvas import FONT_PX, LINE_PX, Canvas, Palette, text_width, wrap
from titian.values import HeatMapFigure

_LEAST_CELL = 58.0
_WIDTH = 460.0


def draw_heatmap(figure: HeatMapFigure, palette: Palette, uid: str) -> str:
    """Draw the matrix; every cell holds its number, an unknown one *not shown*."""
    canvas = Canvas(palette, uid)
    known = [value for row in figure.values for value in row if value is not None]
    form = "count" if all(float(value).is_integer() for value in known) else "auto"
    left = 24 + min(max((text_width(name) for name in figure.rows), default=0.0) + 16, 200.0)
    texts = [number_text(value, form=form) for value in known]
    cell = max(
        _LEAST_CELL,
        max((text_width(text) for text in texts), default=0.0) + 14,
        min((_WIDTH - left - 4) / max(len(figure.columns), 1), 150.0),
    )
    names = [wrap(name, cell - 8) for name in figure.columns]
    top = 26 + max((len(lines) for lines in names), default=1) * LINE_PX + 8
    width = max(left + cell * len(figure.columns) + 4, 260.0)
    centre = left + cell * len(figure.columns) / 2
    for line in wrap(figure.x_label, width - 16)[:1]:
        half = text_width(line) / 2
        middle = min(max(centre, half + 4), width - half - 4)
        canvas.text(middle, 15, line, anchor="middle", colour=palette.soft)
    for at, lines in enumerate(names):
        y = top - 8 - LINE_PX * (len(lines) - 1) / 2 - FONT_PX * 0.34
        canvas.lines(left + cell * (at + 0.5), y, lines, anchor="middle")
    low, high = min([0.0, *known]), max([0.0, *known])
    y = top
    for name, values in zip(figure.rows, figure.values, strict=True):
        lines = wrap(name, left - 38)
        height = max(44.0, LINE_PX * len(lines) + 8)
        canvas.lines(left - 10, y + height / 2, lines, anchor="end")
        for at, value in enumerate(values):
            share = 0.0 if value is None or high == low else (value - low) / (high - low)
            _cell(canvas, (left + cell * at, y, cell, height), value, share, form)
        y += height
    turned = wrap(figure.y_label, max(y - top, 60.0))[0]
    canvas.text(13, (top + y) / 2, turned, anchor="middle", turn=True, colour=palette.soft)
    return canvas.svg(width, y + 8, label=f"{figure.title}. {figure.caption}")


def _cell(
    canvas: Canvas,
    box: tuple[float, float, float, float],
    value: float | None,
    share: float,
    form: str,
) -> None:
    x, y, width, height = box
    palette = canvas.palette
    middle = (x + width / 2, y + height / 2 + 4.6)
    if value is None:
        canvas.rect(x + 1, y + 1, width - 2, height - 2, stroke=palette.rule, radius=3)
        small = min(FONT_PX, (width - 6) / text_width(NOT_SHOWN, 1.0))
        canvas.text(
            *middle, NOT_SHOWN, anchor="middle", italic=True, size=small, colour=palette.soft
        )
        return
    canvas.rect(x + 1, y + 1, width - 2, height - 2, fill=palette.paper, radius=3)
    canvas.rect(
        x + 1,
        y + 1,
        width - 2,
        height - 2,
        fill=palette.heat,
        # nothing between 0.45 and 0.8: there neither dark nor light ink reads well
        opacity=0.05 + share * 0.4 if share < 0.6 else 0.8 + (share - 0.6) * 0.5,
        stroke=palette.rule,
        radius=3,
    )
    ink = palette.heat_ink if share >= 0.6 else palette.ink
    canvas.text(*middle, number_text(value, form=form), anchor="middle", colour=ink)
