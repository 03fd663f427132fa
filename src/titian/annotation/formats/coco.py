"""COCO: one JSON file of images, categories and annotations.

One COCO annotation may hold a box, an outline and points of one object; it becomes one
annotation for each, of one group. Rules: a `bbox` within one pixel of its outline's extent
is that extent, not a box of its own. Beyond the published fields, `score` (as in result
files), `attributes`, `annotator` and `group` are read and written; other readers skip them.
Source: cocodataset.org/#format-data.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from titian.annotation.formats.coco_runs import compress, expand
from titian.annotation.formats.complaints import Complaints, plain
from titian.annotation.formats.json_source import Node, parse_json, write_json
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.source import read_text
from titian.annotation.masks import decode_mask
from titian.annotation.shapes import (
    HIDDEN,
    VISIBLE,
    Annotation,
    Box,
    Image,
    Keypoint,
    Keypoints,
    LabelClass,
    LabelSet,
    Mask,
    Polygon,
    Ring,
    Shape,
    box_corners,
    extent,
    numbered_classes,
    used_classes,
)

NEAR_PX = 1.0  # a bbox this near to the outline's extent on every side is the extent
MOST_PIXELS = 1 << 32  # of one mask

KNOWN = {
    "id", "image_id", "category_id", "bbox", "segmentation", "keypoints", "num_keypoints",
    "area", "iscrowd", "score", "attributes", "annotator", "group",
}  # fmt: skip


def read(path: Path) -> LabelSet:
    """Read one file.

    Raises:
        InputError: all that is wrong with it.
    """
    complaints = Complaints(path.name)
    root = Node(parse_json(read_text(path), name=path.name), "$", complaints)
    if isinstance(root.value, list):
        root.complain(
            "is a list, as result files are; images and categories are needed too",
            remedy="Put the list under annotations beside the images and categories.",
        )
    complaints.raise_if_any()
    images = _images(root.object())
    classes = _classes(root)
    annotations: list[Annotation] = []
    unread: Counter[str] = Counter()
    taken: dict[int, str] = {}
    nodes = root["annotations"].items() if "annotations" in root.keys() else ()  # noqa: SIM118 - Node
    for node in nodes:
        annotations += _annotations(node.object(), images, classes, taken)
        unread.update(key for key in node.keys() if key not in KNOWN)  # noqa: SIM118 - Node
    complaints.raise_if_any()
    notes = [f"The field {key} of {n} annotations was not read." for key, n in unread.items()]
    return LabelSet(
        documents=tuple(images.values()),
        annotations=tuple(annotations),
        classes=tuple(classes.values()),
        notes=tuple(notes),
    )


def _images(root: Node) -> dict[int, Image]:
    images: dict[int, Image] = {}
    names: dict[str, str] = {}
    for node in root["images"].items():
        number = _own_id(node, images)
        name = node["file_name"].label()
        if name in names:
            node["file_name"].complain(
                f"is {name!r}, as that of {names[name]}", code="T-A108", remedy="Rename one."
            )
        names[name] = node.path
        images[number] = Image(
            name=name,
            width=node["width"].whole(least=1) if node.has("width") else None,
            height=node["height"].whole(least=1) if node.has("height") else None,
        )
    return images


def _classes(root: Node) -> dict[int, LabelClass]:
    classes: dict[int, LabelClass] = {}
    names: dict[str, str] = {}
    for node in root["categories"].items():
        number = _own_id(node, classes)
        name = node["name"].label()
        if name in names:
            node["name"].complain(
                f"is {name!r}, as that of {names[name]}", code="T-A108", remedy="Rename one."
            )
        names[name] = node.path
        points = (
            tuple(n.text() for n in node["keypoints"].items()) if node.has("keypoints") else ()
        )
        skeleton = []
        for edge in node["skeleton"].items() if node.has("skeleton") else ():
            ends = tuple(end.whole(least=1) - 1 for end in edge.items())
            if len(ends) != 2 or max(ends) >= len(points):
                edge.complain(f"does not join two of the {len(points)} keypoints")
                continue
            skeleton.append((ends[0], ends[1]))
        classes[number] = LabelClass(
            name=name,
            number=number,
            parent=node["supercategory"].text() if node.has("supercategory") else "",
            keypoints=points,
            skeleton=tuple(skeleton),
        )
    return classes


def _own_id(
    node: Node, taken: dict[int, object] | dict[int, Image] | dict[int, LabelClass]
) -> int:
    number = node.object()["id"].whole()
    if number in taken:
        node["id"].complain(f"is {number}, which another one has", code="T-A108")
    return number


def _annotations(
    node: Node,
    images: dict[int, Image],
    classes: dict[int, LabelClass],
    taken: dict[int, str],
) -> list[Annotation]:
    image = images.get(node["image_id"].whole())
    if image is None:
        node["image_id"].complain("names no image of this file")
    category = classes.get(node["category_id"].whole())
    if category is None:
        node["category_id"].complain("names no category of this file")
    number = ""
    if node.has("id"):
        value = node["id"].whole()
        if value in taken:
            node["id"].complain(f"is {value}, as that of {taken[value]}", code="T-A108")
        taken[value] = node.path
        number = str(value)
    if image is None or category is None:
        return []
    shapes = _shapes(node, image, category)
    if not shapes:
        node.complain("has no bbox, segmentation or keypoints", code="T-A105")
    attributes = node["attributes"].texts() if node.has("attributes") else {}
    if node.has("iscrowd") and node["iscrowd"].flag():
        attributes["iscrowd"] = "1"
    group = node["group"].text() if node.has("group") else ""
    if len(shapes) > 1 and not group:
        group = number or node.path
    return [
        Annotation(
            document=image.name,
            label=category.name,
            shape=shape,
            id=number if place == 0 else f"{number}:{place}" if number else "",
            annotator=node["annotator"].text() if node.has("annotator") else "",
            score=node["score"].number() if node.has("score") else None,
            group=group,
            attributes=attributes,
        )
        for place, shape in enumerate(shapes)
    ]


def _shapes(node: Node, image: Image, category: LabelClass) -> list[Shape]:
    shapes: list[Shape] = []
    outline: Box | None = None
    if node.has("segmentation") and node["segmentation"].value != []:
        area, outline = _area(node["segmentation"], image)
        shapes.append(area)
    if node.has("keypoints") and node["keypoints"].value != []:
        shapes.append(_keypoints(node["keypoints"], category))
    if node.has("bbox") and node["bbox"].value != []:
        box = _box(node["bbox"])
        if outline is None or not _near(box, outline):
            shapes.insert(0, box)
    return shapes


def _box(node: Node) -> Box:
    x, y, width, height = node.numbers(least=4)[:4]
    if len(node.value) != 4 if isinstance(node.value, list) else False:
        node.complain("does not have 4 numbers (x, y, width, height)")
    if width < 0 or height < 0:
        node.complain(f"has the size {plain(width)} x {plain(height)}; sizes are not negative")
    return Box(x=x, y=y, width=width, height=height)


def _near(box: Box, other: Box) -> bool:
    return all(
        abs(a - b) <= NEAR_PX
        for a, b in (
            (box.x, other.x),
            (box.y, other.y),
            (box.x + box.width, other.x + other.width),
            (box.y + box.height, other.y + other.height),
        )
    )


def _area(node: Node, image: Image) -> tuple[Polygon | Mask, Box]:
    if isinstance(node.value, dict):
        return _mask(node, image)
    rings: list[Ring] = []
    for part in node.items():
        numbers = part.numbers(least=6)
        if len(numbers) % 2:
            part.complain(f"has {len(numbers)} numbers; points are pairs of x and y")
            numbers = numbers[:-1]
        rings.append(tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    if not rings:
        return Polygon(rings=()), Box(x=0, y=0, width=0, height=0)
    return Polygon(rings=tuple(rings)), extent(tuple(point for ring in rings for point in ring))


def _mask(node: Node, image: Image) -> tuple[Mask, Box]:
    sizes = [size.whole(least=0) for size in node["size"].items()]
    nothing = Mask(width=0, height=0, counts=()), Box(x=0, y=0, width=0, height=0)
    if len(sizes) != 2:
        node["size"].complain("is not two numbers (height, width)")
        return nothing
    height, width = sizes
    if (image.width or width, image.height or height) != (width, height):
        node["size"].complain(
            f"is {height} x {width}, but the image is {image.height} x {image.width}"
        )
        return nothing
    if height * width > MOST_PIXELS:
        node["size"].complain(f"has over {MOST_PIXELS:,} pixels", code="T-A101")
        return nothing
    counts = node["counts"]
    if isinstance(counts.value, str):
        try:
            runs = expand(counts.value, most=width * height)
        except ValueError as error:
            counts.complain(str(error), code="T-A113", remedy="Export the mask again.")
            return nothing
    else:
        runs = tuple(run.whole(least=0) for run in counts.items())
        if sum(runs) != width * height:
            counts.complain(
                f"covers {sum(runs)} pixels; the size says {width * height}",
                code="T-A113",
                remedy="Export the mask again.",
            )
            return nothing
    mask = Mask(width=width, height=height, counts=runs)
    return mask, mask_extent(mask)


def mask_extent(mask: Mask) -> Box:
    """Return the smallest upright box around a mask's pixels; empty where it has none."""
    starts, place = [], 0
    left, right, top, bottom = mask.width, 0, mask.height, 0
    for order, run in enumerate(mask.counts):
        if order % 2 and run:
            first, last = place // mask.height, (place + run - 1) // mask.height
            left, right = min(left, first), max(right, last + 1)
            if first == last:
                top = min(top, place % mask.height)
                bottom = max(bottom, (place + run - 1) % mask.height + 1)
            else:
                top, bottom = 0, mask.height
            starts.append(place)
        place += run
    if not starts:
        return Box(x=0, y=0, width=0, height=0)
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _keypoints(node: Node, category: LabelClass) -> Keypoints:
    numbers = node.numbers()
    if len(numbers) % 3:
        node.complain(f"has {len(numbers)} numbers; points are triples of x, y and visibility")
        return Keypoints(points=())
    names = category.keypoints
    if names and len(names) != len(numbers) // 3:
        node.complain(
            f"has {len(numbers) // 3} points; category {category.name!r} names {len(names)}"
        )
        return Keypoints(points=())
    points = []
    for place in range(0, len(numbers), 3):
        x, y, visibility = numbers[place : place + 3]
        if visibility not in (0, 1, 2):
            node.complain(f"has the visibility {plain(visibility)}; it is 0, 1 or 2")
            visibility = VISIBLE
        name = names[place // 3] if names else ""
        points.append(Keypoint(x=x, y=y, name=name, visibility=int(visibility)))
    return Keypoints(points=tuple(points))


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write one file; rotated boxes become outlines of four points."""
    tally = Tally("COCO")
    chosen = tally.select(label_set, documents=(Image,), shapes=(Box, Polygon, Mask, Keypoints))
    tally.relations(label_set)
    numbers = numbered_classes(label_set, first=0 if _has_zero(label_set) else 1)
    points = _point_names(label_set)
    images, written = [], []
    objects = [(d, parts) for d, found in chosen for parts in _objects(found)]
    ids = _ids([parts for _, parts in objects], tally)
    places = {document.name: place for place, (document, _) in enumerate(chosen, 1)}
    for document, _ in chosen:
        image: dict[str, object] = {"id": places[document.name], "file_name": document.name}
        if isinstance(document, Image) and document.width and document.height:
            image |= {"width": document.width, "height": document.height}
        images.append(image)
    for (document, parts), number in zip(objects, ids, strict=True):
        written.append(
            {
                "id": number,
                "image_id": places[document.name],
                "category_id": numbers[parts[0].label],
                **_fields(parts, points, tally),
            }
        )
    categories = []
    for item in used_classes(label_set):
        category: dict[str, object] = {"id": numbers[item.name], "name": item.name}
        if item.parent:
            category["supercategory"] = item.parent
        if item.name in points:
            category["keypoints"] = list(points[item.name])
            category["skeleton"] = [[a + 1, b + 1] for a, b in item.skeleton]
        categories.append(category)
    document_ = {"images": images, "annotations": written, "categories": categories}
    path.write_text(write_json(document_), encoding="utf-8", newline="")
    return tally.losses()


def _has_zero(label_set: LabelSet) -> bool:
    return any(item.number == 0 for item in label_set.classes)


def _point_names(label_set: LabelSet) -> dict[str, tuple[str, ...]]:
    """Return the names of each class's points: declared, or of its longest annotation."""
    names = {item.name: item.keypoints for item in label_set.classes if item.keypoints}
    for annotation in label_set.annotations:
        if isinstance(annotation.shape, Keypoints):
            own = tuple(point.name for point in annotation.shape.points)
            if any(own) and len(own) > len(names.get(annotation.label, ())):
                names[annotation.label] = own
    return names


def _objects(annotations: list[Annotation]) -> list[list[Annotation]]:
    """Put what can share one COCO annotation together: one group, label and annotator."""
    objects: list[list[Annotation]] = []
    by_group: dict[tuple[object, ...], list[Annotation]] = {}
    for annotation in annotations:
        key = (
            annotation.group,
            annotation.label,
            annotation.annotator,
            annotation.score,
            tuple(sorted(annotation.attributes.items())),
        )
        parts = by_group.get(key)
        if annotation.group and parts is not None and _fits(annotation, parts):
            parts.append(annotation)
        else:
            by_group[key] = [annotation]
            objects.append(by_group[key])
    return objects


def _slot(shape: Shape) -> str:
    if isinstance(shape, Box):
        return "outline" if shape.rotation_deg else "bbox"
    return "keypoints" if isinstance(shape, Keypoints) else "outline"


def _fits(annotation: Annotation, parts: list[Annotation]) -> bool:
    return _slot(annotation.shape) not in {_slot(part.shape) for part in parts}


def _ids(objects: list[list[Annotation]], tally: Tally) -> list[int]:
    """Keep the ids where all are numbers of their own; else count from 1."""
    own = [parts[0].id for parts in objects]
    if len(set(own)) == len(own) and all(
        text.isdecimal() and text.isascii() and len(text) < 16 and str(int(text)) == text
        for text in own
    ):
        return [int(text) for text in own]
    tally.add(
        "ids",
        "COCO numbers its annotations; ids that are no distinct whole numbers are replaced.",
        sum(bool(text) for text in own),
    )
    return list(range(1, len(objects) + 1))


def _fields(
    parts: list[Annotation], names: dict[str, tuple[str, ...]], tally: Tally
) -> dict[str, object]:
    fields: dict[str, object] = {}
    box, area = None, 0.0
    for part in parts:
        match part.shape:
            case Box(rotation_deg=0) as shape:
                box = shape
            case Box() as shape:
                tally.add("rotated boxes", "COCO has no rotation; written as outlines.")
                fields["segmentation"], extent_, area = _outline((box_corners(shape),))
                box = box or extent_
            case Polygon(rings=rings):
                fields["segmentation"], extent_, area = _outline(rings)
                box = box or extent_
            case Mask() as mask:
                counts = compress(mask.counts)
                fields["segmentation"] = {"size": [mask.height, mask.width], "counts": counts}
                box, area = box or mask_extent(mask), float(decode_mask(mask).sum())
            case Keypoints(points=points):
                fields |= _points(points, names.get(part.label, ()), tally)
            case _:  # the selection has left these out
                pass
    if box is not None:
        fields["bbox"] = [plain(v) for v in (box.x, box.y, box.width, box.height)]
        fields["area"] = plain(area or box.width * box.height)
    first = parts[0]
    attributes = dict(first.attributes)
    fields["iscrowd"] = int(attributes.get("iscrowd") == "1")
    if fields["iscrowd"]:
        del attributes["iscrowd"]
    if first.score is not None:
        fields["score"] = plain(first.score)
    if attributes:
        fields["attributes"] = attributes
    if first.annotator:
        fields["annotator"] = first.annotator
    if first.group and first.group != first.id:
        fields["group"] = first.group
    return fields


def _outline(rings: tuple[Ring, ...]) -> tuple[list[list[float]], Box, float]:
    area = 0.0
    for ring in rings:
        turned = (*ring[1:], *ring[:1])
        area += abs(sum(x * v - u * y for (x, y), (u, v) in zip(ring, turned, strict=True))) / 2
    parts = [[plain(value) for point in ring for value in point] for ring in rings]
    return parts, extent(tuple(point for ring in rings for point in ring)), area


def _points(
    points: tuple[Keypoint, ...], names: tuple[str, ...], tally: Tally
) -> dict[str, object]:
    if names and any(point.name for point in points):
        own = {point.name: point for point in points}
        missing = Keypoint(x=0.0, y=0.0, visibility=HIDDEN)
        tally.add(
            "keypoints",
            "their names are not those of their class.",
            sum(point.name not in names for point in points),
        )
        points = tuple(own.get(name, missing) for name in names)
    numbers = [plain(v) for p in points for v in (p.x, p.y, float(p.visibility))]
    labelled = sum(point.visibility != HIDDEN for point in points)
    return {"keypoints": numbers, "num_keypoints": labelled}
