"""CVAT XML 1.1: one file, either images with shapes or one film with tracks.

Of a track only key frames are read, since the boxes between follow from them. `occluded`
and `z_order` of a shape become attributes where they say something. A skeleton is a set of
named keypoints. Polylines, ellipses, cuboids and tracks of other shapes are counted and left
out. Rule: a mask's runs go along the rows of its own rectangle, the first one outside.
Source: docs.cvat.ai, XML annotation format.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from titian.annotation.formats.complaints import (
    Complaints,
    number_of,
    shorten,
    whole_of,
)
from titian.annotation.formats.cvat_write import write as write
from titian.annotation.formats.source import read_bytes
from titian.annotation.formats.xml_source import Element, parse_xml
from titian.annotation.masks import encode_mask
from titian.annotation.shapes import (
    HIDDEN,
    OCCLUDED,
    VISIBLE,
    Annotation,
    Box,
    Classification,
    Image,
    KeyFrame,
    Keypoint,
    Keypoints,
    LabelClass,
    LabelSet,
    Mask,
    Polygon,
    Ring,
    Shape,
    Track,
    Video,
)

__all__ = ["read", "write"]
MOST_PIXELS = 1 << 28  # of the image that a mask lies on


def read(path: Path) -> LabelSet:
    """Read one file.

    Raises:
        InputError: all that is wrong with it.
    """
    complaints = Complaints(path.name)
    root = parse_xml(read_bytes(path), root="annotations", complaints=complaints)
    unread: Counter[str] = Counter()
    documents: dict[str, Image | Video] = {}
    annotations: list[Annotation] = []
    for element in root.all("image"):
        image = Image(
            name=element.own("name"),
            width=element.whole("width", least=1),
            height=element.whole("height", least=1),
        )
        if image.name in documents:
            element.complain(f"is a second image {image.name!r}", code="T-A108")
        documents[image.name] = image
        for child in element.children:
            annotations += _annotation(child, image, unread)
    tracks = list(root.all("track"))
    film = _film(root, bool(tracks), not documents)
    if film is not None:
        documents[film.name] = film
        for element in tracks:
            annotations += _track(element, film, unread)
    complaints.raise_if_any()
    return LabelSet(
        documents=tuple(documents.values()),
        annotations=tuple(annotations),
        classes=_classes(root),
        notes=tuple(f"{n} elements <{tag}> were not read." for tag, n in unread.items()),
    )


def _task(root: Element) -> Element | None:
    meta = root.find("meta")
    return None if meta is None else meta.find("task") or meta.find("job")


def _classes(root: Element) -> tuple[LabelClass, ...]:
    task = _task(root)
    labels = None if task is None else task.find("labels")
    names = (
        []
        if labels is None
        else [e.inner("name") for e in labels.all("label") if e.inner("parent") == ""]
    )
    return tuple(LabelClass(name=name) for name in dict.fromkeys(names) if name)


def _film(root: Element, tracked: bool, alone: bool) -> Video | None:
    task = _task(root)
    mode = "" if task is None else task.inner("mode")
    if not tracked and not (alone and mode == "interpolation"):
        return None
    if task is None:
        return Video(name="film")
    size = task.find("original_size")
    count = whole_of(task.inner("size"))
    return Video(
        name=task.inner("source") or task.inner("name") or "film",
        width=None if size is None else size.whole_inside("width", least=1),
        height=None if size is None else size.whole_inside("height", least=1),
        frames=count or None,
    )


def _annotation(element: Element, image: Image, unread: Counter[str]) -> list[Annotation]:
    shape = _shape(element, image)
    if shape is None:
        unread[element.tag] += 1
        return []
    attributes = _attributes(element)
    if element.attributes.get("occluded", "0") == "1" and not isinstance(shape, Keypoints):
        attributes["occluded"] = "1"
    if element.attributes.get("z_order", "0") not in ("0", ""):
        attributes["z_order"] = element.attributes["z_order"]
    return [
        Annotation(
            document=image.name,
            label=element.own("label"),
            shape=shape,
            group=element.attributes.get("group_id", ""),
            attributes=attributes,
        )
    ]


def _attributes(element: Element) -> dict[str, str]:
    return {e.own("name"): "".join(e.words) for e in element.all("attribute")}


def _shape(element: Element, image: Image) -> Shape | None:
    match element.tag:
        case "box":
            return _box(element)
        case "polygon":
            ring = _points(element)
            if len(ring) < 3:
                element.complain(f"has {len(ring)} points; a polygon has 3")
            return Polygon(rings=(ring,))
        case "points":
            hidden = element.attributes.get("occluded", "0") == "1"
            visibility = OCCLUDED if hidden else VISIBLE
            points = (Keypoint(x=x, y=y, visibility=visibility) for x, y in _points(element))
            return Keypoints(points=tuple(points))
        case "skeleton":
            return Keypoints(points=tuple(_joint(e) for e in element.all("points")))
        case "mask":
            return _mask(element, image)
        case "tag":
            return Classification()
        case _:
            return None


def _box(element: Element) -> Box:
    left, top = element.number("xtl"), element.number("ytl")
    right, bottom = element.number("xbr"), element.number("ybr")
    if right < left or bottom < top:
        element.complain("ends before it begins (xbr < xtl or ybr < ytl)")
    turn = element.number("rotation") if "rotation" in element.attributes else 0.0
    return Box(x=left, y=top, width=right - left, height=bottom - top, rotation_deg=turn)


def _points(element: Element) -> Ring:
    ring = []
    for pair in element.own("points").split(";"):
        numbers = [number_of(cell.strip()) for cell in pair.split(",")]
        x, y = numbers if len(numbers) == 2 else (None, None)
        if x is None or y is None:
            element.complain(f"attribute points holds {shorten(pair)}, no x,y", code="T-A106")
            continue
        ring.append((x, y))
    return tuple(ring)


def _joint(element: Element) -> Keypoint:
    points = _points(element)
    if len(points) != 1:
        element.complain(f"is {len(points)} points; a joint is one")
    outside = element.attributes.get("outside", "0") == "1"
    occluded = element.attributes.get("occluded", "0") == "1"
    x, y = points[0] if points else (0.0, 0.0)
    return Keypoint(
        x=x,
        y=y,
        name=element.own("label"),
        visibility=HIDDEN if outside else OCCLUDED if occluded else VISIBLE,
    )


def _mask(element: Element, image: Image) -> Mask:
    nothing = Mask(width=0, height=0, counts=())
    left, top = element.whole("left"), element.whole("top")
    width, height = element.whole("width", least=1), element.whole("height", least=1)
    runs = [whole_of(cell.strip()) for cell in element.own("rle").split(",")]
    counts = [run for run in runs if run is not None and run >= 0]
    across, down = image.width or 0, image.height or 0
    if across * down > MOST_PIXELS:
        element.complain(f"lies on an image of over {MOST_PIXELS:,} pixels", code="T-A101")
        return nothing
    if left + width > across or top + height > down:
        element.complain("reaches out of the image", code="T-A120")
        return nothing
    if len(counts) < len(runs) or sum(counts) != width * height:
        element.complain(
            f"attribute rle does not cover the {width} x {height} pixels",
            code="T-A113",
            remedy="Export the mask again.",
        )
        return nothing
    part = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)
    pixels = np.zeros((down, across), dtype=bool)
    pixels[top : top + height, left : left + width] = part
    return encode_mask(pixels)


def _track(element: Element, film: Video, unread: Counter[str]) -> list[Annotation]:
    keys: dict[int, KeyFrame] = {}
    others = [child for child in element.children if child.tag != "box"]
    if others:
        unread["track"] += 1
        return []
    shared: dict[str, str] = {}
    for child in element.all("box"):
        if child.attributes.get("keyframe", "1") == "0":
            continue
        frame = child.whole("frame")
        if frame in keys:
            child.complain(f"is a second key frame {frame} of its track", code="T-A108")
        keys[frame] = KeyFrame(
            frame=frame,
            box=_box(child),
            outside=child.attributes.get("outside", "0") == "1",
            occluded=child.attributes.get("occluded", "0") == "1",
        )
        for key, value in _attributes(child).items():
            if shared.setdefault(key, value) != value:
                unread["attribute (changing along a track)"] += 1
    if not keys:
        element.complain("has no key frame", code="T-A105")
    return [
        Annotation(
            document=film.name,
            label=element.own("label"),
            shape=Track(keyframes=tuple(keys[frame] for frame in sorted(keys))),
            id=element.attributes.get("id", ""),
            group=element.attributes.get("group_id", ""),
            attributes=shared,
        )
    ]
