"""Estimates with intervals, one row a subgroup, against a bound."""

from __future__ import annotations

from titian.dossier.reference import NOT_SHOWN, bound_number, number_text
from titian.dossier.svg.axis import Axis, extent
from titian.dossier.svg.canvas import LINE_PX, Canvas, Palette, text_width, wrap
from titian.values import ForestFigure
from titian.values.figure import ForestRow

WIDTH = 760.0
_ROW = 24.0
_END = 8.0


def draw_forest(figure: ForestFigure, palette: Palette, uid: str) -> str:
    """Draw a row per subgroup: name, interval, numbers, n.

    A row whose interval lies wholly on one side of the bound has a filled square; one whose
    interval holds the bound has a ring; an unknown one says *not shown*.
    """
    canvas = Canvas(palette, uid)
    numbers = [_numbers(row, figure.bound) for row in figure.rows]
    counts = [number_text(row.n, form="count") for row in figure.rows]
    label_width = min(max([60.0, *(text_width(row.label) + 22 for row in figure.rows)]), 230.0)
    number_width = max([text_width(f"{NOT_SHOWN}  "), *(text_width(text) for text in numbers)])
    count_width = max([24.0, *(text_width(text) for text in counts)]) + 10
    known = [value for row in figure.rows for value in (row.value, row.low, row.high)]
    low, high = extent([*known, figure.bound], figure.x_range)
    x = Axis(
        low=low, high=high, start=label_width + 10, end=WIDTH - number_width - count_width - 24
    )
    y = 24.0
    _heads(canvas, count_width)
    start, group = y, ""
    for row, text, count in zip(figure.rows, numbers, counts, strict=True):
        if row.group != group:
            group = row.group
            for line in wrap(group, WIDTH - 20):
                canvas.text(4, y + 16, line, weight="bold")
                y += _ROW
        lines = wrap(row.label, label_width - 20)
        height = max(_ROW, LINE_PX * len(lines) + 6)
        middle = y + height / 2
        canvas.lines(16, middle, lines)
        _interval(canvas, row, x, middle, figure.bound)
        canvas.text(
            WIDTH - count_width - 8,
            middle + 4.4,
            text,
            anchor="end",
            italic=text == NOT_SHOWN,
            colour=palette.soft if text == NOT_SHOWN else "",
        )
        canvas.text(WIDTH - 4, middle + 4.4, count, anchor="end", colour=palette.soft)
        y += height
    y = _axis(canvas, figure, x, start, y)
    return canvas.svg(WIDTH, y, label=f"{figure.title}. {figure.caption}")


def _numbers(row: ForestRow, bound: float | None) -> str:
    if row.value is None:
        return NOT_SHOWN
    value = number_text(row.value, beside=bound)
    if row.low is None or row.high is None:
        return f"{value} ({NOT_SHOWN})"
    low, high = number_text(row.low, beside=bound), number_text(row.high, beside=bound)
    return f"{value} ({low} to {high})"


def _heads(canvas: Canvas, count_width: float) -> None:
    soft = canvas.palette.soft
    canvas.text(4, 14, "group", colour=soft)
    canvas.text(WIDTH - count_width - 8, 14, "estimate (interval)", anchor="end", colour=soft)
    canvas.text(WIDTH - 4, 14, "n", anchor="end", colour=soft)
    canvas.line(0, 21, WIDTH, 21, stroke=canvas.palette.rule)


def _interval(canvas: Canvas, row: ForestRow, x: Axis, y: float, bound: float | None) -> None:
    palette = canvas.palette
    canvas.line(x.start, y, x.end, y, stroke=palette.rule, dash="1 3")
    if row.value is None:
        return
    settled = True
    if row.low is not None and row.high is not None:
        settled = bound is None or not row.low <= bound <= row.high
        left, right = (min(max(x.at(end), x.start), x.end) for end in (row.low, row.high))
        canvas.line(left, y, right, y, stroke=palette.ink, width=1.8)
        for edge, value, sign in ((left, row.low, 1), (right, row.high, -1)):
            if x.low <= value <= x.high:
                canvas.line(edge, y - 4, edge, y + 4, stroke=palette.ink, width=1.8)
            else:  # the interval goes on beyond the axis
                canvas.path(
                    [(edge + 5 * sign, y - 4), (edge, y), (edge + 5 * sign, y + 4)],
                    stroke=palette.ink,
                    width=1.6,
                )
    if x.low <= row.value <= x.high:
        shape = "square" if settled else "ring"
        canvas.marker(shape, x.at(row.value), y, colour=palette.accent, size=4.6)


def _axis(canvas: Canvas, figure: ForestFigure, x: Axis, top: float, bottom: float) -> float:
    palette = canvas.palette
    canvas.line(x.start, bottom + _END, x.end, bottom + _END, stroke=palette.soft)
    for value, label in x.ticks():
        px = x.at(value)
        canvas.line(px, bottom + _END, px, bottom + _END + 5, stroke=palette.soft)
        canvas.text(px, bottom + _END + 20, label, anchor="middle", colour=palette.soft)
    y = bottom + _END + 40
    for line in wrap(figure.x_label, WIDTH - 40):
        half = text_width(line) / 2
        middle = min(max((x.start + x.end) / 2, half + 4), WIDTH - half - 4)
        canvas.text(middle, y, line, anchor="middle")
        y += LINE_PX
    if figure.bound is not None and x.low <= figure.bound <= x.high:
        px = x.at(figure.bound)
        canvas.line(px, top - 2, px, bottom + _END, stroke=palette.bound, width=1.6, dash="6 3")
        name = f"bound {bound_number(figure.bound)}"
        half = text_width(name) / 2
        canvas.text(
            min(max(px, half), WIDTH - half), 14, name, anchor="middle", colour=palette.bound
        )
    return y
