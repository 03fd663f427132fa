"""What a dossier says, before anybody decides how it looks: sections of a few block types.

The HTML page and the PDF walk the same content. A cell holds words, references or digests.
A number is refused, and so is a text that is nothing but a number: `as_cell` raises T-R002.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from titian.dossier.reference import Ref
from titian.errors import InputError, Problem
from titian.values import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A SHA-256 digest; `short` prints twelve digits and keeps the rest as a tooltip."""

    hex: str
    short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A name or a command, set in a fixed-width face."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Words of the project file, whatever they are: a name, a purpose, a column."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A jump to another place of the same page."""

    text: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A small picture of an estimate, its interval and its bound, within a table's row.

    The picture only repeats the numbers beside it; `ref` names the verdict drawn, `span`
    is the range of the axis that all rows of a requirement share.
    """

    ref: Ref
    value: float
    low: float
    high: float
    bound: float
    at_least: bool
    span: tuple[float, float]


Inline: TypeAlias = "str | Ref | Digest | Code | Quote | Link | Strip"
Cell: TypeAlias = "Inline | tuple[Inline, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One paragraph."""

    cell: Cell
    style: str = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a header row.

    Attributes:
        caption: what the table holds.
        columns: column headings.
        rows: cells, one per column.
        numeric: indices of the columns that are set flush right.
        anchors: an id per row, or empty.
        widths: shares of the page's width, for paper.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[int, ...] = ()
    anchors: tuple[str, ...] = ()
    widths: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and what is known about them."""

    rows: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure of a statement, with its numbers as a table where they are few.

    Attributes:
        ref: where the figure stands; None for the flow, which is drawn from all statements.
        figure: the figure.
        source: the stage that drew it, or empty.
        numbers: its numbers, or None; of a table figure, the table.
    """

    ref: Ref | None
    figure: Figure
    source: str
    numbers: Table | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Pictures side by side where there is room."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Blocks that a screen shows on demand; the PDF leaves them out unless `paper`."""

    summary: str
    blocks: tuple[Block, ...]
    paper: bool = False


Block: TypeAlias = "Paragraph | Table | Facts | Picture | Gallery | Fold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, a sentence on what stands here, and the blocks."""

    id: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole dossier.

    Attributes:
        title: the project's name.
        purpose: its intended use.
        outcome: (word, count) of the three verdicts, in the order met, not met, not shown.
        facts: signers and how to verify.
        simulated: whether any data are simulated; every page says so then.
        end: when the verdict was reached, ISO 8601.
        verdict: digest of the verdict statement.
        version: Titian's version.
    """

    title: str
    purpose: str
    outcome: tuple[tuple[str, Ref], ...]
    facts: Facts
    simulated: bool
    sections: tuple[Section, ...]
    end: str
    verdict: str
    version: str


def as_cell(value: object) -> tuple[Inline, ...]:
    """Return a cell as its inlines.

    Raises:
        InputError: T-R002, the cell holds a number or a text that is one.
    """
    if isinstance(value, tuple):
        return tuple(part for item in value for part in as_cell(item))
    if isinstance(value, str):
        if _is_number(value):
            raise literal(value)
        return (value,)
    if isinstance(value, Ref | Digest | Code | Quote | Link | Strip):
        return (value,)
    raise literal(value)


def literal(value: object) -> InputError:
    """Return the refusal of a literal."""
    return InputError(
        Problem(
            code="T-R002",
            message=f"the literal {value!r} would reach a page; every number of a dossier is a "
            "reference to a statement.",
            remedy="Put the number into a statement and hand the page a Ref to it.",
        )
    )


def _is_number(text: str) -> bool:
    try:
        float(text.strip().rstrip("%"))
    except ValueError:
        return False
    return True
