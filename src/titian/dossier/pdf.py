"""The content as a PDF, set by typst.

The template is ours; everything else reaches it as data (JSON), so that no text of a project
is ever read as typst markup. Numbers come from references alone, as on the page. Fonts are
those inside typst, so that the bytes do not depend on the machine.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from titian.dossier.content import (
    Block,
    Cell,
    Code,
    Digest,
    Document,
    Facts,
    Fold,
    Gallery,
    Inline,
    Link,
    Paragraph,
    Picture,
    Quote,
    Strip,
    Table,
    as_cell,
)
from titian.dossier.reference import Evidence, Ref
from titian.dossier.svg import PRINT, draw, draw_strip
from titian.errors import EnvironmentFault, Problem
from titian.values import BarFigure, HeatMapFigure, LineFigure, TableFigure

TEMPLATE = Path(__file__).parent / "templates" / "dossier.typ"
Data = dict[str, Any]


def render_pdf(document: Document, evidence: Evidence) -> bytes:
    """Return the PDF; the same arguments give the same bytes.

    Raises:
        InputError: T-R002 a literal number reached the page, T-R003 a reference leads nowhere.
        EnvironmentFault: T-R006, typst refused the pages.
    """
    import typst

    content = json.dumps(_document(document, evidence), ensure_ascii=False)
    try:
        made = typst.compile(
            TEMPLATE.read_bytes(),
            format="pdf",
            sys_inputs={"content": content},
            ignore_system_fonts=True,
            timestamp=_epoch(document.end),
        )
    except (RuntimeError, typst.TypstError) as error:
        raise EnvironmentFault(
            Problem(
                code="T-R006",
                message=f"typst could not set the pages ({error}); it sets any content that "
                "the HTML page shows.",
                remedy="Report this with the dossier's index.html; the other files are whole.",
            )
        ) from error
    if not isinstance(made, bytes):
        raise TypeError("typst gave no single document")
    return made


def _epoch(end: str) -> int:
    """Return the verdict's time as seconds since 1970; 0 where it is not known."""
    try:
        return int(datetime.fromisoformat(end).timestamp())
    except ValueError:
        return 0


def _document(document: Document, evidence: Evidence) -> Data:
    return {
        "title": document.title,
        "purpose": document.purpose,
        "simulated": document.simulated,
        "end": document.end,
        "verdict": document.verdict,
        "version": document.version,
        "outcome": [
            {"word": word, "count": _cell(count, evidence)} for word, count in document.outcome
        ],
        "facts": _facts(document.facts, evidence),
        "sections": [
            {
                "title": section.title,
                "lead": section.lead,
                "blocks": [
                    data for block in section.blocks for data in _block(block, evidence)
                ],
            }
            for section in document.sections
        ],
    }


def _block(block: Block, evidence: Evidence) -> list[Data]:
    match block:
        case Paragraph():
            return [
                {
                    "kind": "paragraph",
                    "style": block.style,
                    "cell": _cell(block.cell, evidence),
                }
            ]
        case Facts():
            return [{"kind": "facts", "rows": _facts(block, evidence)}]
        case Table():
            return [_table(block, evidence)]
        case Picture():
            return [_picture(block, evidence)]
        case Gallery():
            return _pairs([_picture(picture, evidence) for picture in block.pictures])
        case Fold():
            if not block.paper:
                return []
            inner = [data for item in block.blocks for data in _block(item, evidence)]
            return [{"kind": "heading", "text": block.summary}, *inner]


def _pairs(pictures: list[Data]) -> list[Data]:
    """Set small pictures two and two, in order; a large one stands alone."""
    blocks: list[Data] = []
    for picture in pictures:
        last = blocks[-1] if blocks else {}
        if picture["half"] and last.get("kind") == "pair" and len(last["items"]) < 2:
            last["items"].append(picture)
        elif picture["half"]:
            blocks.append({"kind": "pair", "items": [picture]})
        else:
            blocks.append(picture)
    return blocks


def _facts(facts: Facts, evidence: Evidence) -> list[Data]:
    return [{"name": name, "cell": _cell(cell, evidence)} for name, cell in facts.rows]


def _table(table: Table, evidence: Evidence) -> Data:
    return {
        "kind": "table",
        "columns": list(table.columns),
        "rows": [[_cell(cell, evidence) for cell in row] for row in table.rows],
        "numeric": list(table.numeric),
        "widths": list(table.widths) or [1.0] * len(table.columns),
    }


def _picture(picture: Picture, evidence: Evidence) -> Data:
    figure = picture.figure
    data: Data = {
        "kind": "figure",
        "title": figure.title,
        "caption": figure.caption,
        "source": picture.source,
        "half": isinstance(figure, LineFigure | BarFigure | HeatMapFigure),
    }
    if isinstance(figure, TableFigure):
        data["table"] = None if picture.numbers is None else _table(picture.numbers, evidence)
    else:
        data["svg"] = draw(figure, PRINT, "p")
    return data


def _cell(cell: Cell, evidence: Evidence) -> list[Data]:
    return [_inline(part, evidence) for part in as_cell(cell)]


def _inline(part: Inline, evidence: Evidence) -> Data:
    match part:
        case Ref():
            shown = evidence.show(part)
            if shown.value is None:
                return {"kind": "absent", "text": shown.text}
            kind = {"mark": "mark", "caught": "mark", "code": "code"}.get(part.form, "text")
            return {"kind": kind, "text": shown.text}
        case Digest(hex=text, short=short):
            return {"kind": "digest", "text": f"{text[:12]}…" if short else text}
        case Code(text=text):
            return {"kind": "code", "text": text}
        case Quote(text=text) | Link(text=text):
            return {"kind": "text", "text": text}
        case Strip():
            svg = draw_strip(
                PRINT,
                value=part.value,
                low=part.low,
                high=part.high,
                bound=part.bound,
                at_least=part.at_least,
                span=part.span,
            )
            return {"kind": "strip", "svg": svg}
        case str():
            return {"kind": "text", "text": part}
