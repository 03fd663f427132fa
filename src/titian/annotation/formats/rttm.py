"""RTTM: who speaks when, a line for each segment, many recordings in one file.

``SPEAKER file channel begin duration ortho stype name confidence lookahead``; ``<NA>`` where
nothing is said. The name is the label. Lines of other types are counted and left out.
Source: NIST, The Rich Transcription 2009 evaluation plan, appendix A.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from titian.annotation.formats.complaints import (
    Complaints,
    number_of,
    shorten,
    shortest,
    whole_of,
)
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.source import read_text
from titian.annotation.shapes import Annotation, Audio, LabelSet, Segment, Video

NOTHING = "<NA>"
FIX = "Correct the line."


def read(path: Path) -> LabelSet:
    """Read one file.

    Raises:
        InputError: all that is wrong with it.
    """
    complaints = Complaints(path.name)
    documents: dict[str, Audio] = {}
    annotations: list[Annotation] = []
    others: Counter[str] = Counter()
    for number, line in enumerate(read_text(path).split("\n"), 1):
        cells = line.split()
        if not cells or line.startswith(";;"):
            continue
        if cells[0] != "SPEAKER":
            if not cells[0].replace("-", "").isalpha() or len(cells) not in (9, 10):
                complaints.add(
                    "T-A109", f"line {number}", f"{shorten(line)} is no line of RTTM", FIX
                )
            others[cells[0]] += 1
            continue
        annotation = _speaker(cells, f"line {number}", complaints)
        if annotation is not None:
            documents.setdefault(annotation.document, Audio(name=annotation.document))
            annotations.append(annotation)
    complaints.raise_if_any()
    notes = (f"{n} lines of type {kind} were not read." for kind, n in others.items())
    return LabelSet(
        documents=tuple(documents.values()), annotations=tuple(annotations), notes=tuple(notes)
    )


def _speaker(cells: list[str], place: str, complaints: Complaints) -> Annotation | None:
    if len(cells) not in (9, 10):
        complaints.add("T-A109", place, f"has {len(cells)} fields; SPEAKER has 9 or 10", FIX)
        return None
    _, name, channel_, begin_, length_, ortho, kind, speaker, score_ = cells[:9]
    channel = None if channel_ == NOTHING else whole_of(channel_)
    begin, length = number_of(begin_), number_of(length_)
    score = None if score_ == NOTHING else number_of(score_)
    before = len(complaints)
    if channel_ != NOTHING and channel is None:
        complaints.add("T-A109", place, f"has the channel {shorten(channel_)}, no number", FIX)
    if score_ != NOTHING and score is None:
        complaints.add("T-A109", place, f"has the confidence {shorten(score_)}", FIX)
    if begin is None:
        complaints.add("T-A109", place, f"begins at {shorten(begin_)}, no number", FIX)
    if length is None or length < 0:
        complaints.add("T-A109", place, f"lasts {shorten(length_)}, no number from 0 on", FIX)
    if len(complaints) > before or begin is None or length is None:
        return None
    said = (("ortho", ortho), ("stype", kind))
    return Annotation(
        document=name,
        label="" if speaker == NOTHING else speaker,
        shape=Segment(start_s=begin, end_s=begin + length, channel=channel),
        score=score,
        attributes={key: value for key, value in said if value != NOTHING},
    )


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write one file; the speaker is the name, where it is given apart from the label.

    Raises:
        InputError: a name holds blanks, which divide fields here.
    """
    tally = Tally("RTTM")
    chosen = tally.select(label_set, documents=(Audio, Video), shapes=(Segment,))
    tally.relations(label_set)
    complaints = Complaints(path.name)
    lines = []
    for document, found in chosen:
        tally.fields(found, "id", "annotator", "group")
        known = isinstance(document, Audio | Video) and document.duration_s is not None
        tally.add("durations", "RTTM says nothing of the recording itself.", int(known))
        tally.add("documents", "they have no segment, so no line.", int(not found))
        lines += [_line(annotation, complaints, tally) for annotation in found]
    complaints.raise_if_any()
    path.write_text("".join(lines), encoding="utf-8", newline="")
    return tally.losses()


def _line(annotation: Annotation, complaints: Complaints, tally: Tally) -> str:
    shape = annotation.shape
    if not isinstance(shape, Segment):
        raise TypeError("the selection holds segments only")
    speaker = shape.speaker or annotation.label
    tally.add("labels", "the speaker stands in their place.", int(speaker != annotation.label))
    banded = shape.low_hz is not None or shape.high_hz is not None
    tally.add("bands", "RTTM has no frequencies.", int(banded))
    for text in (annotation.document, speaker):
        if len(text.split()) > 1 or text != text.strip() or text == NOTHING or "\0" in text:
            complaints.add(
                "T-A119",
                f"document {annotation.document!r}",
                f"{shorten(text)} holds blanks or is {NOTHING}, which RTTM cannot hold",
                "Rename it.",
            )
    said = []
    for key in ("ortho", "stype"):
        value = annotation.attributes.get(key, NOTHING)
        fine = value.split() == [value]
        tally.add("attributes", "their values hold blanks.", int(not fine))
        said.append(value if fine else NOTHING)
    others = [key for key in annotation.attributes if key not in ("ortho", "stype")]
    tally.add("attributes", "RTTM has only ortho and stype.", len(others))
    cells = [
        "SPEAKER",
        annotation.document,
        NOTHING if shape.channel is None else str(shape.channel),
        shortest(shape.start_s),
        shortest(shape.end_s - shape.start_s),
        *said,
        speaker or NOTHING,
        NOTHING if annotation.score is None else shortest(annotation.score),
        NOTHING,
    ]
    return " ".join(cells) + "\n"
