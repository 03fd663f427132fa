"""Figures of `titian.values` as inline SVG, for the screen and for paper."""

from __future__ import annotations

from titian.dossier.svg.axis import extent
from titian.dossier.svg.bar import draw_bar
from titian.dossier.svg.canvas import PRINT, SCREEN, Palette
from titian.dossier.svg.flow import draw_flow
from titian.dossier.svg.forest import draw_forest
from titian.dossier.svg.heatmap import draw_heatmap
from titian.dossier.svg.images import draw_images
from titian.dossier.svg.line import draw_line
from titian.dossier.svg.strip import draw_strip
from titian.values import (
    BarFigure,
    Figure,
    FlowFigure,
    ForestFigure,
    HeatMapFigure,
    ImagesFigure,
    LineFigure,
)

__all__ = ["PRINT", "SCREEN", "Palette", "draw", "draw_strip", "extent"]


def draw(figure: Figure, palette: Palette, uid: str) -> str:
    """Return one ``svg`` element.

    Args:
        figure: any figure but a table, which the pages set as a table.
        palette: `SCREEN` or `PRINT`.
        uid: prefix of the ids within the drawing, unique on its page.

    Raises:
        TypeError: the figure is a table.
    """
    match figure:
        case LineFigure():
            return draw_line(figure, palette, uid)
        case BarFigure():
            return draw_bar(figure, palette, uid)
        case ForestFigure():
            return draw_forest(figure, palette, uid)
        case HeatMapFigure():
            return draw_heatmap(figure, palette, uid)
        case ImagesFigure():
            return draw_images(figure, palette, uid)
        case FlowFigure():
            return draw_flow(figure, palette, uid)
        case _:
            raise TypeError(f"{figure.name} is a table; a table is set, not drawn")
