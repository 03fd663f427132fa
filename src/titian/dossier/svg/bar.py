"""Bars per category, lying down, so that long names and many rows stay readable."""

from __future__ import annotations

from titian.dossier.reference import NOT_SHOWN, number_text
from titian.dossier.svg.axis import Axis
from titian.dossier.svg.canvas import LINE_PX, Canvas, Palette, text_width, wrap
from titian.dossier.svg.columns import draw_columns, suits_columns
from titian.values import BarFigure

WIDTH = 460.0
_BAR = 16.0
_GAP = 12.0


def draw_bar(figure: BarFigure, palette: Palette, uid: str) -> str:
    """Draw one bar per category and series, its number at its end."""
    canvas = Canvas(palette, uid)
    if suits_columns(figure):
        return draw_columns(canvas, figure, width=WIDTH, first=_legend(canvas, figure))
    left = min(
        max((text_width(name) for name in figure.categories), default=0.0) + 14, WIDTH * 0.4
    )
    known = [value for row in figure.values for value in row if value is not None]
    whole = all(float(value).is_integer() for value in known)
    form = "count" if whole else "auto"
    room = max([text_width(NOT_SHOWN), *(text_width(number_text(v, form=form)) for v in known)])
    low, high = min([0.0, *known]), max([0.0, *known])
    x = Axis(low=low, high=high if high > low else low + 1, start=left, end=WIDTH - room - 14)
    y = first = _legend(canvas, figure)
    for at, category in enumerate(figure.categories):
        lines = wrap(category, left - 12)
        height = max(_BAR * len(figure.series), LINE_PX * len(lines))
        canvas.lines(left - 10, y + height / 2, lines, anchor="end")
        top = y + (height - _BAR * len(figure.series)) / 2
        for row, values in enumerate(figure.values):
            _bar(canvas, values[at], row, x, top + row * _BAR, form)
        y += height + _GAP
    canvas.line(
        x.at(0),
        first - 4,
        x.at(0),
        y - _GAP + 4,
        stroke=palette.soft,
    )
    for line in wrap(figure.y_label, WIDTH - left):
        canvas.text(left, y + 12, line, colour=palette.soft)
        y += LINE_PX
    return canvas.svg(WIDTH, y + 4, label=f"{figure.title}. {figure.caption}")


def _bar(canvas: Canvas, value: float | None, row: int, x: Axis, top: float, form: str) -> None:
    palette = canvas.palette
    if value is None:
        canvas.text(x.at(0) + 6, top + 12, NOT_SHOWN, italic=True, colour=palette.soft)
        return
    colour = palette.series[row % len(palette.series)]
    start, end = sorted((x.at(0), x.at(value)))
    fill = canvas.hatch(row, colour)
    canvas.rect(start, top + 1.5, end - start, _BAR - 3, fill=fill, stroke=colour, radius=1.5)
    canvas.text(max(end, x.at(0)) + 6, top + 12.4, number_text(value, form=form))


def _legend(canvas: Canvas, figure: BarFigure) -> float:
    if len(figure.series) < 2:
        return 4.0
    x, y = 4.0, 4.0
    for row, name in enumerate(figure.series):
        lines = wrap(name, WIDTH - 40)
        width = 26 + max(text_width(line) for line in lines) + 18
        if x > 4.0 and x + width > WIDTH:
            x, y = 4.0, y + LINE_PX + 4
        colour = canvas.palette.series[row % len(canvas.palette.series)]
        canvas.rect(x, y, 20, 12, fill=canvas.hatch(row, colour), stroke=colour, radius=1.5)
        for at, line in enumerate(lines):
            canvas.text(x + 26, y + 10.6 + at * LINE_PX, line)
        x += width
        y += LINE_PX * (len(lines) - 1)
    return y + 26
