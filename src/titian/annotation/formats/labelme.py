"""LabelMe: a JSON file for each image.

Rectangles, polygons, points and masks are shapes; the image's `flags` that are true are
classifications. A shape's `description` and `flags` become attributes. Circles and lines are
counted and left out. Source: the LabelMe application, labelmeai/labelme.
"""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from titian.annotation.formats.complaints import Complaints, plain
from titian.annotation.formats.json_source import Node, parse_json, write_json
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.source import check_names, files_of, read_text, write_file
from titian.annotation.masks import Pixels, decode_mask, encode_mask
from titian.annotation.shapes import (
    VISIBLE,
    Annotation,
    Box,
    Classification,
    Image,
    Keypoint,
    Keypoints,
    LabelSet,
    Mask,
    Polygon,
    Ring,
    Shape,
    box_corners,
    extent,
)
from titian.errors import InputError

UNREAD = ("circle", "line", "linestrip")
MOST_PIXELS = 1 << 28  # of one mask


def read(path: Path) -> LabelSet:
    """Read one file or the ``.json`` files of a folder.

    Raises:
        InputError: all that is wrong with them.
    """
    complaints = Complaints(path.name)
    documents: dict[str, Image] = {}
    annotations: list[Annotation] = []
    unread: Counter[str] = Counter()
    for file, name in files_of(path, ".json"):
        inside = Complaints(name)
        try:
            value = parse_json(read_text(file, name=name), name=name)
        except InputError as error:
            complaints.problems.extend(error.problems)
            continue
        root = Node(value, "$", inside).object()
        image = Image(
            name=root["imagePath"].label(),
            width=root["imageWidth"].whole(least=1) if root.has("imageWidth") else None,
            height=root["imageHeight"].whole(least=1) if root.has("imageHeight") else None,
        )
        if image.name in documents:
            root["imagePath"].complain(f"is {image.name!r}, as in another file", code="T-A108")
        documents[image.name] = image
        annotations += _flags(root, image.name)
        for node in root["shapes"].items():
            annotations += _annotation(node.object(), image, unread)
        complaints.take(inside)
    complaints.raise_if_any()
    return LabelSet(
        documents=tuple(documents.values()),
        annotations=tuple(annotations),
        notes=tuple(f"{n} shapes of type {kind} were not read." for kind, n in unread.items()),
    )


def _flags(root: Node, image: str) -> list[Annotation]:
    if not root.has("flags"):
        return []
    flags = root["flags"].object()
    return [
        Annotation(document=image, label=label, shape=Classification())
        for label in flags.keys()  # noqa: SIM118 - a Node is no dict
        if flags[label].flag()
    ]


def _annotation(node: Node, image: Image, unread: Counter[str]) -> list[Annotation]:
    kind = node["shape_type"].text() if node.has("shape_type") else "polygon"
    if kind in UNREAD:
        unread[kind] += 1
        return []
    shape = _shape(kind, node, image)
    attributes: dict[str, str] = {}
    if node.has("description") and node["description"].text():
        attributes["description"] = node["description"].text()
    if node.has("flags"):
        flags = node["flags"].object()
        for key in flags.keys():  # noqa: SIM118 - a Node is no dict
            attributes[key] = "true" if flags[key].flag() else "false"
    return [
        Annotation(
            document=image.name,
            label=node["label"].text(),
            shape=shape,
            group=str(node["group_id"].whole()) if node.has("group_id") else "",
            attributes=attributes,
        )
    ]


def _shape(kind: str, node: Node, image: Image) -> Shape:
    points = node["points"]
    ring: Ring = tuple((x, y) for x, y, *_ in (p.numbers(least=2) for p in points.items()))
    wanted = {"rectangle": (2, 4), "polygon": (3, 1 << 20), "point": (1, 1), "mask": (2, 2)}
    least, most = wanted.get(kind, (1, 1 << 20))
    if not least <= len(ring) <= most or (kind == "rectangle" and len(ring) == 3):
        points.complain(f"has {len(ring)} points, which make no {kind}")
        return Box(x=0, y=0, width=0, height=0)
    match kind:
        case "rectangle":
            return extent(ring)
        case "polygon":
            return Polygon(rings=(ring,))
        case "point" | "points":
            return Keypoints(points=tuple(Keypoint(x=x, y=y) for x, y in ring))
        case "mask":
            return _mask(node, extent(ring), image)
        case _:
            node["shape_type"].complain(f"is {kind!r}, which is no type of LabelMe")
            return Box(x=0, y=0, width=0, height=0)


def _mask(node: Node, box: Box, image: Image) -> Mask:
    nothing = Mask(width=0, height=0, counts=())
    if not image.width or not image.height:
        node.complain("is a mask, but the image has no size", code="T-A114")
        return nothing
    part = _png(node["mask"])
    if part is None:
        return nothing
    if image.width * image.height > MOST_PIXELS:
        node.complain(f"is a mask of over {MOST_PIXELS:,} pixels", code="T-A101")
        return nothing
    left, top = int(box.x), int(box.y)
    height, width = part.shape
    if left < 0 or top < 0 or left + width > image.width or top + height > image.height:
        node.complain("is a mask that reaches out of the image", code="T-A120")
        return nothing
    pixels = np.zeros((image.height, image.width), dtype=bool)
    pixels[top : top + height, left : left + width] = part
    return encode_mask(pixels)


