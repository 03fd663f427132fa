"""The figures of the statements, each with its numbers as a table where they are few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from titian.dossier.content import Block, Cell, Gallery, Picture, Quote, Section, Table
from titian.dossier.reference import Evidence, StatementRef
from titian.errors import InputError, Problem
from titian.values import (
    BarFigure,
    Figure,
    FlowFigure,
    ForestFigure,
    HeatMapFigure,
    ImagesFigure,
    LineFigure,
    Project,
    Requirement,
    TableFigure,
    from_json,
)

_KINDS: dict[str, type[Any]] = {
    "line": LineFigure,
    "bar": BarFigure,
    "forest": ForestFigure,
    "heatmap": HeatMapFigure,
    "table": TableFigure,
    "images": ImagesFigure,
    "flow": FlowFigure,
}

FIRST_STAGE = "validate"
"""Whose figures a reader wants to see before all others."""


def read_figure(item: Mapping[str, Any], where: str) -> Figure:
    """Rebuild a figure from a statement.

    Raises:
        InputError: T-R004, the kind is unknown, or parts of it differ in length.
    """
    try:
        figure: Figure = from_json(_KINDS[item["kind"]], item)
        _check_shape(figure)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            Problem(
                code="T-R004",
                message=f"{where} is no figure ({error!r}); a figure is one of "
                f"{', '.join(_KINDS)}, and its rows, columns and series have equal lengths.",
                remedy="Report this: the stage returned a figure that cannot be drawn.",
            )
        ) from error
    return figure


def figures_section(evidence: Evidence, project: Project) -> Section | None:
    """Return the figures, first what the model can do, then stages from the last back.

    Args:
        evidence: the run's statements.
        project: says whether pictures of single cases may be shown, and the bounds that
            forest plots are drawn against.
    """
    bounds = _bounds(project.requirements)
    case_images = project.dossier.case_images
    drawn: list[Picture] = []
    tables: list[Block] = []
    first = [item for item in evidence.statements if item.stage == FIRST_STAGE]
    others = [item for item in evidence.statements if item.stage != FIRST_STAGE]
    for statement in (*first, *reversed(others)):
        for pointer, item in statement.items("figures"):
            where = f"figure {pointer} of stage {statement.stage!r}"
            figure = read_figure(item, where)
            if isinstance(figure, ImagesFigure) and figure.of_cases and not case_images:
                continue
            if isinstance(figure, ForestFigure) and figure.bound is None:
                figure = replace(figure, bound=bounds.get(figure.x_label))
            picture = Picture(
                ref=statement.at(pointer),
                figure=figure,
                source=statement.stage,
                numbers=_numbers(statement, pointer, figure),
            )
            if isinstance(figure, TableFigure):
                tables.append(picture)
            else:
                drawn.append(picture)
    if not drawn and not tables:
        return None
    return Section(
        id="figures",
        title="Figures",
        lead="Drawn from the statements; each names the stage that holds its points.",
        blocks=(Gallery(pictures=tuple(drawn)), *tables),
    )


def _bounds(requirements: Sequence[Requirement]) -> dict[str, float]:
    """Return the bound of each measure; one that is asked of every group comes first."""
    bounds: dict[str, float] = {}
    for item in sorted(requirements, key=lambda item: not item.for_each):
        bound = item.at_least if item.at_least is not None else item.at_most
        if item.measure is not None and bound is not None:
            bounds.setdefault(item.measure, bound)
    return bounds


def _check_shape(figure: Figure) -> None:
    match figure:
        case LineFigure(series=series):
            for item in series:
                lengths = {len(item.x), len(item.y)} | {
                    len(band) for band in (item.low, item.high) if band
                }
                if len(lengths) != 1 or bool(item.low) != bool(item.high):
                    raise ValueError(f"series {item.label!r} differs in length")
        case BarFigure(categories=columns, series=names, values=values):
            _check_matrix(values, len(names), len(columns))
        case HeatMapFigure(columns=columns, rows=names, values=values):
            _check_matrix(values, len(names), len(columns))
        case TableFigure(columns=columns, rows=rows):
            _check_matrix(rows, len(rows), len(columns))
        case ImagesFigure(labels=labels, png_base64=pictures):
            if len(labels) != len(pictures):
                raise ValueError("labels and pictures differ in number")
        case ForestFigure() | FlowFigure():
            pass


def _check_matrix(values: tuple[tuple[object, ...], ...], rows: int, columns: int) -> None:
    if len(values) != rows or any(len(row) != columns for row in values):
        raise ValueError(f"values are not {rows} rows of {columns}")


def _numbers(statement: StatementRef, pointer: str, figure: Figure) -> Table | None:
    match figure:
        case TableFigure():
            return Table(
                caption=figure.title,
                columns=figure.columns,
                rows=tuple(
                    tuple(
                        statement.at(f"{pointer}/rows/{row}/{column}")
                        for column in range(len(figure.columns))
                    )
                    for row in range(len(figure.rows))
                ),
                numeric=_numeric_columns(figure),
            )
        case ForestFigure():
            return Table(
                caption=f"Numbers of: {figure.title}",
                columns=("group", "row", "estimate", "low", "high", "n"),
                rows=tuple(
                    (
                        statement.at(f"{pointer}/rows/{row}/group"),
                        statement.at(f"{pointer}/rows/{row}/label"),
                        *(
                            statement.at(
                                f"{pointer}/rows/{row}/{name}",
                                form="decimal",
                                beside=figure.bound,
                            )
                            for name in ("value", "low", "high")
                        ),
                        statement.at(f"{pointer}/rows/{row}/n", form="count"),
                    )
                    for row in range(len(figure.rows))
                ),
                numeric=(2, 3, 4, 5),
            )
        case HeatMapFigure():
            return _matrix(statement, pointer, figure.title, figure.rows, figure.columns)
        case BarFigure():
            return _matrix(statement, pointer, figure.title, figure.series, figure.categories)
        case _:
            return None


def _matrix(
    statement: StatementRef,
    pointer: str,
    title: str,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
) -> Table | None:
    """Return the matrix with the longer side down, or None where both sides are long."""
    down, across = (rows, columns) if len(rows) > len(columns) else (columns, rows)
    if len(across) > 12:
        return None
    flipped = down is columns

    def cell(at: int, over: int) -> Cell:
        row, column = (over, at) if flipped else (at, over)
        return statement.at(f"{pointer}/values/{row}/{column}")

    return Table(
        caption=f"Numbers of: {title}",
        columns=("", *across),
        rows=tuple(
            (Quote(text=name), *(cell(at, over) for over in range(len(across))))
            for at, name in enumerate(down)
        ),
        numeric=tuple(range(1, len(across) + 1)),
    )


def _numeric_columns(figure: TableFigure) -> tuple[int, ...]:
    return tuple(
        column
        for column in range(len(figure.columns))
        if figure.rows
        and all(isinstance(row[column], int | float | None) for row in figure.rows)
        and any(row[column] is not None for row in figure.rows)
    )
