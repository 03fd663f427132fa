r"""Audacity label tracks: a text file for each recording, a line for each label.

``start<tab>end<tab>label`` in seconds; a line that starts with a backslash gives the band of
the label above it: ``\<tab>low<tab>high`` in hertz, -1 where an edge is open. Rule: the
recording is named after its file without suffix, since the file does not say.
Source: manual.audacityteam.org, "Importing and exporting labels".
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from titian.annotation.formats.complaints import Complaints, number_of, shorten, shortest
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.recordings import segments_by_file, write_each
from titian.annotation.formats.source import files_of, read_text
from titian.annotation.shapes import Annotation, Audio, LabelSet, Segment

FIX = "Correct the line."


def read(path: Path) -> LabelSet:
    """Read one file or the ``.txt`` files of a folder.

    Raises:
        InputError: all that is wrong with them.
    """
    complaints = Complaints(path.name)
    documents: list[Audio] = []
    annotations: list[Annotation] = []
    for file, name in files_of(path, ".txt"):
        inside = Complaints(name)
        recording = name[: -len(file.suffix)] if file.suffix else name
        documents.append(Audio(name=recording))
        annotations += _labels(read_text(file, name=name), recording, inside)
        complaints.take(inside)
    complaints.raise_if_any()
    return LabelSet(documents=tuple(documents), annotations=tuple(annotations))


def _labels(text: str, recording: str, complaints: Complaints) -> list[Annotation]:
    found: list[Annotation] = []
    band = False
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        place = f"line {number}"
        cells = line.split("\t")
        if cells[0] == "\\":
            if not found or band:
                complaints.add("T-A109", place, "gives a band without a label above it", FIX)
                continue
            found[-1] = _with_band(found[-1], cells, place, complaints)
            band = True
            continue
        band = False
        times = [number_of(cell.strip().replace(",", ".")) for cell in cells[:2]]
        start, end = times if len(times) == 2 else (None, None)
        if start is None or end is None or len(cells) > 3:
            complaints.add(
                "T-A109",
                place,
                f"{shorten(line)} is not start, end and label with tabs between",
                FIX,
            )
            continue
        if end < start:
            complaints.add("T-A107", place, f"ends at {end} s, before it begins", FIX)
        label = cells[2] if len(cells) == 3 else ""
        shape = Segment(start_s=start, end_s=end)
        found.append(Annotation(document=recording, label=label, shape=shape))
    return found


def _with_band(
    annotation: Annotation, cells: list[str], place: str, complaints: Complaints
) -> Annotation:
    edges = [number_of(cell.strip().replace(",", ".")) for cell in cells[1:]]
    if len(edges) != 2 or None in edges or not isinstance(annotation.shape, Segment):
        complaints.add("T-A109", place, "is not a low and a high frequency", FIX)
        return annotation
    low, high = (None if edge is None or edge < 0 else edge for edge in edges)
    return replace(annotation, shape=replace(annotation.shape, low_hz=low, high_hz=high))


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write a folder, or one file where `path` ends in ``.txt`` and there is one recording.

    Raises:
        InputError: a name is no file name, or a label holds a tab or a line break.
    """
    tally = Tally("Audacity")
    chosen = segments_by_file(label_set, tally, forbidden="\t\n\r", target=path.name)
    tally.fields(
        [a for _, annotations in chosen for a in annotations],
        "id", "annotator", "group", "score", "attributes",
    )  # fmt: skip
    write_each(chosen, path, suffix=".txt", text=lambda found: _text(found, tally))
    return tally.losses()


def _text(annotations: list[Annotation], tally: Tally) -> str:
    lines = []
    for annotation in annotations:
        shape = annotation.shape
        if not isinstance(shape, Segment):
            continue
        lines.append(f"{shortest(shape.start_s)}\t{shortest(shape.end_s)}\t{annotation.label}")
        if shape.low_hz is not None or shape.high_hz is not None:
            edges = (-1.0 if edge is None else edge for edge in (shape.low_hz, shape.high_hz))
            lines.append("\t".join(["\\", *map(shortest, edges)]))
        tally.add("channels", "a label is about all channels.", int(shape.channel is not None))
        tally.add("speakers", "a label has none.", int(bool(shape.speaker)))
    return "".join(f"{line}\n" for line in lines)
