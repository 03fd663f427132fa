"""YOLO: a folder of text files, one an image, with sizes as shares of the image.

``labels/<image>.txt`` holds a line an object: ``class x y width height`` (the centre) for a
box, ``class x1 y1 x2 y2 ...`` for an outline, and, as predictions have it, a confidence at
the end. ``data.yaml`` (`names`) or ``classes.txt`` names the classes. Pixels need the size of
each image: from ``images/`` beside the labels, a media folder, or ``images.csv`` (name, width,
height), which is written here. Source: docs.ultralytics.com/datasets.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path, PurePosixPath

from titian.annotation.formats.complaints import (
    Complaints,
    number_of,
    refusal,
    shortest,
    whole_of,
)
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.pictures import list_pictures, measure
from titian.annotation.formats.source import check_names, files_of, read_text, write_file
from titian.annotation.shapes import (
    Annotation,
    Box,
    Image,
    LabelClass,
    LabelSet,
    Polygon,
    box_corners,
    used_classes,
)

NOT_LABELS = ("classes.txt", "labels.txt", "train.txt", "val.txt", "test.txt")


def read(path: Path, media: Path | None = None) -> LabelSet:
    """Read a folder.

    Args:
        path: the folder that holds ``labels/``, or the labels' folder itself.
        media: where the images are, if not in ``images/`` beside the labels.

    Raises:
        InputError: all that is wrong with it; an image's size is not known.
    """
    folder = path / "labels" if (path / "labels").is_dir() else path
    homes = (path, path.parent) if folder == path else (path,)
    complaints = Complaints(path.name)
    names = _names(homes, complaints)
    sizes = _sizes(homes, complaints)
    complaints.raise_if_any()
    pictures = list_pictures(media or _first(homes, "images"))
    documents: dict[str, Image] = {image.name: image for image in sizes.values()}
    annotations: list[Annotation] = []
    highest = -1
    for file, name in files_of(folder, ".txt"):
        if name in NOT_LABELS:
            continue
        stem = name[: -len(".txt")]
        inside = Complaints(name)
        image = sizes.get(stem) or measure(stem, pictures.get(stem), inside)
        documents[image.name] = image
        for number, line in enumerate(read_text(file, name=name).split("\n"), 1):
            if line.strip():
                place, annotation = _line(line.split(), image, names, f"line {number}", inside)
                annotations.append(annotation)
                highest = max(highest, place)
        complaints.take(inside)
    complaints.raise_if_any()
    classes = names or {number: str(number) for number in range(highest + 1)}
    return LabelSet(
        documents=tuple(documents[name] for name in sorted(documents)),
        annotations=tuple(annotations),
        classes=tuple(LabelClass(name=classes[n], number=n) for n in sorted(classes)),
        notes=() if names else ("No classes are named; their numbers stand for them.",),
    )


def _first(homes: tuple[Path, ...], name: str) -> Path | None:
    return next((home / name for home in homes if (home / name).exists()), None)


def _names(homes: tuple[Path, ...], complaints: Complaints) -> dict[int, str]:
    listed = _first(homes, "data.yaml") or _first(homes, "classes.txt")
    if listed is None:
        return {}
    text = read_text(listed)
    if listed.suffix == ".yaml":
        found = _yaml_names(text, listed.name)
    else:
        lines = [line.rstrip("\r") for line in text.rstrip("\r\n").split("\n")]
        found = dict(enumerate(lines))
    times = Counter(found.values())
    for number, name in found.items():
        if not name or times[name] > 1:
            why = "is named twice" if name else "has no name"
            complaints.add(
                "T-A108", f"{listed.name}, class {number}", f"{name!r} {why}", "Rename it."
            )
    return found


def _yaml_names(text: str, name: str) -> dict[int, str]:
    import yaml

    remedy = "Give names as a list, or as numbers and names."
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}, line {mark.line + 1}" if mark else name
        raise refusal("T-A109", place, "is not YAML", remedy) from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(
        type(key) is int and 0 <= key < 1_000_000 and isinstance(value, str | int)
        for key, value in names.items()
    ):
        raise refusal("T-A106", name, "names is no list of class names", remedy)
    return {key: str(value) for key, value in names.items()}


def _sizes(homes: tuple[Path, ...], complaints: Complaints) -> dict[str, Image]:
    listed = _first(homes, "images.csv")
    if listed is None:
        return {}
    sizes: dict[str, Image] = {}
    try:
        rows = list(csv.reader(io.StringIO(read_text(listed), newline=""), strict=True))
    except csv.Error as error:
        raise refusal(
            "T-A109", listed.name, f"is not CSV ({error})", "Write it again."
        ) from error
    for number, row in enumerate(rows, 1):
        if number == 1 and row == ["name", "width", "height"]:
            continue
        width, height = (whole_of(cell) or 0 for cell in (row[1:3] if len(row) == 3 else "00"))
        if width < 1 or height < 1 or not row[0]:
            complaints.add(
                "T-A109",
                f"{listed.name}, row {number}",
                "is not a name, a width and a height (whole numbers from 1)",
                "Correct the row.",
            )
            continue
        stem = PurePosixPath(row[0]).with_suffix("").as_posix()
        sizes[stem] = Image(name=row[0], width=width, height=height)
    return sizes


def _line(
    cells: list[str], image: Image, names: dict[int, str], place: str, complaints: Complaints
) -> tuple[int, Annotation]:
    label = whole_of(cells[0])
    numbers = [number_of(cell) for cell in cells[1:]]
    values = [number for number in numbers if number is not None]
    remedy = "Correct the line."
    if label is None or not 0 <= label < 1_000_000:
        complaints.add("T-A109", place, f"starts with {cells[0]!r}, no class number", remedy)
        label = 0
    elif names and label not in names:
        complaints.add("T-A107", place, f"has the class {label}, which has no name", remedy)
    if len(values) < len(numbers):
        wrong = cells[1 + numbers.index(None)]
        complaints.add("T-A109", place, f"holds {wrong!r}, not a finite number", remedy)
    elif len(values) < 4:
        complaints.add(
            "T-A109", place, f"has {len(values)} numbers; a box has 4, an outline 6", remedy
        )
    width, height = float(image.width or 0), float(image.height or 0)
    score = None
    # A box has 4 numbers, an outline an even number from 6 on; one more is a confidence.
    if len(values) % 2:
        score = values.pop()
    shape: Box | Polygon
    if len(values) == 4:
        x, y, across, down = values
        if across < 0 or down < 0:
            complaints.add("T-A107", place, "has a negative size", remedy)
        shape = Box(
            x=(x - across / 2) * width,
            y=(y - down / 2) * height,
            width=across * width,
            height=down * height,
        )
    else:
        pairs = zip(values[::2], values[1::2], strict=True)
        shape = Polygon(rings=(tuple((x * width, y * height) for x, y in pairs),))
    name = names.get(label, str(label))
    return label, Annotation(document=image.name, label=name, shape=shape, score=score)


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write a folder; rotated boxes become outlines, parts of outlines objects of their own.

    Raises:
        InputError: an image has no size, or its name is no file name.
    """
    tally = Tally("YOLO")
    chosen = tally.select(label_set, documents=(Image,), shapes=(Box, Polygon))
    tally.relations(label_set)
    written = [a for _, annotations in chosen for a in annotations]
    tally.fields(written, "id", "annotator", "group", "attributes")
    files = check_names((d.name for d, _ in chosen), suffix=".txt", target=path.name)
    complaints = Complaints(path.name)
    order = _order(label_set)
    for name in order:
        if "\n" in name or "\r" in name:
            complaints.add(
                "T-A119", f"class {name!r}", "its name has a line break", "Rename it."
            )
    for document, found in chosen:
        if found and not (isinstance(document, Image) and document.width and document.height):
            complaints.add(
                "T-A114",
                f"document {document.name!r}",
                "has no size, which YOLO divides by",
                "Give the image's width and height.",
            )
    complaints.raise_if_any()
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(["name", "width", "height"])
    for document, found in chosen:
        if not isinstance(document, Image):
            continue
        lines = [line for a in found for line in _lines(a, document, order, tally)]
        text = "".join(f"{line}\n" for line in lines)
        write_file(path / "labels", files[document.name], text)
        if document.width and document.height:
            table.writerow([document.name, document.width, document.height])
        else:
            tally.add("documents (image)", "their size is not known.")
    write_file(path, PurePosixPath("images.csv"), rows.getvalue())
    write_file(path, PurePosixPath("data.yaml"), _data(order))
    return tally.losses()


