"""The content as one HTML file: offline, without a script, for screen and print.

The template prints whatever `finalize` lets through, and that takes references, digests and
words, never a number: a literal in a template's context raises T-R002.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from titian.dossier.content import (
    Code,
    Digest,
    Document,
    Inline,
    Link,
    Picture,
    Quote,
    Strip,
    as_cell,
    literal,
)
from titian.dossier.reference import Evidence, Ref
from titian.dossier.svg import SCREEN, draw, draw_strip
from titian.values import TableFigure

TEMPLATES = Path(__file__).parent / "templates"
# A verdict is told by its sign as well as by its colour.
_SIGNS = {
    "met": "✓",
    "not met": "✕",
    "not shown": "?",
    "caught": "✓",
    "missed": "✕",
    "error": "▲",
    "warning": "◆",
    "info": "●",
}


def render_html(document: Document, evidence: Evidence) -> str:
    """Return the page.

    Raises:
        InputError: T-R002 a literal number reached the page, T-R003 a reference leads nowhere.
    """
    environment = template_environment(evidence)
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - ours
    template = environment.get_template("index.html.j2")
    return template.render(
        document=document,
        style=style,
        draw=_drawer(),
        kind=_kind,
        mark=mark,
        quote=_quote,
        slug=_slug,
        numeric_class=Markup(' class="num"'),
        hidden=Markup(' class="hidden"'),
    )


def template_environment(evidence: Evidence) -> jinja2.Environment:
    """Return the environment in which a number cannot be printed."""

    def finalize(value: object) -> Markup:
        if isinstance(value, Markup):
            return value
        # Every part is escaped where it is made; Markup.format would look at each once more.
        return Markup("".join([_inline(part, evidence) for part in as_cell(value)]))  # noqa: S704

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def mark(word: str) -> Markup:
    """Return a verdict, a severity or an outcome with its sign."""
    sign = _SIGNS.get(word, "•")
    return Markup(  # noqa: S704 - escaped here
        f'<span class="mark {escape(_slug(word))}">'
        f'<span aria-hidden="true">{sign}</span> {escape(word)}</span>'
    )


def _inline(part: Inline, evidence: Evidence) -> str:
    """Return one part of a cell as HTML, escaped."""
    match part:
        case Ref():
            return _reference(part, evidence)
        case Digest(hex=text, short=True):
            return f'<code class="digest" title="{escape(text)}">{escape(text[:12])}…</code>'
        case Digest(hex=text):
            return f'<code class="digest">{escape(text)}</code>'
        case Code(text=text):
            return f"<code>{escape(text)}</code>"
        case Quote(text=text):
            return escape(text)
        case Link(text=text, target=target):
            return f'<a href="#{escape(target)}">{escape(text)}</a>'
        case Strip():
            svg = draw_strip(
                SCREEN,
                value=part.value,
                low=part.low,
                high=part.high,
                bound=part.bound,
                at_least=part.at_least,
                span=part.span,
            )
            return f'<span class="strip" {_place(part.ref)}>{svg}</span>'
        case str():
            return escape(part)


def _reference(ref: Ref, evidence: Evidence) -> str:
    shown = evidence.show(ref)
    place = _place(ref)
    text = escape(shown.text)
    if shown.value is None:
        return f'<span class="absent" {place}>{text}</span>'
    if ref.form in {"mark", "caught"}:
        text = mark(shown.text)
    elif ref.form == "code":
        text = Markup(f"<code>{text}</code>")  # noqa: S704 - escaped above
    # A long text is not said twice: its place says where it stands.
    if len(shown.value) > 40 and shown.value == shown.text:
        return f"<span {place}>{text}</span>"
    title = escape(f"{evidence[ref.statement].stage} {ref.pointer}")
    return f'<data value="{escape(shown.value)}" {place} title="{title}">{text}</data>'


def _place(ref: Ref) -> str:
    return f'data-statement="{escape(ref.statement)}" data-pointer="{escape(ref.pointer)}"'


def _drawer() -> Callable[[Picture], Markup]:
    """Return a function that draws a picture with ids of its own."""
    drawn: list[Picture] = []

    def draw_picture(picture: Picture) -> Markup:
        drawn.append(picture)
        return Markup(draw(picture.figure, SCREEN, f"f{len(drawn)}"))  # noqa: S704 - ours

    return draw_picture


def _kind(block: object) -> str:
    if isinstance(block, Picture) and isinstance(block.figure, TableFigure):
        return "table figure"
    return type(block).__name__.lower()


def _quote(text: object) -> Markup:
    """Escape words that are not ours, whatever they say; a number is still refused."""
    if not isinstance(text, str):
        raise literal(text)
    return escape(text)


def _slug(text: str) -> str:
    return text.replace(" ", "-")
