"""spaCy and Prodigy JSONL: one text a line, with spans and categories.

A line is Prodigy's object (`text`, `spans`, `cats`, `accept`, `label`, `answer`, `meta`) or
spaCy's pair ``[text, {"entities": [[start, end, label]], "cats": {...}}]``. Offsets are code
points. Rules: a document is named by `meta.name` or its line; lines of one name and text are
one document, as several annotators leave it (`_annotator_id`); a line whose answer is not
`accept` gives a document without annotations and a note; a category of value 0 is not given.
Source: prodi.gy/docs/api-interfaces, spacy.io/api/data-formats.
"""

from __future__ import annotations

import json
from pathlib import Path

from titian.annotation.formats.complaints import Complaints, plain
from titian.annotation.formats.json_source import Node, parse_json
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.source import read_text
from titian.annotation.shapes import (
    Annotation,
    Classification,
    LabelClass,
    LabelSet,
    Text,
    TextSpan,
)
from titian.errors import InputError


def read(path: Path) -> LabelSet:
    """Read one file.

    Raises:
        InputError: all that is wrong with it.
    """
    complaints = Complaints(path.name)
    documents: dict[str, Text] = {}
    annotations: list[Annotation] = []
    classes: dict[str, LabelClass] = {}
    refused = relations = 0
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = parse_json(line, name=path.name, line=number)
        except InputError as error:
            complaints.problems.extend(error.problems)
            continue
        node = _object(Node(value, f"line {number}, $", complaints))
        name = _name(node, number)
        text = node["text"].text()
        known = documents.setdefault(name, Text(name=name, text=text))
        if known.text != text:
            node.complain(
                f"has the name {name!r} of an earlier line, but another text", code="T-A108"
            )
        if node.has("relations") and isinstance(node["relations"].value, list):
            relations += len(node["relations"].value)
        found = _annotations(node, known, classes)
        answer = node["answer"].text() if node.has("answer") else "accept"
        if answer == "accept":
            annotations += found
            for annotation in found:
                classes.setdefault(annotation.label, LabelClass(name=annotation.label))
        else:
            refused += 1
    complaints.raise_if_any()
    notes = []
    if refused:
        notes.append(f"{refused} lines were not accepted; their annotations were not read.")
    if relations:
        notes.append(f"{relations} relations between tokens were not read.")
    return LabelSet(
        documents=tuple(documents.values()),
        annotations=tuple(annotations),
        classes=tuple(classes.values()),
        notes=tuple(notes),
    )


def _object(node: Node) -> Node:
    """Turn spaCy's pair into an object, keeping what it says."""
    if not isinstance(node.value, list):
        return node.object()
    if len(node.value) != 2 or not isinstance(node.value[1], dict):
        node.complain("is no pair of a text and an object", code="T-A106")
        return Node({"text": ""}, node.path, Complaints(""))
    fields = node.value[1]
    spans = []
    for item in node[1]["entities"].items() if node[1].has("entities") else ():
        if not isinstance(item.value, list) or len(item.value) < 3:
            item.complain("is no start, end and label", code="T-A106")
            continue
        spans.append(dict(zip(("start", "end", "label"), item.value[:3], strict=True)))
    value = {"text": node.value[0], "spans": spans, "cats": fields.get("cats")}
    return Node(value, node.path, node.complaints)


def _name(node: Node, number: int) -> str:
    if node.has("meta") and isinstance(node["meta"].value, dict) and node["meta"].has("name"):
        return node["meta"]["name"].label()
    return f"line-{number}"


def _annotations(node: Node, text: Text, classes: dict[str, LabelClass]) -> list[Annotation]:
    annotator = node["_annotator_id"].text() if node.has("_annotator_id") else ""
    found = []
    for span in node["spans"].items() if node.has("spans") else ():
        span = span.object()
        found.append(
            Annotation(
                document=text.name,
                label=span["label"].text(),
                shape=TextSpan(
                    start=span["start"].whole(least=0), end=span["end"].whole(least=0)
                ),
                id=span["id"].text() if span.has("id") else "",
                annotator=annotator,
                score=span["score"].number() if span.has("score") else None,
                group=span["group"].text() if span.has("group") else "",
                attributes=span["attributes"].texts() if span.has("attributes") else {},
            )
        )
    given: dict[str, float | None] = {}
    if node.has("cats"):
        for label in node["cats"].object().keys():  # noqa: SIM118 - a Node is no dict
            value = node["cats"][label]
            share = float(value.value) if isinstance(value.value, bool) else value.number()
            classes.setdefault(label, LabelClass(name=label))
            if share:
                given[label] = None if share == 1 else share
    for choice in node["accept"].items() if node.has("accept") else ():
        given.setdefault(choice.text(), None)
    if node.has("label") and not node.has("spans"):
        given.setdefault(node["label"].text(), None)
    return found + [
        Annotation(
            document=text.name,
            label=label,
            shape=Classification(),
            annotator=annotator,
            score=score,
        )
        for label, score in given.items()
    ]


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write one file, a line for each document and annotator of it."""
    tally = Tally("spaCy JSONL")
    chosen = tally.select(label_set, documents=(Text,), shapes=(TextSpan, Classification))
    tally.relations(label_set)
    lines = []
    for document, found in chosen:
        if not isinstance(document, Text):
            continue
        annotators = dict.fromkeys(a.annotator for a in found) or {"": None}
        for annotator in annotators:
            own = [a for a in found if a.annotator == annotator]
            line = _line(document, own, tally)
            if annotator:
                line["_annotator_id"] = annotator
            lines.append(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
    path.write_text("".join(lines), encoding="utf-8", newline="")
    return tally.losses()


def _line(document: Text, annotations: list[Annotation], tally: Tally) -> dict[str, object]:
    spans: list[dict[str, object]] = []
    cats: dict[str, float] = {}
    for annotation in annotations:
        match annotation.shape:
            case TextSpan() as shape:
                tally.add(
                    "gaps in spans",
                    "spans have none here; each piece is a span of its own.",
                    len(shape.gaps),
                )
                spans += [_span(annotation, start, end) for start, end in shape.pieces]
            case Classification(question=question):
                if annotation.label in cats or annotation.score == 0:
                    tally.add(
                        "annotations (classification)",
                        "a category is given once a line, and 0 means it is not given.",
                    )
                    continue
                cats[annotation.label] = 1.0 if annotation.score is None else annotation.score
                tally.add("questions", "a category has none here.", int(bool(question)))
                tally.fields([annotation], "id", "group", "attributes")
                tally.add("scores of 1", "1 is a plain yes.", int(annotation.score == 1))
            case _:  # the selection has left these out
                pass
    line: dict[str, object] = {"text": document.text, "meta": {"name": document.name}}
    line["spans"] = spans
    if cats:
        line["cats"] = {label: plain(share) for label, share in cats.items()}
    return line | {"answer": "accept"}


def _span(annotation: Annotation, start: int, end: int) -> dict[str, object]:
    span: dict[str, object] = {"start": start, "end": end, "label": annotation.label}
    if annotation.id:
        span["id"] = annotation.id
    if annotation.score is not None:
        span["score"] = plain(annotation.score)
    if annotation.group:
        span["group"] = annotation.group
    if annotation.attributes:
        span["attributes"] = dict(annotation.attributes)
    return span