def _png(node: Node) -> Pixels | None:
    import PIL.Image

    try:
        data = base64.b64decode(node.text(), validate=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is checked below, before the pixels
            with PIL.Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    node.complain(f"has over {MOST_PIXELS:,} pixels", code="T-A101")
                    return None
                return np.asarray(picture.convert("L")) > 0
    except (binascii.Error, OSError, ValueError, SyntaxError, EOFError) as _:
        node.complain("is no PNG in base 64", code="T-A113", remedy="Save the file again.")
    except PIL.Image.DecompressionBombError:
        node.complain(f"has over {MOST_PIXELS:,} pixels", code="T-A101")
    return None


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write a folder; rotated boxes become polygons, parts of outlines shapes of one group.

    Raises:
        InputError: a name is no file name.
    """
    tally = Tally("LabelMe")
    chosen = tally.select(
        label_set, documents=(Image,), shapes=(Box, Polygon, Mask, Keypoints, Classification)
    )
    tally.relations(label_set)
    files = check_names((d.name for d, _ in chosen), suffix=".json", target=path.name)
    path.mkdir(parents=True, exist_ok=True)
    for document, found in chosen:
        tally.fields(found, "id", "annotator", "score")
        if not isinstance(document, Image):
            continue
        flags: dict[str, bool] = {}
        shapes = []
        for annotation in found:
            if isinstance(annotation.shape, Classification):
                tally.fields([annotation], "group", "attributes")
                tally.add("questions", "a flag has none.", int(bool(annotation.shape.question)))
                tally.add("flags", "given twice to one image.", int(annotation.label in flags))
                flags[annotation.label] = True
            else:
                shapes += _written(annotation, tally)
        content = {
            "version": "5.5.0",
            "flags": flags,
            "shapes": shapes,
            "imagePath": document.name,
            "imageData": None,
            "imageHeight": document.height,
            "imageWidth": document.width,
        }
        write_file(path, files[document.name], write_json(content))
    return tally.losses()


def _written(annotation: Annotation, tally: Tally) -> list[dict[str, object]]:
    group = annotation.group
    number = int(group) if group.isdecimal() and group.isascii() and len(group) < 16 else None
    tally.add("groups", "they are numbers here.", int(bool(group) and str(number) != group))
    common: dict[str, object] = {"label": annotation.label, "group_id": number}
    flags = {k: v == "true" for k, v in annotation.attributes.items() if v in ("true", "false")}
    if "description" in annotation.attributes:
        common["description"] = annotation.attributes["description"]
        flags.pop("description", None)
    others = [k for k in annotation.attributes if k != "description" and k not in flags]
    tally.add("attributes", "a shape has flags and a description only.", len(others))
    common["flags"] = flags
    match annotation.shape:
        case Box(rotation_deg=0) as box:
            _, _, (right, bottom), _ = box_corners(box)
            return [common | _outline("rectangle", ((box.x, box.y), (right, bottom)))]
        case Box() as box:
            tally.add("rotated boxes", "LabelMe has no rotation; written as polygons.")
            return [common | _outline("polygon", box_corners(box))]
        case Polygon(rings=rings):
            tally.add("parts of outlines", "each is a polygon of its own.", len(rings) - 1)
            return [common | _outline("polygon", ring) for ring in rings]
        case Keypoints(points=points):
            tally.add(
                "names of keypoints", "points have none.", sum(bool(p.name) for p in points)
            )
            hidden = sum(p.visibility != VISIBLE for p in points)
            tally.add("visibilities of keypoints", "points have none.", hidden)
            kind = "point" if len(points) == 1 else "points"
            return [common | _outline(kind, tuple((p.x, p.y) for p in points))]
        case Mask() as mask:
            return [common | _masked(mask)]
        case _:  # the selection has left these out
            return []


def _outline(kind: str, ring: Ring) -> dict[str, object]:
    return {"points": [[plain(x), plain(y)] for x, y in ring], "shape_type": kind, "mask": None}


def _masked(mask: Mask) -> dict[str, object]:
    import PIL.Image

    pixels = decode_mask(mask)
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, bottom = (int(rows[0]), int(rows[-1])) if rows.size else (0, 0)
    left, right = (int(columns[0]), int(columns[-1])) if columns.size else (0, 0)
    part = pixels[top : bottom + 1, left : right + 1]
    buffer = io.BytesIO()
    PIL.Image.fromarray(part.astype(np.uint8) * 255).save(buffer, format="PNG")
    return {
        "points": [[left, top], [right, bottom]],
        "shape_type": "mask",
        "mask": base64.b64encode(buffer.getvalue()).decode(),
    }
