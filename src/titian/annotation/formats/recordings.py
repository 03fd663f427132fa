"""One label file for each recording: what Audacity and WebVTT share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from titian.annotation.formats.complaints import Complaints, refusal, shorten
from titian.annotation.formats.loss import Tally
from titian.annotation.formats.source import check_names, write_file
from titian.annotation.shapes import Annotation, Audio, LabelSet, Segment, Video

Chosen = list[tuple[str, list[Annotation]]]


def segments_by_file(
    label_set: LabelSet, tally: Tally, *, forbidden: str, target: str
) -> Chosen:
    """Return the segments of each recording, and count what its file cannot say of it.

    Args:
        label_set: what is to be written.
        tally: of the format.
        forbidden: characters that a label must not hold.
        target: name of the folder, for messages.

    Raises:
        InputError: a label holds such a character.
    """
    chosen = tally.select(label_set, documents=(Audio, Video), shapes=(Segment,))
    tally.relations(label_set)
    complaints = Complaints(target)
    for document, found in chosen:
        why = "a label file is named after its recording and says nothing else of it."
        tally.add("suffixes of names", why, int(bool(PurePosixPath(document.name).suffix)))
        known = isinstance(document, Audio | Video) and document.duration_s is not None
        tally.add("durations", why, int(known))
        tally.add("facts of films", why, int(isinstance(document, Video)))
        for annotation in found:
            if any(character in annotation.label for character in forbidden):
                complaints.add(
                    "T-A119",
                    f"document {document.name!r}",
                    f"the label {shorten(annotation.label)} holds a tab or a line break, "
                    f"which {tally.format_name} has no place for",
                    "Rename the label.",
                )
    complaints.raise_if_any()
    return [(document.name, annotations) for document, annotations in chosen]


def write_each(
    chosen: Chosen, path: Path, *, suffix: str, text: Callable[[list[Annotation]], str]
) -> None:
    """Write a folder of files, or one file where the path has their suffix.

    Raises:
        InputError: a name is no file name; one file is wanted for several recordings.
    """
    if path.suffix == suffix:
        if len(chosen) != 1:
            raise refusal(
                "T-A112",
                path.name,
                f"one file holds one recording, and there are {len(chosen)}",
                "Name a folder.",
            )
        path.write_text(text(chosen[0][1]), encoding="utf-8", newline="")
        return
    files = check_names((name for name, _ in chosen), suffix=suffix, target=path.name)
    path.mkdir(parents=True, exist_ok=True)
    for name, found in chosen:
        write_file(path, files[name], text(found))