def _order(label_set: LabelSet) -> dict[str, int]:
    """Number the classes from 0 without gaps, by their own numbers where all have one."""
    classes = used_classes(label_set)
    if all(item.number is not None for item in classes):
        classes = tuple(sorted(classes, key=lambda item: item.number or 0))
    return {item.name: place for place, item in enumerate(classes)}


def _lines(
    annotation: Annotation, image: Image, order: dict[str, int], tally: Tally
) -> list[str]:
    width, height = float(image.width or 1), float(image.height or 1)
    start = str(order[annotation.label])
    end = [] if annotation.score is None else [shortest(annotation.score)]
    numbers: list[tuple[float, ...]] = []
    match annotation.shape:
        case Box(rotation_deg=0) as box:
            centre = ((box.x + box.width / 2) / width, (box.y + box.height / 2) / height)
            numbers = [(*centre, box.width / width, box.height / height)]
        case Box() as box:
            tally.add("rotated boxes", "YOLO has no rotation here; written as outlines.")
            numbers = [tuple(v for x, y in box_corners(box) for v in (x / width, y / height))]
        case Polygon(rings=rings):
            tally.add(
                "parts of outlines",
                "YOLO's outlines have one part; each further part is an object of its own.",
                len(rings) - 1,
            )
            numbers = [tuple(v for x, y in r for v in (x / width, y / height)) for r in rings]
        case _:  # the selection has left these out
            pass
    return [" ".join([start, *map(shortest, values), *end]) for values in numbers]


def _data(order: dict[str, int]) -> str:
    import json

    # JSON's strings are YAML's, so that no name can be read as a number or a truth.
    lines = [f"  {number}: {json.dumps(name)}" for name, number in order.items()]
    return (
        "\n".join(["path: .", "train: images", "val: images", "names:", *lines]) + "\n"
        if lines
        else "path: .\ntrain: images\nval: images\nnames: {}\n"
    )
