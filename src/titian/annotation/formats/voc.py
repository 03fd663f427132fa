"""Pascal VOC: a folder of XML files, one an image, with boxes.

Rule: `xmin`, `ymin`, `xmax` and `ymax` are read as edges, so that a width is xmax - xmin; this
is how LabelImg, CVAT and the usual loaders write and read them. The devkit of 2007 counted
pixels from 1 and both ends in, half a pixel more on each side. Fields of an object other
than `name` and `bndbox` (`pose`, `truncated`, `difficult`, ...) become attributes.
Source: host.robots.ox.ac.uk/pascal/VOC.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from titian.annotation.formats.complaints import Complaints, plain
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.source import check_names, files_of, read_bytes, write_file
from titian.annotation.formats.xml_source import (
    Element,
    check_writable,
    is_tag,
    parse_xml,
    render,
)
from titian.annotation.shapes import Annotation, Box, Image, LabelSet, box_corners, extent
from titian.errors import InputError

OWN = {"name", "bndbox"}


def read(path: Path) -> LabelSet:
    """Read one file or the XML files of a folder.

    Raises:
        InputError: all that is wrong with them.
    """
    complaints = Complaints(path.name)
    documents: dict[str, Image] = {}
    annotations: list[Annotation] = []
    parts: Counter[str] = Counter()
    for file, name in files_of(path, ".xml"):
        inside = Complaints(name)
        try:
            root = parse_xml(read_bytes(file, name=name), root="annotation", complaints=inside)
        except InputError as error:
            inside.problems.extend(error.problems)
        else:
            image = _image(root)
            if image.name in documents:
                inside.add(
                    "T-A108", "", f"is about {image.name!r}, as another file", "Remove one."
                )
            documents[image.name] = image
            annotations += [_object(e, image, parts) for e in root.all("object")]
        complaints.take(inside)
    complaints.raise_if_any()
    return LabelSet(
        documents=tuple(documents.values()),
        annotations=tuple(annotations),
        notes=tuple(
            f"{n} objects had <{tag}>, which was not read." for tag, n in parts.items()
        ),
    )


def _image(root: Element) -> Image:
    name = root.child("filename").content
    if not name:
        root.complain("has an empty <filename>", code="T-A105", remedy="Name the image.")
    size = root.find("size")
    if size is None or not (size.inner("width").strip("0") and size.inner("height").strip("0")):
        return Image(name=name)  # VOC's own way to say that no one knows is to leave it 0
    return Image(
        name=name,
        width=size.whole_inside("width", least=1),
        height=size.whole_inside("height", least=1),
    )


def _object(element: Element, image: Image, parts: Counter[str]) -> Annotation:
    box = element.child("bndbox")
    left, top = box.number_inside("xmin"), box.number_inside("ymin")
    right, bottom = box.number_inside("xmax"), box.number_inside("ymax")
    if right < left or bottom < top:
        box.complain("ends before it begins (xmax < xmin or ymax < ymin)")
    label = element.child("name").content
    if not label:
        element.complain("has an empty <name>", code="T-A105", remedy="Name the class.")
    attributes: dict[str, str] = {}
    for child in element.children:
        if child.tag in OWN:
            continue
        if child.children:
            parts[child.tag] += 1
        elif child.content:
            attributes[child.tag] = child.content
    return Annotation(
        document=image.name,
        label=label,
        shape=Box(x=left, y=top, width=right - left, height=bottom - top),
        attributes=attributes,
    )


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write a folder of one file an image; rotated boxes become their upright extents.

    Raises:
        InputError: a name is no file name, or text that XML cannot hold.
    """
    tally = Tally("VOC")
    chosen = tally.select(label_set, documents=(Image,), shapes=(Box,))
    tally.relations(label_set)
    tally.fields(
        [a for _, annotations in chosen for a in annotations],
        "id", "annotator", "group", "score",
    )  # fmt: skip
    files = check_names((d.name for d, _ in chosen), suffix=".xml", target=path.name)
    check_writable(label_set, target=path.name, trimmed=True)
    for document, found in chosen:
        if isinstance(document, Image):
            parts = [render("filename", text=document.name), _size(document)]
            parts += [_element(annotation, tally) for annotation in found]
            text = render("annotation", None, *parts) + "\n"
            write_file(path, files[document.name], text)
    path.mkdir(parents=True, exist_ok=True)
    return tally.losses()


def _size(image: Image) -> str:
    return render(
        "size",
        None,
        render("width", text=str(image.width or 0)),
        render("height", text=str(image.height or 0)),
        render("depth", text="3"),
    )


def _element(annotation: Annotation, tally: Tally) -> str:
    box = annotation.shape
    if not isinstance(box, Box):
        raise TypeError("the selection holds boxes only")
    if box.rotation_deg:
        tally.add("rotations of boxes", "VOC has none; the upright extent is written.")
        box = extent(box_corners(box))
    edges = {
        "xmin": box.x, "ymin": box.y, "xmax": box.x + box.width, "ymax": box.y + box.height,
    }  # fmt: skip
    fields = []
    for key, value in annotation.attributes.items():
        if key in OWN or not is_tag(key) or not value or value != value.strip():
            tally.add("attributes", "VOC writes them as elements, which have plain names.")
        else:
            fields.append(render(key, text=value))
    corners = [render(key, text=str(plain(value))) for key, value in edges.items()]
    return render(
        "object",
        None,
        render("name", text=annotation.label),
        *fields,
        render("bndbox", None, *corners),
    )
