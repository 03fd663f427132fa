"""A sheet to draw on: escaped SVG, text that is measured before it is set, two palettes.

On a screen the colours are CSS variables, so that one drawing serves the light and the dark
theme; on paper they are fixed. Nothing rests on colour alone: series differ by dashes and
markers, bars by hatching.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

FONT_PX = 13.0
LINE_PX = 16.0
DASHES = ("", "7 4", "2 3", "10 3 2 3", "5 2 1 2 1 2", "1 4")
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "ring")

# Widths in em of a plain sans-serif face, on the wide side, so that nothing is clipped.
_NARROW = frozenset("iIljtfr.,:;|!'()[]{}/ ")
_WIDE = frozenset("mwMWGOQ%@—→")


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours by their role."""

    ink: str
    soft: str
    rule: str
    paper: str
    accent: str
    bound: str
    heat: str
    heat_ink: str
    series: tuple[str, ...]
    font: str


SCREEN = Palette(
    ink="var(--ink)",
    soft="var(--soft)",
    rule="var(--rule)",
    paper="var(--paper)",
    accent="var(--s0)",
    bound="var(--s1)",
    heat="var(--s0)",
    heat_ink="var(--heat-ink)",
    series=tuple(f"var(--s{at})" for at in range(6)),
    font="inherit",
)
PRINT = Palette(
    ink="#1a1d21",
    soft="#555c66",
    rule="#d5d9df",
    paper="#ffffff",
    accent="#0b5c94",
    bound="#b3450a",
    heat="#0b5c94",
    heat_ink="#ffffff",
    series=("#0b5c94", "#b3450a", "#0a7a55", "#8b3f80", "#6b5d00", "#3b4a5a"),
    font="Libertinus Serif",
)


def text_width(text: str, size: float = FONT_PX) -> float:
    """Return about how wide a text is, in pixels; rather too much than too little."""
    em = 0.0
    for sign in text:
        if sign in _NARROW:
            em += 0.36
        elif sign in _WIDE:
            em += 0.92
        elif ord(sign) >= 0x2E80:
            em += 1.05
        elif sign.isupper():
            em += 0.73
        else:
            em += 0.635
    return em * size


def wrap(text: str, width: float, size: float = FONT_PX) -> list[str]:
    """Break a text into lines of at most `width` pixels, within a word where it must."""
    lines: list[str] = []
    line = ""
    for word in text.split() or [""]:
        candidate = f"{line} {word}" if line else word
        if text_width(candidate, size) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        line = ""
        for sign in word:
            if line and text_width(line + sign, size) > width:
                lines.append(line)
                line = ""
            line += sign
    return [*lines, line]


