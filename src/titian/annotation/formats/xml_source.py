"""XML from outside, read safely: no document types, no entities, bounded depth.

Python's parser expands what a document type declares, which can fill the memory from a
few lines (*billion laughs*) or read local files; a document with one is refused outright.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from titian.annotation.formats.complaints import (
    Complaints,
    number_of,
    refusal,
    shorten,
    whole_of,
)
from titian.annotation.shapes import LabelSet

MOST_DEPTH = 64

_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Element:
    """An element that knows its line and complains by itself."""

    __slots__ = ("attributes", "children", "complaints", "line", "tag", "words")

    def __init__(
        self, tag: str, attributes: dict[str, str], line: int, complaints: Complaints
    ) -> None:
        self.tag = tag
        self.attributes = attributes
        self.line = line
        self.complaints = complaints
        self.children: list[Element] = []
        self.words: list[str] = []

    @property
    def content(self) -> str:
        """Its text, without blanks around it."""
        return "".join(self.words).strip()

    def complain(self, what: str, *, code: str = "T-A107", remedy: str = "Correct it.") -> None:
        """Note a problem with this element."""
        self.complaints.add(code, f"line {self.line}, <{self.tag}>", what, remedy)

    def all(self, tag: str) -> Iterator[Element]:
        """Go through its children of one name."""
        return (child for child in self.children if child.tag == tag)

    def find(self, tag: str) -> Element | None:
        """Return its first child of a name."""
        return next(self.all(tag), None)

    def child(self, tag: str) -> Element:
        """Return its first child of a name, or an empty stand-in."""
        found = self.find(tag)
        if found is None:
            self.complain(f"has no <{tag}>", code="T-A105", remedy="Add it.")
            return Element(tag, {}, self.line, Complaints(""))
        return found

    def inner(self, tag: str) -> str:
        """Return the text of a child, or ``""`` where there is none."""
        found = self.find(tag)
        return "" if found is None else found.content

    def own(self, name: str) -> str:
        """Return an attribute that must be there."""
        if name in self.attributes:
            return self.attributes[name]
        self.complain(f"has no attribute {name}", code="T-A105", remedy="Add it.")
        return ""

    def number(self, name: str) -> float:
        """Return an attribute that is a finite number."""
        return self._number(self.attributes.get(name), f"attribute {name}")

    def whole(self, name: str, *, least: int = 0) -> int:
        """Return an attribute that is a whole number."""
        return self._whole(self.attributes.get(name), f"attribute {name}", least)

    def number_inside(self, tag: str) -> float:
        """Return the number that a child holds."""
        found = self.child(tag)
        return found._number(found.content, "its text")  # noqa: SLF001 - its own class

    def whole_inside(self, tag: str, *, least: int = 0) -> int:
        """Return the whole number that a child holds."""
        found = self.child(tag)
        return found._whole(found.content, "its text", least)  # noqa: SLF001 - its own class

    def _number(self, text: str | None, what: str) -> float:
        number = None if text is None else number_of(text.strip())
        if number is None:
            self._wrong(text, what, "a finite number")
        return number or 0.0

    def _whole(self, text: str | None, what: str, least: int) -> int:
        number = None if text is None else whole_of(text.strip())
        if number is None:
            self._wrong(text, what, "a whole number")
            return least
        if number < least:
            self.complain(f"{what} is {number}; at least {least} is needed")
            return least
        return number

    def _wrong(self, text: str | None, what: str, wanted: str) -> None:
        if text is None:
            self.complain(
                f"{what} is missing; {wanted} is needed", code="T-A105", remedy="Add it."
            )
        else:
            self.complain(f"{what} is {shorten(text)}, not {wanted}", code="T-A106")


def parse_xml(data: bytes, *, root: str, complaints: Complaints) -> Element:
    """Parse a document whose outermost element is `root`.

    Raises:
        InputError: it is not well-formed, declares a document type, is nested deeper than
            `MOST_DEPTH`, or is another kind of document.
    """
    parser = expat.ParserCreate()
    top = Element("", {}, 0, complaints)
    open_elements = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > MOST_DEPTH:
            raise _Refused(f"is nested deeper than {MOST_DEPTH} elements")
        element = Element(tag, attributes, parser.CurrentLineNumber, complaints)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_tag: str) -> None:
        open_elements.pop()

    def words(text: str) -> None:
        open_elements[-1].words.append(text)

    def doctype(*_: object) -> None:
        raise _Refused("declares a document type, which could expand without bounds")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = words
    parser.StartDoctypeDeclHandler = doctype
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        what = f"line {error.lineno}, column {error.offset + 1}: is not XML ({reason})"
    except _Refused as error:
        what = f"line {parser.CurrentLineNumber}: {error}"
    except (LookupError, ValueError, UnicodeError):
        what = "is in an encoding that is not known; XML here is UTF-8"
    else:
        if top.children[0].tag == root:
            return top.children[0]
        what = f"its outermost element is <{top.children[0].tag}>, not <{root}>"
    raise refusal("T-A104", complaints.file, what, "Export the file again.")


class _Refused(Exception):
    """Well-formed, but not taken."""


def render(
    tag: str,
    attributes: dict[str, object] | None = None,
    *inner: str,
    text: str = "",
) -> str:
    """Write one element; `inner` are elements already written.

    Raises:
        ValueError: a text holds a character that XML cannot hold; see `check_characters`.
    """
    written = "".join(f' {k}="{_quote(str(v))}"' for k, v in (attributes or {}).items())
    if not inner:
        body = _escape(text)
        return f"<{tag}{written}>{body}</{tag}>" if body else f"<{tag}{written}/>"
    lines = "\n".join(f"  {line}" for part in inner for line in part.split("\n"))
    return f"<{tag}{written}>\n{lines}\n</{tag}>"


def unwritable(text: str) -> bool:
    """Say whether a text holds a character that XML 1.0 cannot hold."""
    return bool(_FORBIDDEN.search(text))


def _escape(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Line ends as references, or a reader would change \r and the indentation would break \n.
    return text.replace("\r", "&#13;").replace("\n", "&#10;")


def _quote(text: str) -> str:
    return _escape(text).replace('"', "&quot;").replace("\t", "&#9;")


def is_tag(text: str) -> bool:
    """Say whether a text is a plain name of an element."""
    return bool(_TAG.fullmatch(text))


def check_writable(label_set: LabelSet, *, target: str, trimmed: bool = False) -> None:
    """Make sure that XML can hold every text of a set.

    Args:
        label_set: what is to be written.
        target: file name, for messages.
        trimmed: texts lie between tags, where blanks around them are not kept.

    Raises:
        InputError: a text holds a control character, or blanks around it that matter.
    """
    complaints = Complaints(target)
    texts = {document.name for document in label_set.documents}
    for annotation in label_set.annotations:
        texts |= {annotation.label, annotation.id, annotation.annotator, annotation.group}
        texts |= {*annotation.attributes, *annotation.attributes.values()}
    for text in sorted(texts):
        if unwritable(text):
            complaints.add(
                "T-A119", shorten(text), "holds a character that XML cannot hold", "Rename it."
            )
    names = {annotation.label for annotation in label_set.annotations}
    names |= {document.name for document in label_set.documents}
    for text in sorted(names) if trimmed else ():
        if text != text.strip() or not text:
            complaints.add(
                "T-A119",
                shorten(text),
                "is empty or has blanks around it, which XML drops",
                "Rename it.",
            )
    complaints.raise_if_any()
