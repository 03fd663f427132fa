"""brat standoff: a ``.txt`` and an ``.ann`` file for each text.

``T`` lines are spans (pieces divided by ``;``), ``R`` relations, ``A`` and ``M`` attributes and
``#`` notes on a span, which becomes its attribute `note`. Events, equivalences and
normalisations are counted and left out. Offsets are code points. Ids are per file, so a
span is known as ``<document>:T1``. Source: brat.nlplab.org/standoff.html.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from titian.annotation.formats.complaints import Complaints, shorten
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.source import check_names, files_of, read_text, write_file
from titian.annotation.shapes import Annotation, LabelSet, Relation, Text, TextSpan

FIX = "Correct the line."
_SPAN = re.compile(r"(\S+) (\d{1,12} \d{1,12}(?:;\d{1,12} \d{1,12})*)", re.ASCII)
_ID = re.compile(r"T\d{1,9}", re.ASCII)
_RELATION = re.compile(r"(\S+) \S+?:(T\d{1,9}) \S+?:(T\d{1,9})\s*", re.ASCII)


def read(path: Path) -> LabelSet:
    """Read one ``.ann`` file or those of a folder, each with its text beside it.

    Raises:
        InputError: all that is wrong with them.
    """
    complaints = Complaints(path.name)
    documents: list[Text] = []
    annotations: list[Annotation] = []
    relations: list[Relation] = []
    unread: Counter[str] = Counter()
    for file, name in files_of(path, ".ann"):
        stem = name.removesuffix(".ann")
        # brat counts a byte order mark as a character, so it stays.
        text = read_text(file.with_suffix(".txt"), name=f"{stem}.txt", verbatim=True)
        documents.append(Text(name=stem, text=text))
        inside = Complaints(name)
        found, tied = _lines(read_text(file, name=name), documents[-1], inside, unread)
        annotations += found
        relations += tied
        complaints.take(inside)
    complaints.raise_if_any()
    notes = (f"{n} lines that start with {kind} were not read." for kind, n in unread.items())
    return LabelSet(
        documents=tuple(documents),
        annotations=tuple(annotations),
        relations=tuple(relations),
        notes=tuple(notes),
    )


def _lines(
    text: str, document: Text, complaints: Complaints, unread: Counter[str]
) -> tuple[list[Annotation], list[Relation]]:
    spans: dict[str, Annotation] = {}
    relations: list[tuple[str, str, str, str, str]] = []
    said: list[tuple[str, str, str, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        place = f"line {number}"
        name, _, rest = line.partition("\t")
        match name[:1]:
            case "T":
                span = _span(name, rest, document, place, complaints)
                if name in spans:
                    complaints.add("T-A108", place, f"names a second {name}", FIX)
                if span is not None:
                    spans[name] = span
            case "R":
                tie = _RELATION.fullmatch(rest)
                if tie is None:
                    complaints.add(
                        "T-A109", place, f"{shorten(line)} is not Label Arg1:T1 Arg2:T2", FIX
                    )
                else:
                    relations.append((place, name, tie[1], tie[2], tie[3]))
            case "A" | "M" if len(rest.split(" ", 2)) >= 2:
                key, target, *more = rest.split(" ", 2)
                said.append((place, target, key, " ".join(more)))
            case "#":
                kind, _, words = rest.partition("\t")
                target = kind.split(" ")[-1]
                if _ID.fullmatch(target):
                    said.append((place, target, "note", words))
                else:
                    unread["#"] += 1
            case "E" | "N" | "*":
                unread[name[:1]] += 1
            case _:
                complaints.add("T-A109", place, f"{shorten(line)} is no line of brat", FIX)
    for place, target, key, value in said:
        if target in spans:
            old = spans[target]
            spans[target] = replace(old, attributes={**old.attributes, key: value})
        elif target.startswith(("E", "R")):
            unread["A"] += 1
        else:
            complaints.add(
                "T-A107", place, f"is about {shorten(target)}, which is not here", FIX
            )
    for place, _, _, *ends in relations:
        for end in ends:
            if end not in spans:
                complaints.add("T-A107", place, f"ties {end}, which is not here", FIX)
    tied = [
        Relation(
            label=label,
            source=f"{document.name}:{source}",
            target=f"{document.name}:{target}",
            id=f"{document.name}:{name}",
        )
        for _, name, label, source, target in relations
    ]
    return list(spans.values()), tied


def _span(
    name: str, rest: str, document: Text, place: str, complaints: Complaints
) -> Annotation | None:
    about, _, words = rest.partition("\t")
    match = _SPAN.fullmatch(about)
    if match is None or not _ID.fullmatch(name):
        complaints.add(
            "T-A109", place, f"{shorten(about)} is not a label, a start and an end", FIX
        )
        return None
    pieces = [tuple(map(int, piece.split())) for piece in match[2].split(";")]
    ordered = all(start < end for start, end in pieces) and all(
        before[1] <= after[0] for before, after in pairwise(pieces)
    )
    if not ordered or pieces[-1][1] > len(document.text):
        complaints.add(
            "T-A107",
            place,
            f"{match[2]} is empty, out of order, or outside the text of "
            f"{len(document.text)} characters",
            FIX,
        )
        return None
    covered = " ".join(document.text[start:end] for start, end in pieces)
    if words and _one_line(words) != _one_line(covered):
        complaints.add(
            "T-A107",
            place,
            f"says {shorten(words)}, but the text there is {shorten(_one_line(covered))}",
            "Take the .txt file that the offsets were counted in.",
        )
    gaps = tuple(
        (before[1], after[0]) for before, after in pairwise(pieces) if before[1] < after[0]
    )
    return Annotation(
        document=document.name,
        label=match[1],
        shape=TextSpan(start=pieces[0][0], end=pieces[-1][1], gaps=gaps),
        id=f"{document.name}:{name}",
    )


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\r", " ").replace("\t", " ")


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write a folder.

    Raises:
        InputError: a name is no file name, or a label holds blanks.
    """
    tally = Tally("brat")
    chosen = tally.select(label_set, documents=(Text,), shapes=(TextSpan,))
    files = check_names((d.name for d, _ in chosen), suffix=".ann", target=path.name)
    complaints = Complaints(path.name)
    path.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, tuple[str, str]] = {}
    texts: dict[str, list[str]] = {}
    for document, found in chosen:
        why = "a text is named after its file."
        tally.add("suffixes of names", why, int(bool(PurePosixPath(document.name).suffix)))
        tally.fields(found, "annotator", "group", "score")
        if isinstance(document, Text):
            names = _ids(document.name, found, tally)
            numbers |= {
                a.id: (document.name, n) for a, n in zip(found, names, strict=True) if a.id
            }
            texts[document.name] = _standoff(document, found, names, complaints, tally)
    for order, tie in enumerate(label_set.relations, 1):
        source, target = numbers.get(tie.source), numbers.get(tie.target)
        if source is None or target is None or source[0] != target[0]:
            tally.add("relations", "their ends are not two spans of one text.")
        elif tie.label.split() != [tie.label]:
            tally.add("relations", "their labels hold blanks.")
        else:
            line = f"R{order}\t{tie.label} Arg1:{source[1]} Arg2:{target[1]}"
            texts[source[0]].append(line)
    complaints.raise_if_any()
    for document, _ in chosen:
        if isinstance(document, Text):
            file = files[document.name]
            write_file(path, file, "".join(f"{line}\n" for line in texts[document.name]))
            write_file(path, file.with_suffix(".txt"), document.text)
    return tally.losses()


