"""Standing bars for many short categories: a histogram. Its numbers stand in the table."""

from __future__ import annotations

import math

from titian.dossier.reference import NOT_SHOWN
from titian.dossier.svg.axis import Axis
from titian.dossier.svg.canvas import FONT_PX, LINE_PX, Canvas, text_width, wrap
from titian.values import BarFigure

_RIGHT = 6.0
_HEIGHT = 200.0
_LONGEST_LABEL = 110.0
_FEWEST = 9


def suits_columns(figure: BarFigure) -> bool:
    """Tell whether there are so many categories, with such short names, that bars stand."""
    longest = max((text_width(name) for name in figure.categories), default=0.0)
    return len(figure.categories) >= _FEWEST and longest <= _LONGEST_LABEL


def draw_columns(canvas: Canvas, figure: BarFigure, *, width: float, first: float) -> str:
    """Draw a column per category and series below a legend that ends at `first`."""
    palette = canvas.palette
    known = [value for row in figure.values for value in row if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    bottom = first + 8 + _HEIGHT
    y = Axis(low=low, high=high if high > low else low + 1, start=bottom, end=first + 8)
    left = 12 + LINE_PX + max(text_width(label) for _, label in y.ticks())
    for value, label in y.ticks():
        canvas.line(left, y.at(value), width - _RIGHT, y.at(value), stroke=palette.rule)
        canvas.text(left - 6, y.at(value) + 4.4, label, anchor="end", colour=palette.soft)
    canvas.text(
        FONT_PX,
        bottom - _HEIGHT / 2,
        wrap(figure.y_label, _HEIGHT)[0],
        anchor="middle",
        turn=True,
    )
    step = (width - _RIGHT - left) / len(figure.categories)
    bar = step * 0.82 / max(len(figure.series), 1)
    stride = math.ceil(LINE_PX / step)  # turned labels need a line's height each
    room = 0.0
    for at, category in enumerate(figure.categories):
        start = left + step * (at + 0.09)
        for row, values in enumerate(figure.values):
            _column(canvas, values[at], row, y, start + row * bar, bar)
        if at % stride == 0:
            middle = left + step * (at + 0.5) + 4.4
            canvas.text(middle, bottom + 8, category, anchor="end", turn=True)
            room = max(room, text_width(category))
    canvas.line(left, y.at(0), width - _RIGHT, y.at(0), stroke=palette.soft)
    return canvas.svg(width, bottom + room + 14, label=f"{figure.title}. {figure.caption}")


def _column(
    canvas: Canvas, value: float | None, row: int, y: Axis, left: float, width: float
) -> None:
    palette = canvas.palette
    if value is None:
        canvas.text(
            left + width / 2 + 4,
            y.at(0) - 4,
            NOT_SHOWN,
            turn=True,
            italic=True,
            size=11.0,
            colour=palette.soft,
        )
        return
    colour = palette.series[row % len(palette.series)]
    top, bottom = sorted((y.at(0), y.at(value)))
    fill = canvas.hatch(row, colour)
    canvas.rect(left + 0.6, top, width - 1.2, bottom - top, fill=fill, stroke=colour)