class Canvas:
    """Collects the elements of one drawing."""

    def __init__(self, palette: Palette, uid: str) -> None:
        self.palette = palette
        self.uid = uid
        self._parts: list[str] = []
        self._defs: list[str] = []

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        *,
        stroke: str,
        width: float = 1.0,
        dash: str = "",
    ) -> None:
        """Draw a straight line."""
        self._add("line", x1=x1, y1=y1, x2=x2, y2=y2, **_stroke(stroke, width, dash))

    def path(
        self,
        points: Sequence[tuple[float, float]],
        *,
        stroke: str,
        width: float = 1.8,
        dash: str = "",
    ) -> None:
        """Draw a line through points."""
        steps = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        style = _stroke(stroke, width, dash)
        self._add("polyline", points=steps, fill="none", stroke_linejoin="round", **style)

    def area(self, points: Sequence[tuple[float, float]], *, fill: str, opacity: float) -> None:
        """Fill a polygon."""
        steps = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self._add("polygon", points=steps, fill=fill, fill_opacity=opacity)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "none",
        stroke: str = "none",
        opacity: float = 1.0,
        radius: float = 0.0,
    ) -> None:
        """Draw a rectangle."""
        self._add(
            "rect",
            x=x,
            y=y,
            width=max(width, 0.0),
            height=max(height, 0.0),
            fill=fill,
            fill_opacity=opacity,
            stroke=stroke,
            rx=radius,
        )

    def marker(self, shape: str, x: float, y: float, *, colour: str, size: float = 4.0) -> None:
        """Draw one of `MARKERS`."""
        match shape:
            case "circle":
                self._add("circle", cx=x, cy=y, r=size, fill=colour)
            case "ring":
                self._add(
                    "circle",
                    cx=x,
                    cy=y,
                    r=size,
                    fill=self.palette.paper,
                    **_stroke(colour, 1.6),
                )
            case "square":
                self.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8, fill=colour)
            case "triangle":
                tip, foot = y - size * 1.15, y + size * 0.8
                self.area(
                    [(x, tip), (x + size * 1.1, foot), (x - size * 1.1, foot)],
                    fill=colour,
                    opacity=1,
                )
            case "diamond":
                reach = size * 1.25
                self.area(
                    [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)],
                    fill=colour,
                    opacity=1,
                )
            case _:
                self.line(x - size, y - size, x + size, y + size, stroke=colour, width=1.8)
                self.line(x - size, y + size, x + size, y - size, stroke=colour, width=1.8)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = FONT_PX,
        anchor: str = "start",
        colour: str = "",
        weight: str = "normal",
        italic: bool = False,
        turn: bool = False,
    ) -> None:
        """Set one line; `y` is the baseline; `turn` sets it upwards."""
        attributes: dict[str, object] = {
            "x": x,
            "y": y,
            "font_size": size,
            "fill": colour or self.palette.ink,
        }
        if anchor != "start":
            attributes["text_anchor"] = anchor
        if weight != "normal":
            attributes["font_weight"] = weight
        if italic:
            attributes["font_style"] = "italic"
        if turn:
            attributes["transform"] = f"rotate(-90 {_n(x)} {_n(y)})"
        self._parts.append(f"<text{_attributes(attributes)}>{escape(text)}</text>")

    def lines(
        self,
        x: float,
        y: float,
        lines: Sequence[str],
        *,
        size: float = FONT_PX,
        anchor: str = "start",
        colour: str = "",
        weight: str = "normal",
    ) -> None:
        """Set several lines, the block centred on `y`."""
        step = size * LINE_PX / FONT_PX
        top = y - step * (len(lines) - 1) / 2 + size * 0.34
        for at, line in enumerate(lines):
            self.text(
                x,
                top + at * step,
                line,
                size=size,
                anchor=anchor,
                colour=colour,
                weight=weight,
            )

    def image(self, x: float, y: float, width: float, height: float, png_base64: str) -> None:
        """Place a PNG picture."""
        self._add(
            "image",
            x=x,
            y=y,
            width=width,
            height=height,
            href=f"data:image/png;base64,{png_base64}",
        )

    def hatch(self, at: int, colour: str) -> str:
        """Return a fill for the `at`-th series that differs by its pattern."""
        if at % 4 == 0:
            return colour
        name = f"{self.uid}h{at}"
        tile = (
            "",
            '<path d="M0 6L6 0M-1 1L1 -1M5 7L7 5" stroke="{c}" stroke-width="1.6"/>',
            '<circle cx="3" cy="3" r="1.4" fill="{c}"/>',
            '<path d="M0 3H6" stroke="{c}" stroke-width="1.6"/>',
        )[at % 4]
        pattern = (
            f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse">'
            f'<rect width="6" height="6" fill="{self.palette.paper}"/>{tile.format(c=colour)}'
            "</pattern>"
        )
        if pattern not in self._defs:
            self._defs.append(pattern)
        return f"url(#{name})"

    def clip(self, x: float, y: float, width: float, height: float) -> None:
        """Start a group that shows nothing outside a rectangle; end it with `unclip`."""
        name = f"{self.uid}c{len(self._defs)}"
        box = f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"/>'
        self._defs.append(f'<clipPath id="{name}">{box}</clipPath>')
        self._parts.append(f'<g clip-path="url(#{name})">')

    def unclip(self) -> None:
        """End the group that `clip` began."""
        self._parts.append("</g>")

    def svg(self, width: float, height: float, *, label: str) -> str:
        """Return the drawing as one ``svg`` element with an accessible name."""
        defs = f"<defs>{''.join(self._defs)}</defs>" if self._defs else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}"'
            f' width="{_n(width)}" height="{_n(height)}" role="img"'
            f' aria-label="{escape(label)}" font-family="{self.palette.font}">'
            f"{defs}{''.join(self._parts)}</svg>"
        )

    def _add(self, tag: str, **attributes: object) -> None:
        self._parts.append(f"<{tag}{_attributes(attributes)}/>")


def _stroke(colour: str, width: float, dash: str = "") -> dict[str, object]:
    style: dict[str, object] = {"stroke": colour, "stroke_width": width}
    if dash:
        style["stroke_dasharray"] = dash
    return style


def _attributes(attributes: dict[str, object]) -> str:
    return "".join(
        f' {name.replace("_", "-")}="{_written(value)}"' for name, value in attributes.items()
    )


def _written(value: object) -> str:
    return _n(value) if isinstance(value, float) else escape(str(value))


def _n(value: float) -> str:
    """Write a coordinate with one decimal at most: the drawing needs no more."""
    return f"{value:.1f}".removesuffix(".0")