def _ids(document: str, annotations: list[Annotation], tally: Tally) -> list[str]:
    own = [annotation.id.removeprefix(f"{document}:") for annotation in annotations]
    if all(_ID.fullmatch(name) for name in own) and len(set(own)) == len(own):
        return own
    why = "brat numbers its spans T1, T2 and so on."
    tally.add("ids", why, sum(bool(annotation.id) for annotation in annotations))
    return [f"T{order}" for order in range(1, len(annotations) + 1)]


def _standoff(
    document: Text,
    annotations: list[Annotation],
    names: list[str],
    complaints: Complaints,
    tally: Tally,
) -> list[str]:
    lines: list[str] = []
    count = 0
    for annotation, name in zip(annotations, names, strict=True):
        shape = annotation.shape
        if not isinstance(shape, TextSpan):
            continue
        if annotation.label.split() != [annotation.label]:
            complaints.add(
                "T-A119",
                f"document {document.name!r}",
                f"the label {shorten(annotation.label)} is empty or holds blanks",
                "Rename the label.",
            )
        where = ";".join(f"{start} {end}" for start, end in shape.pieces)
        words = " ".join(document.text[start:end] for start, end in shape.pieces)
        lines.append(f"{name}\t{annotation.label} {where}\t{_one_line(words)}")
        for key, value in annotation.attributes.items():
            count += 1
            plain = "\n" not in value and "\r" not in value
            if key == "note" and plain:
                lines.append(f"#{count}\tAnnotatorNotes {name}\t{value}")
            elif key.split() == [key] and plain and "\t" not in value:
                lines.append(f"A{count}\t{key} {name} {value}".rstrip(" "))
            else:
                tally.add("attributes", "their names or values have no place on a line.")
    return lines
