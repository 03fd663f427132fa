"""CoNLL: a token a line with its tag, blank lines between sentences.

The token is the first column and the tag the last: ``B-``, ``I-``, ``O`` (IOB1, IOB2), and
``E-``, ``S-`` (or ``L-``, ``U-``) as BIOES has them. Rules: the text is the tokens with one
blank between, a line for each sentence, since the files hold no blanks; ``-DOCSTART-`` or
``# newdoc id = NAME`` begins a document; an ``I-`` or ``E-`` that continues nothing begins a
span (IOB1) and is counted. IOB2 is written. Source: Tjong Kim Sang and De Meulder (2003).
"""

from __future__ import annotations

import re
from bisect import bisect
from pathlib import Path

from titian.annotation.formats.complaints import Complaints, shorten
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.source import read_text
from titian.annotation.shapes import Annotation, LabelSet, Text, TextSpan

FIX = "Correct the line."
_NEWDOC = re.compile(r"# newdoc id = (.*\S)\s*")
_TAG = re.compile(r"(?P<place>[BIESLU])-(?P<label>\S+)|O")
_TOKEN = re.compile(r"\w+|[^\w\s]")


class _Reading:
    """The documents read so far and the one being read."""

    def __init__(self, complaints: Complaints) -> None:
        self.complaints = complaints
        self.documents: dict[str, Text] = {}
        self.annotations: list[Annotation] = []
        self.begun = 0
        self.name = ""
        self.text: list[str] = []
        self.length = 0
        self.fresh = True  # the next token begins a sentence
        self.open: tuple[str, int, int] | None = None  # label, start, end

    def begin(self, name: str, place: str) -> None:
        self.finish(place)
        self.name = name

    def token(self, word: str, tag: str, place: str) -> None:
        match = _TAG.fullmatch(tag)
        if match is None:
            self.complaints.add(
                "T-A109", place, f"the tag {shorten(tag)} is not O, B-, I-, E- or S-", FIX
            )
            return
        if self.text:
            self.text.append("\n" if self.fresh else " ")
            self.length += 1
        self.fresh = False
        start, self.length = self.length, self.length + len(word)
        self.text.append(word)
        kind, label = match["place"], match["label"]
        if kind is None:
            self.close()
        elif kind in "IEL" and self.open is not None and self.open[0] == label:
            self.open = (label, self.open[1], self.length)
        else:
            self.begun += kind in "IEL"
            self.close()
            self.open = (label, start, self.length)
        if kind is not None and kind in "ESLU":
            self.close()

    def sentence(self) -> None:
        self.close()
        self.fresh = True

    def close(self) -> None:
        if self.open is not None:
            label, start, end = self.open
            name = self.name or f"document-{len(self.documents) + 1}"
            shape = TextSpan(start=start, end=end)
            self.annotations.append(Annotation(document=name, label=label, shape=shape))
            self.open = None

    def finish(self, place: str) -> None:
        self.close()
        if self.text or self.name:
            name = self.name or f"document-{len(self.documents) + 1}"
            if name in self.documents:
                self.complaints.add(
                    "T-A108", place, f"the document before it is a second {name!r}", FIX
                )
            self.documents[name] = Text(name=name, text="".join(self.text))
        self.name, self.text, self.length, self.fresh = "", [], 0, True


