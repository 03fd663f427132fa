"""Drawings: well-formed, nothing beyond the edge, gaps said, told apart without colour."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from titian.dossier.svg import PRINT, SCREEN, draw
from titian.dossier.svg.axis import Axis, extent
from titian.dossier.svg.canvas import text_width, wrap
from titian.values import BarFigure, HeatMapFigure, LineFigure, TableFigure
from titian.values.figure import Series

SVG = "{http://www.w3.org/2000/svg}"


def parsed(figure, palette=PRINT):
    return ET.fromstring(draw(figure, palette, "u"))  # noqa: S314 - our own text


def texts(root):
    return ["".join(item.itertext()) for item in root.iter(f"{SVG}text")]


def assert_within(root):
    """Every text, marker and rectangle lies on the sheet."""
    _, _, width, height = (float(part) for part in root.get("viewBox").split())
    for item in root.iter(f"{SVG}text"):
        if "rotate" in item.get("transform", ""):
            assert 0 <= float(item.get("x")) <= width
            continue
        x, y = float(item.get("x")), float(item.get("y"))
        long = text_width(item.text or "", float(item.get("font-size")))
        before = {"middle": long / 2, "end": long}.get(item.get("text-anchor"), 0.0)
        assert x - before >= -1, item.text
        assert x - before + long <= width + 1, item.text
        assert 0 <= y <= height, item.text
    for item in root.iter(f"{SVG}rect"):
        if item.get("x") is not None:
            assert float(item.get("x")) + float(item.get("width")) <= width + 1
            assert float(item.get("y")) + float(item.get("height")) <= height + 1


def figures(sample):
    drawn = [*sample.validation_figures(), sample.large_forest(60), sample.free_flow()]
    return [item for item in drawn if not isinstance(item, TableFigure)]


@pytest.mark.parametrize("palette", [PRINT, SCREEN], ids=["print", "screen"])
def test_every_kind_is_well_formed_named_and_on_the_sheet(sample, palette):
    for figure in figures(sample):
        root = parsed(figure, palette)
        assert root.get("role") == "img"
        assert root.get("aria-label") == f"{figure.title}. {figure.caption}"
        assert_within(root)


def test_colours_of_the_screen_are_variables_and_those_of_paper_are_fixed(sample):
    for figure in figures(sample):
        assert "var(" not in draw(figure, PRINT, "u")
        assert not re.findall(r'(?:fill|stroke)="#', draw(figure, SCREEN, "u"))


def test_sixty_rows_of_a_forest_are_all_there(sample):
    root = parsed(sample.large_forest(60))
    found = texts(root)
    assert found.count("not shown") == 6
    assert sum(text.startswith("group ") for text in found) == 51
    assert [text for text in found if text.startswith("bound")] == ["bound 0.80"]


def test_unknown_values_are_said():
    bar = BarFigure(
        name="b",
        title="t",
        caption="c",
        y_label="n",
        categories=("a",),
        series=("s",),
        values=((None,),),
    )
    assert "not shown" in texts(parsed(bar))
    heat = HeatMapFigure(
        name="h",
        title="t",
        caption="c",
        x_label="x",
        y_label="y",
        columns=("a",),
        rows=("b",),
        values=((None,),),
    )
    assert "not shown" in texts(parsed(heat))
    line = LineFigure(
        name="l",
        title="t",
        caption="c",
        x_label="x",
        y_label="y",
        series=(Series(label="s", x=(1.0, 2.0), y=(None, None)),),
    )
    assert "not shown" in texts(parsed(line))


def test_a_gap_breaks_the_line():
    whole = Series(label="s", x=(1.0, 2.0, 3.0, 4.0), y=(1.0, 2.0, 2.0, 1.0))
    figure = LineFigure(
        name="l", title="t", caption="c", x_label="x", y_label="y", series=(whole,)
    )
    assert len(list(parsed(figure).iter(f"{SVG}polyline"))) == 1
    gap = replace(figure, series=(replace(whole, y=(1.0, 2.0, None, 1.0)),))
    assert len(list(parsed(gap).iter(f"{SVG}polyline"))) == 2


def test_series_differ_by_dash_and_marker_and_a_reference_takes_no_number():
    def series(label, style="line"):
        return Series(label=label, x=(0.0, 1.0), y=(0.0, 1.0), style=style)

    figure = LineFigure(
        name="l",
        title="t",
        caption="c",
        x_label="x",
        y_label="y",
        series=(series("chance", "reference"), series("a"), series("b"), series("c")),
    )
    lines = list(parsed(figure).iter(f"{SVG}polyline"))
    assert [item.get("stroke-dasharray") for item in lines] == ["4 4", None, "7 4", "2 3"]
    assert lines[1].get("stroke") == PRINT.series[0]


def test_many_short_categories_stand_and_few_lie():
    def figure(count, label):
        names = tuple(f"{label}{at}" for at in range(count))
        return BarFigure(
            name="b",
            title="t",
            caption="c",
            y_label="cases",
            categories=names,
            series=("s", "r"),
            values=(tuple(range(count)), (None,) * count),
        )

    standing = draw(figure(20, "0.1-"), PRINT, "u")
    assert standing.count("rotate(-90") > 20
    assert "rotate" not in draw(figure(5, "0.1-"), PRINT, "u")
    assert "rotate" not in draw(figure(20, "a long name of a hospital "), PRINT, "u")
    assert_within(parsed(figure(20, "0.1-")))


def test_bars_differ_by_their_pattern():
    figure = BarFigure(
        name="b",
        title="t",
        caption="c",
        y_label="n",
        categories=("a",),
        series=("r", "s", "t"),
        values=((1,), (2,), (3,)),
    )
    fills = [
        item.get("fill")
        for item in parsed(figure).iter(f"{SVG}rect")
        if item.get("rx") == "1.5"
    ]
    assert len(set(fills)) == 3
    assert sum(fill.startswith("url(#uh") for fill in fills) == 4


def test_a_table_is_not_drawn(sample):
    table = next(f for f in sample.validation_figures() if isinstance(f, TableFigure))
    with pytest.raises(TypeError, match="thresholds is a table; a table is set, not drawn"):
        draw(table, PRINT, "u")


def test_ticks_are_round_and_within():
    assert Axis(low=0, high=1, start=0, end=100).ticks() == [
        (pytest.approx(at / 5), f"{at / 5:.1f}") for at in range(6)
    ]
    assert [label for _, label in Axis(low=-3, high=7, start=0, end=1).ticks()] == [
        "−2",
        "0",
        "2",
        "4",
        "6",
    ]


@given(
    st.lists(st.none() | st.floats(-1e6, 1e6, allow_nan=False), max_size=6),
)
def test_extent_holds_the_values_and_is_never_empty(values):
    low, high = extent(values)
    assert low < high
    assert all(low <= value <= high for value in values if value is not None)
    ticks = Axis(low=low, high=high, start=0, end=1).ticks()
    assert 1 <= len(ticks) <= 8


@given(st.text(max_size=60), st.floats(30, 300))
def test_wrapping_keeps_the_words_and_the_width(text, width):
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line) <= width for line in lines)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(min_size=1, max_size=50), min_size=1, max_size=12),
    st.data(),
)
def test_any_names_and_values_stay_on_the_sheet(names, data):
    value = st.none() | st.floats(-1e5, 1e5)
    values = data.draw(st.lists(value, min_size=len(names), max_size=len(names)))
    figure = BarFigure(
        name="b",
        title="t",
        caption="c",
        y_label="n",
        categories=tuple(names),
        series=("s",),
        values=(tuple(values),),
    )
    text = draw(figure, PRINT, "u")
    assert text.startswith("<svg ")
    assert "nan" not in re.sub(r"<text.*?</text>", "", text)
