"""``titian annotation convert``: labels from one format to another, with what was lost."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from titian.cli.annotation.label_sets import write_label_set
from titian.cli.output import write_error_line, write_json, write_line
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    from titian.annotation.formats import Loss
    from titian.annotation.shapes import LabelSet

SHOWN = 20  # problems of shapes printed one by one; the rest are counted


class Geometry(StrEnum):
    """What to do with shapes that break the rules."""

    REFUSE = "refuse"
    MEND = "mend"
    KEEP = "keep"


def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="File or folder to read.")],
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="File or folder to write; must not exist.")
    ],
    from_format: Annotated[
        str, typer.Option("--from", metavar="FORMAT", help="Format of the source.")
    ],
    to_format: Annotated[
        str, typer.Option("--to", metavar="FORMAT", help="Format of the target.")
    ],
    media: Annotated[
        Path | None,
        typer.Option("--media", metavar="DIR", help="What the labels are about (YOLO, DICOM)."),
    ] = None,
    geometry: Annotated[
        Geometry,
        typer.Option(
            "--geometry",
            help="Shapes that break the rules: refuse them, mend what can be, or keep them.",
        ),
    ] = Geometry.REFUSE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Convert labels from one format to another and name what the target cannot hold.

    Formats: coco, yolo, voc, cvat, labelstudio, labelme, mot, conll, spacy, brat, audacity,
    webvtt, rttm, dicom-seg, dicom-sr.

    \b
    Examples:
      titian annotation convert coco.json voc --from coco --to voc
      titian annotation convert yolo boxes.json --from yolo --to coco \\
        --media images --geometry mend
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.annotation.formats import format_named

    reading, writing = format_named(from_format), format_named(to_format)
    if target.exists() or target.is_symlink():
        raise InputError(
            Problem(
                code="T-A111",
                message=f"{target} exists already; nothing is written over.",
                remedy="Name another target, or remove it.",
            )
        )
    label_set = reading.read(source, media)
    label_set, notes = _settle(label_set, geometry)
    target.parent.mkdir(parents=True, exist_ok=True)
    losses = write_label_set(writing, label_set, target, media)
    _report(label_set, target, [*label_set.notes, *notes], losses, as_json=as_json)


def _settle(label_set: LabelSet, geometry: Geometry) -> tuple[LabelSet, list[str]]:
    from titian.annotation.validity import mend, problems_of

    notes = []
    if geometry is Geometry.MEND:
        label_set, counts = mend(label_set)
        notes = [f"{n} annotations were {what}." for what, n in counts.items() if n]
    problems = problems_of(label_set)
    if problems and geometry is Geometry.KEEP:
        return label_set, [f"{len(problems)} breaches of the rules of shapes were kept."]
    if problems:
        more = len(problems) - SHOWN
        rest = [
            Problem(
                code="T-A199",
                message=f"{more} more shapes break the rules.",
                remedy="Correct them, or choose --geometry mend or keep.",
            )
        ]
        raise InputError(*problems[:SHOWN], *(rest if more > 0 else []))
    return label_set, notes


def _report(
    label_set: LabelSet,
    target: Path,
    notes: list[str],
    losses: tuple[Loss, ...],
    *,
    as_json: bool,
) -> None:
    documents, annotations = len(label_set.documents), len(label_set.annotations)
    if as_json:
        write_json(
            {
                "target": str(target),
                "documents": documents,
                "annotations": annotations,
                "notes": notes,
                "losses": [
                    {"what": loss.what, "count": loss.count, "why": loss.why} for loss in losses
                ],
            }
        )
        return
    write_line(f"{documents} documents and {annotations} annotations to {target}")
    for note in notes:
        write_error_line(note)
    for loss in losses:
        write_error_line(f"lost or changed: {loss}")
    if not losses:
        write_line("nothing was lost")
