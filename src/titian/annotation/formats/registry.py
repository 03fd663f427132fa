"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from titian.annotation.formats import (
    audacity,
    brat,
    coco,
    conll,
    cvat,
    dicom_seg,
    dicom_sr,
    labelme,
    labelstudio,
    mot,
    rttm,
    spacy,
    voc,
    webvtt,
    yolo,
)
from titian.annotation.formats.loss import Loss
from titian.annotation.shapes import LabelSet
from titian.errors import InputError, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of labels.

    Attributes:
        name: as it is given on the command line.
        title: as people call it.
        reader: path and media folder -> what it holds.
        writer: label set, path and media folder -> what could not be written.
        folder: a folder is written; otherwise one file.
        media: the media folder is of use.
    """

    name: str
    title: str
    reader: Callable[[Path, Path | None], LabelSet]
    writer: Callable[[LabelSet, Path, Path | None], tuple[Loss, ...]]
    folder: bool = False
    media: bool = False

    def read(self, path: Path, media: Path | None = None) -> LabelSet:
        """Read a file or folder; `media` holds what the labels are about, where needed.

        Raises:
            InputError: all that is wrong with it.
        """
        return self.reader(path, media)

    def write(
        self, label_set: LabelSet, path: Path, media: Path | None = None
    ) -> tuple[Loss, ...]:
        """Write a file or folder and return what it cannot hold.

        Raises:
            InputError: the set has what cannot be written without changing its meaning.
        """
        return self.writer(label_set, path, media)


Read = Callable[[Path], LabelSet]
Write = Callable[[LabelSet, Path], tuple[Loss, ...]]


def _plain(name: str, title: str, read: Read, write: Write, *, folder: bool = False) -> Format:
    return Format(
        name=name,
        title=title,
        reader=lambda path, _media: read(path),
        writer=lambda label_set, path, _media: write(label_set, path),
        folder=folder,
    )


_ALL = (
    _plain("coco", "COCO", coco.read, coco.write),
    Format(
        name="yolo",
        title="YOLO",
        reader=yolo.read,
        writer=lambda label_set, path, _media: yolo.write(label_set, path),
        folder=True,
        media=True,
    ),
    _plain("voc", "Pascal VOC", voc.read, voc.write, folder=True),
    _plain("cvat", "CVAT XML", cvat.read, cvat.write),
    _plain("labelstudio", "Label Studio JSON", labelstudio.read, labelstudio.write),
    _plain("labelme", "LabelMe", labelme.read, labelme.write, folder=True),
    _plain("mot", "MOTChallenge", mot.read, mot.write, folder=True),
    _plain("conll", "CoNLL", conll.read, conll.write),
    _plain("spacy", "spaCy and Prodigy JSONL", spacy.read, spacy.write),
    _plain("brat", "brat standoff", brat.read, brat.write, folder=True),
    _plain("audacity", "Audacity labels", audacity.read, audacity.write, folder=True),
    _plain("webvtt", "WebVTT", webvtt.read, webvtt.write, folder=True),
    _plain("rttm", "RTTM", rttm.read, rttm.write),
    Format(
        name="dicom-seg",
        title="DICOM SEG",
        reader=dicom_seg.read,
        writer=dicom_seg.write,
        folder=True,
        media=True,
    ),
    Format(
        name="dicom-sr",
        title="DICOM SR",
        reader=dicom_sr.read,
        writer=dicom_sr.write,
        folder=True,
        media=True,
    ),
)
FORMATS = {item.name: item for item in _ALL}


def format_named(name: str) -> Format:
    """Look up a format.

    Raises:
        InputError: there is none of this name.
    """
    if name in FORMATS:
        return FORMATS[name]
    near = get_close_matches(name, FORMATS, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Give one of: {', '.join(FORMATS)}."
    raise InputError(
        Problem(code="T-A110", message=f"{name!r} is no format of labels.", remedy=hint)
    )
