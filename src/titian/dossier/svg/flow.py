"""Boxes and arrows: stages down the left side, what passes between them in lanes.

Each box lists what it takes and what it gives, one line each; a lane at the right joins a
giver to its takers. Lanes never share a column while they overlap, so that no two arrows
can be confused, however many boxes there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from titian.dossier.svg.canvas import LINE_PX, MARKERS, Canvas, Palette, text_width, wrap
from titian.values import FlowFigure

_PORT = 20.0
_GAP = 16.0
_LANE = 14.0
_LABEL = 12.0


@dataclass(slots=True, kw_only=True)
class _Wire:
    """One thing that passes from a giver to its takers."""

    label: str
    start: tuple[int, float] = (0, 0.0)
    ends: list[tuple[int, float]] = field(default_factory=list)
    lane: int = 0


def draw_flow(figure: FlowFigure, palette: Palette, uid: str) -> str:
    """Draw the boxes in the order given and a wire per (giver, label)."""
    canvas = Canvas(palette, uid)
    order = {name: at for at, (name, _) in enumerate(figure.nodes)}
    wires: dict[tuple[str, str], _Wire] = {}
    takes: list[list[_Wire]] = [[] for _ in figure.nodes]
    gives: list[list[_Wire]] = [[] for _ in figure.nodes]
    for source, target, label in figure.edges:
        if source not in order or target not in order:
            continue
        wire = wires.get((source, label))
        if wire is None:
            wire = wires[source, label] = _Wire(label=label)
            gives[order[source]].append(wire)
        takes[order[target]].append(wire)
    names = [(wrap(title, 210.0), title) for _, title in figure.nodes]
    box = 28 + max([90.0, *(text_width(line) * 1.06 for lines, _ in names for line in lines)])
    labels = max([0.0, *(text_width(wire.label, _LABEL) for wire in wires.values())])
    y = 2.0
    for at, (lines, _) in enumerate(names):
        ports = len(takes[at]) + len(gives[at])
        height = max(ports * _PORT + 8, len(lines) * LINE_PX + 18)
        canvas.rect(1, y, box, height, fill=palette.paper, stroke=palette.soft, radius=6)
        canvas.lines(1 + box / 2, y + height / 2, lines, anchor="middle", weight="bold")
        port = y + (height - ports * _PORT) / 2 + _PORT / 2
        for wire in takes[at]:
            wire.ends.append((at, port))
            port += _PORT
        for wire in gives[at]:
            wire.start = (at, port)
            port += _PORT
        y += height + _GAP
    lanes = _assign_lanes(list(wires.values()))
    left = 1 + box + 26 + labels + 12
    for at, wire in enumerate(wires.values()):
        _draw(canvas, wire, at, box=1 + box, left=left)
    width = left + _LANE * lanes + 6
    return canvas.svg(width, y - _GAP + 3, label=f"{figure.title}. {figure.caption}")


def _assign_lanes(wires: list[_Wire]) -> int:
    """Give every wire the first lane that is free over its whole height."""
    ends: list[float] = []
    for wire in sorted(wires, key=lambda wire: wire.start[1]):
        heights = [wire.start[1], *(y for _, y in wire.ends)]
        low, high = min(heights), max(heights)
        free = next((at for at, end in enumerate(ends) if end + 4 < low), len(ends))
        ends[free : free + 1] = [high]
        wire.lane = free
    return max(len(ends), 1)


def _draw(canvas: Canvas, wire: _Wire, at: int, *, box: float, left: float) -> None:
    palette = canvas.palette
    colour = palette.series[at % len(palette.series)]
    x = left + _LANE * wire.lane
    heights = [wire.start[1], *(y for _, y in wire.ends)]
    canvas.line(x, min(heights), x, max(heights), stroke=colour, width=1.6)
    text = box + 26
    for y, inward in [(wire.start[1], False), *((y, True) for _, y in wire.ends)]:
        end = text + text_width(wire.label, _LABEL) + 5
        canvas.line(box, y, text - 4, y, stroke=colour, width=1.6)
        canvas.line(end, y, x, y, stroke=colour, width=1.6)
        canvas.text(
            text, y + 4, wire.label, size=_LABEL, colour="" if not inward else palette.soft
        )
        if inward:
            canvas.area(
                [(box + 1, y), (box + 9, y - 4), (box + 9, y + 4)], fill=colour, opacity=1
            )
        else:
            canvas.marker(MARKERS[0], box + 5, y, colour=colour, size=3.4)
        canvas.marker(MARKERS[0], x, y, colour=colour, size=2.2)
