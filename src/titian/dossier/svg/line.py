"""Curves over a common axis, with bands and reference lines."""

from __future__ import annotations

from itertools import count, groupby

from titian.dossier.reference import NOT_SHOWN
from titian.dossier.svg.axis import Axis, extent
from titian.dossier.svg.canvas import (
    DASHES,
    FONT_PX,
    LINE_PX,
    MARKERS,
    Canvas,
    Palette,
    text_width,
    wrap,
)
from titian.values import LineFigure
from titian.values.figure import Series

WIDTH = 460.0
_RIGHT = 18.0
_SAMPLE = 34.0


def draw_line(figure: LineFigure, palette: Palette, uid: str) -> str:
    """Draw the curves; a gap stays a gap, a series without values is named *not shown*."""
    canvas = Canvas(palette, uid)
    xs = extent((x for series in figure.series for x in series.x), figure.x_range)
    ys = extent(
        (y for series in figure.series for y in (*series.y, *series.low, *series.high)),
        figure.y_range,
    )
    square = xs == ys == (0.0, 1.0)
    legend_height = _legend(canvas, figure.series)
    probe = Axis(low=ys[0], high=ys[1], start=1, end=0)
    left = 34.0 + max((text_width(label) for _, label in probe.ticks()), default=0.0)
    top = legend_height + 12
    height = (WIDTH - left - _RIGHT) * (0.86 if square else 0.56)
    x = Axis(low=xs[0], high=xs[1], start=left, end=WIDTH - _RIGHT)
    y = Axis(low=ys[0], high=ys[1], start=top + height, end=top)
    bottom = _frame(canvas, figure, x, y)
    canvas.clip(left - 5, top - 5, WIDTH - left - _RIGHT + 10, height + 10)
    for at, series in _numbered(figure.series):
        _series(canvas, series, at, x, y)
    canvas.unclip()
    if not any(value is not None for series in figure.series for value in series.y):
        middle = (left + WIDTH - _RIGHT) / 2
        canvas.text(
            middle,
            top + height / 2,
            NOT_SHOWN,
            anchor="middle",
            italic=True,
            colour=palette.soft,
        )
    return canvas.svg(WIDTH, bottom, label=f"{figure.title}. {figure.caption}")


def _frame(canvas: Canvas, figure: LineFigure, x: Axis, y: Axis) -> float:
    palette = canvas.palette
    for value, label in y.ticks():
        canvas.line(x.start, y.at(value), x.end, y.at(value), stroke=palette.rule)
        canvas.text(x.start - 8, y.at(value) + 4.4, label, anchor="end", colour=palette.soft)
    for value, label in x.ticks(6):
        canvas.line(x.at(value), y.start, x.at(value), y.start + 5, stroke=palette.soft)
        canvas.text(x.at(value), y.start + 20, label, anchor="middle", colour=palette.soft)
    canvas.line(x.start, y.start, x.end, y.start, stroke=palette.soft)
    name = wrap(figure.x_label, x.end - x.start)
    for at, line in enumerate(name):
        canvas.text((x.start + x.end) / 2, y.start + 40 + at * LINE_PX, line, anchor="middle")
    for at, line in enumerate(wrap(figure.y_label, y.start - y.end)[:1]):
        canvas.text(
            FONT_PX + at * LINE_PX, (y.start + y.end) / 2, line, anchor="middle", turn=True
        )
    return y.start + 40 + (len(name) - 1) * LINE_PX + 8


def _legend(canvas: Canvas, series: tuple[Series, ...]) -> float:
    """Set the legend's entries in rows and return their height."""
    if len(series) < 2 and not any(item.style == "reference" for item in series):
        return 0.0
    x, y = 4.0, 12.0
    for at, item in _numbered(series):
        label = item.label
        if not any(value is not None for value in item.y):
            label += f" ({NOT_SHOWN})"
        lines = wrap(label, WIDTH - _SAMPLE - 12)
        width = _SAMPLE + 8 + max(text_width(line) for line in lines) + 16
        if x > 4.0 and x + width > WIDTH:
            x, y = 4.0, y + LINE_PX + 4
        _sample(canvas, item, at, x, y)
        for row, line in enumerate(lines):
            canvas.text(x + _SAMPLE + 8, y + 4.4 + row * LINE_PX, line)
        x += width
        if len(lines) > 1:
            x, y = WIDTH, y + LINE_PX * (len(lines) - 1)
    return y + 10


def _numbered(series: tuple[Series, ...]) -> list[tuple[int, Series]]:
    """Number the curves; reference lines have a look of their own and take no number."""
    numbers = count()
    return [(0 if item.style == "reference" else next(numbers), item) for item in series]


def _sample(canvas: Canvas, item: Series, at: int, x: float, y: float) -> None:
    colour, dash = _look(canvas, item, at)
    if item.low and item.style == "dots":
        canvas.line(x + _SAMPLE / 2, y - 8, x + _SAMPLE / 2, y + 8, stroke=colour, width=1.4)
    elif item.low and item.style != "reference":
        canvas.rect(x, y - 6, _SAMPLE, 12, fill=colour, opacity=0.16)
    if item.style != "dots":
        width = 1.2 if item.style == "reference" else 2.0
        canvas.line(x, y, x + _SAMPLE, y, stroke=colour, width=width, dash=dash)
    if item.style != "reference":
        canvas.marker(MARKERS[at % len(MARKERS)], x + _SAMPLE / 2, y, colour=colour)


def _look(canvas: Canvas, item: Series, at: int) -> tuple[str, str]:
    if item.style == "reference":
        return canvas.palette.soft, "4 4"
    series = canvas.palette.series
    return series[at % len(series)], DASHES[at % len(DASHES)]


def _series(canvas: Canvas, item: Series, at: int, x: Axis, y: Axis) -> None:
    colour, dash = _look(canvas, item, at)
    if item.low and item.high:
        band = [
            (x.at(a), y.at(low), y.at(high))
            for a, low, high in zip(item.x, item.low, item.high, strict=True)
            if low is not None and high is not None
        ]
        if item.style == "dots":
            for px, low_px, high_px in band:
                canvas.line(px, low_px, px, high_px, stroke=colour, width=1.4)
        elif len(band) > 1:
            edge = [(px, py) for px, py, _ in band] + [(px, py) for px, _, py in reversed(band)]
            canvas.area(edge, fill=colour, opacity=0.16)
    runs = [
        [(x.at(a), y.at(b)) for a, b in run if b is not None]
        for known, run in groupby(
            zip(item.x, item.y, strict=True), key=lambda pair: pair[1] is not None
        )
        if known
    ]
    for run in runs:
        if item.style == "dots":
            for px, py in run:
                canvas.marker(MARKERS[at % len(MARKERS)], px, py, colour=colour)
            continue
        points = _steps(run) if item.style == "step" else run
        width = 1.2 if item.style == "reference" else 2.0
        canvas.path(points, stroke=colour, width=width, dash=dash)
        if item.style != "reference":
            _mark(canvas, run, at, colour)


def _mark(canvas: Canvas, run: list[tuple[float, float]], at: int, colour: str) -> None:
    """Put a few markers along a line, shifted from series to series so that they part."""
    stride = max(len(run) // 6, 1)
    for px, py in run[(at * stride // 3) % stride :: stride]:
        canvas.marker(MARKERS[at % len(MARKERS)], px, py, colour=colour, size=3.4)


def _steps(run: list[tuple[float, float]]) -> list[tuple[float, float]]:
    points = run[:1]
    for px, py in run[1:]:
        points += [(px, points[-1][1]), (px, py)]
    return points
