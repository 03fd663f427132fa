"""Pictures as values: a closed set that any stage returns and the dossier draws.

A figure's numbers stand in the stage's statement, so that a reader can trace each one.
Keep a figure small (a curve of at most 200 points). Missing values are None and are
drawn as *not shown*. Every figure has `caption`: one sentence on what to look for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, with an optional band.

    Attributes:
        label: name in the legend.
        x: abscissas.
        y: ordinates, same length; None leaves a gap.
        low: lower edge of a band, same length, or empty.
        high: upper edge of a band, same length, or empty.
        style: ``line``, ``step``, ``dots`` or ``reference`` (thin and dashed).
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    style: str = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFigure:
    """Curves over a common axis: ROC, reliability, learning curves."""

    name: str
    title: str
    caption: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    kind: str = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarFigure:
    """Counts or values per category, one tuple of values per series."""

    name: str
    title: str
    caption: str
    y_label: str
    categories: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    kind: str = "bar"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """One row of a forest plot; `group` is a heading such as ``sex``."""

    group: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestFigure:
    """Estimates with intervals, one row a subgroup, against a bound."""

    name: str
    title: str
    caption: str
    x_label: str
    rows: tuple[ForestRow, ...]
    bound: float | None = None
    x_range: tuple[float, float] | None = None
    kind: str = "forest"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMapFigure:
    """A matrix of numbers with named rows and columns: a confusion matrix."""

    name: str
    title: str
    caption: str
    x_label: str
    y_label: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    kind: str = "heatmap"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFigure:
    """Rows of text and numbers."""

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]
    kind: str = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesFigure:
    """PNG pictures as base64 text; shown only where the project allows case images."""

    name: str
    title: str
    caption: str
    labels: tuple[str, ...]
    png_base64: tuple[str, ...]
    of_cases: bool = True
    kind: str = "images"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFigure:
    """Boxes and arrows; an edge is (from, to, label) over node names."""

    name: str
    title: str
    caption: str
    nodes: tuple[tuple[str, str], ...]
    edges: tuple[tuple[str, str, str], ...]
    kind: str = "flow"


Figure: TypeAlias = (
    LineFigure
    | BarFigure
    | ForestFigure
    | HeatMapFigure
    | TableFigure
    | ImagesFigure
    | FlowFigure
)
