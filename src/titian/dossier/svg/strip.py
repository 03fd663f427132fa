"""An interval against its bound, small enough for a table's cell."""

from __future__ import annotations

from titian.dossier.svg.axis import Axis
from titian.dossier.svg.canvas import Canvas, Palette

WIDTH = 120.0
HEIGHT = 22.0


def draw_strip(
    palette: Palette,
    *,
    value: float,
    low: float,
    high: float,
    bound: float,
    at_least: bool,
    span: tuple[float, float],
) -> str:
    """Draw the interval, the estimate, and the side of the bound that is asked for."""
    canvas = Canvas(palette, "")
    x = Axis(low=span[0], high=span[1], start=4, end=WIDTH - 4)
    wanted = (x.at(bound), x.end) if at_least else (x.start, x.at(bound))
    middle = HEIGHT / 2
    canvas.rect(
        wanted[0], 3, wanted[1] - wanted[0], HEIGHT - 6, fill=palette.soft, opacity=0.14
    )
    canvas.line(x.at(bound), 1, x.at(bound), HEIGHT - 1, stroke=palette.bound, width=1.6)
    canvas.line(x.at(low), middle, x.at(high), middle, stroke=palette.ink, width=2.0)
    for edge in (low, high):
        canvas.line(
            x.at(edge), middle - 4, x.at(edge), middle + 4, stroke=palette.ink, width=1.6
        )
    canvas.marker("circle", x.at(value), middle, colour=palette.ink, size=3.4)
    return canvas.svg(WIDTH, HEIGHT, label="the interval against its bound")