def read(path: Path) -> LabelSet:
    """Read one file.

    Raises:
        InputError: all that is wrong with it.
    """
    complaints = Complaints(path.name)
    reading = _Reading(complaints)
    columns = 0
    number = 0
    for number, line in enumerate(read_text(path).split("\n"), 1):
        cells = line.split()
        place = f"line {number}"
        newdoc = _NEWDOC.fullmatch(line)
        if newdoc:
            reading.begin(newdoc[1], place)
        elif not cells:
            reading.sentence()
        elif cells[0] == "-DOCSTART-":
            # Beside a newdoc line it says the same thing twice.
            if reading.text:
                reading.begin("", place)
        else:
            columns = columns or len(cells)
            if len(cells) < 2 or len(cells) != columns:
                complaints.add(
                    "T-A109",
                    place,
                    f"has {len(cells)} columns; the first token has {columns}, and two are "
                    "the fewest",
                    FIX,
                )
                continue
            reading.token(cells[0], cells[-1], place)
    reading.finish(f"line {number}")
    complaints.raise_if_any()
    notes = (f"{reading.begun} spans begin with I- or E- (IOB1).",) if reading.begun else ()
    return LabelSet(
        documents=tuple(reading.documents.values()),
        annotations=tuple(reading.annotations),
        notes=notes,
    )


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write one file; tokens are words and signs, cut where a span begins or ends.

    Raises:
        InputError: a label or a name holds what a line cannot hold.
    """
    tally = Tally("CoNLL")
    chosen = tally.select(label_set, documents=(Text,), shapes=(TextSpan,))
    tally.relations(label_set)
    complaints = Complaints(path.name)
    blocks = []
    for document, found in chosen:
        tally.fields(found, "id", "annotator", "group", "score", "attributes")
        name = document.name
        if not name or name != name.strip() or not name.isprintable():
            complaints.add(
                "T-A119", f"document {name!r}", "its name is not one plain line", "Rename it."
            )
        for annotation in found:
            if annotation.label.split() != [annotation.label]:
                complaints.add(
                    "T-A119",
                    f"document {name!r}",
                    f"the label {shorten(annotation.label)} is empty or holds blanks",
                    "Rename the label.",
                )
        if isinstance(document, Text):
            lines = [f"# newdoc id = {name}", *_tokens(document.text, found, tally)]
            blocks.append("\n".join(lines) + "\n")
    complaints.raise_if_any()
    path.write_text("\n".join(blocks), encoding="utf-8", newline="")
    return tally.losses()


def _tokens(text: str, annotations: list[Annotation], tally: Tally) -> list[str]:
    taken: list[tuple[int, int, str]] = []
    for annotation in annotations:
        shape = annotation.shape
        if not isinstance(shape, TextSpan):
            continue
        tally.add("gaps in spans", "each piece is a span of its own.", len(shape.gaps))
        for start, end in shape.pieces:
            place = bisect(taken, (start, end, ""))
            # The spans taken do not overlap, so only the two neighbours can be in the way.
            near = taken[max(0, place - 1) : place + 1]
            if any(start < stop and begin < end for begin, stop, _ in near):
                tally.add("text spans", "they overlap an earlier one; a token has one tag.")
            elif not text[start:end].strip():
                tally.add("text spans", "they hold no token.")
            else:
                taken.insert(place, (start, end, annotation.label))
    edges = {edge for start, end, _ in taken for edge in (start, end)}
    lines: list[str] = []
    rebuilt: list[str] = []
    offset = span = 0
    for row in text.split("\n"):
        begun = None
        sentence = []
        for start, end in _cut(row, offset, edges):
            while span < len(taken) and taken[span][1] <= start:
                span += 1
            tag = "O"
            if span < len(taken) and taken[span][0] <= start:
                if begun != span and start > _first_token(text, *taken[span][:2]):
                    tally.add("text spans", "cut where their line ends.")
                tag = f"{'I' if begun == span else 'B'}-{taken[span][2]}"
                begun = span
            word = text[start:end]
            lines.append(f"{word}\t{tag}")
            sentence.append(word)
        if sentence:
            lines.append("")
            rebuilt.append(" ".join(sentence))
        offset += len(row) + 1
    tally.add("documents (text)", "their blanks are not kept.", int("\n".join(rebuilt) != text))
    return lines


def _first_token(text: str, start: int, end: int) -> int:
    return start + (end - start) - len(text[start:end].lstrip())


def _cut(row: str, offset: int, edges: set[int]) -> list[tuple[int, int]]:
    """Return the tokens of a line, start and end in the whole text."""
    pieces = []
    for match in _TOKEN.finditer(row):
        start, end = match.start() + offset, match.end() + offset
        for edge in range(start + 1, end):
            if edge in edges:
                pieces.append((start, edge))
                start = edge
        pieces.append((start, end))
    return pieces
