"""Shapes of Label Studio: percent to pixels and back, and what its time lines say."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, radians, sin

from titian.annotation.formats.complaints import shorten
from titian.annotation.formats.json_source import Node
from titian.annotation.formats.labelstudio_runs import unpack
from titian.annotation.masks import encode_mask
from titian.annotation.shapes import (
    Box,
    Image,
    KeyFrame,
    Keypoint,
    Keypoints,
    Mask,
    Polygon,
    Segment,
    Shape,
    Text,
    TextSpan,
    Track,
    Video,
)

MOST_PIXELS = 1 << 28  # of one mask


def picture_shape(kind: str, part: Node, value: Node, image: Image) -> Shape:
    """Read a rectangle, a polygon, a brush stroke or a keypoint."""
    if not image.width or not image.height:
        part.complain("has no original_width and original_height", code="T-A114")
        return Box(x=0, y=0, width=0, height=0)
    across, down = image.width / 100, image.height / 100
    match kind:
        case "rectangle":
            return box_of(value, image.width, image.height)
        case "polygon":
            points = [node.numbers(least=2) for node in value["points"].items()]
            if len(points) < 3:
                value["points"].complain(f"has {len(points)} points; a polygon has 3")
            return Polygon(rings=(tuple((p[0] * across, p[1] * down) for p in points),))
        case "keypoint":
            x, y = value["x"].number() * across, value["y"].number() * down
            return Keypoints(points=(Keypoint(x=x, y=y),))
        case _:
            return _brush(value, image.width, image.height)


def box_of(value: Node, width: int, height: int) -> Box:
    """Read a rectangle that turns about its top left corner."""
    across, down = width / 100, height / 100
    x, y = value["x"].number() * across, value["y"].number() * down
    wide, high = value["width"].number() * across, value["height"].number() * down
    turn = value["rotation"].number() if value.has("rotation") else 0.0
    if wide < 0 or high < 0:
        value.complain("has a negative size")
    return turned_box(x, y, wide, high, turn)


def turned_box(x: float, y: float, width: float, height: float, turn: float) -> Box:
    """Return the box with this top left corner after turning about it."""
    if turn == 0:
        return Box(x=x, y=y, width=width, height=height)
    dx, dy = _from_corner_to_centre(width, height, turn)
    left, top = x + dx - width / 2, y + dy - height / 2
    return Box(x=left, y=top, width=width, height=height, rotation_deg=turn)


def corner_of(box: Box) -> tuple[float, float]:
    """Return where a box's top left corner is after rotation."""
    if box.rotation_deg == 0:
        return box.x, box.y
    dx, dy = _from_corner_to_centre(box.width, box.height, box.rotation_deg)
    return box.x + box.width / 2 - dx, box.y + box.height / 2 - dy


def _from_corner_to_centre(width: float, height: float, turn: float) -> tuple[float, float]:
    across, along = cos(radians(turn)), sin(radians(turn))
    half_width, half_height = width / 2, height / 2
    return (
        half_width * across - half_height * along,
        half_width * along + half_height * across,
    )


def _brush(value: Node, width: int, height: int) -> Mask:
    runs = value["rle"]
    numbers = [number.whole(least=0) for number in runs.items()]
    nothing = Mask(width=width, height=height, counts=(width * height,))
    if width * height > MOST_PIXELS:
        runs.complain(f"lies on an image of over {MOST_PIXELS:,} pixels", code="T-A101")
        return nothing
    try:
        return encode_mask(unpack(bytes(numbers), width=width, height=height))
    except ValueError as error:
        runs.complain(str(error), code="T-A113", remedy="Export the mask again.")
        return nothing


def span_of(value: Node, document: Text) -> TextSpan:
    """Read a span; where the quoted text fits UTF-16 units only, they are what is counted."""
    place = value["globalOffsets"].object() if value.has("globalOffsets") else value
    start, end = place["start"].whole(least=0), place["end"].whole(least=0)
    if value.has("text"):
        quoted, text = value["text"].text(), document.text
        if quoted != text[start:end]:
            units = text.encode("utf-16-le")
            parts = [units[: 2 * n].decode("utf-16-le", errors="ignore") for n in (start, end)]
            if parts[1][len(parts[0]) :] == quoted:
                start, end = len(parts[0]), len(parts[1])
            else:
                value["text"].complain(
                    f"is {shorten(quoted)}, but the text from {start} to {end} is "
                    f"{shorten(text[start:end])}",
                    remedy="Export the task with the text that was annotated.",
                )
    return TextSpan(start=start, end=end)


def track_of(value: Node, video: Video) -> Track:
    """Read the sequence of a video rectangle; frames count from 1 there.

    A frame that is not enabled is the last one that the object is seen in.
    """
    if not video.width or not video.height:
        value.complain(
            "is in percent of a film whose size no one says",
            code="T-A114",
            remedy="Add width and height, in pixels, to the task's data.",
        )
        return Track(keyframes=())
    keys: dict[int, KeyFrame] = {}
    ends: dict[int, Box] = {}
    for node in value["sequence"].items():
        item = node.object()
        frame = item["frame"].whole(least=1) - 1
        if frame in keys:
            item["frame"].complain(f"is {frame + 1}, as that of another box", code="T-A108")
        box = box_of(item, video.width, video.height)
        keys[frame] = KeyFrame(frame=frame, box=box)
        if item.has("enabled") and not item["enabled"].flag():
            ends[frame + 1] = box
    for frame, box in ends.items():
        keys.setdefault(frame, KeyFrame(frame=frame, box=box, outside=True))
    return Track(keyframes=tuple(keys[frame] for frame in sorted(keys)))


def frame_ranges(value: Node, video: Video) -> Iterator[Segment]:
    """Read the ranges of a time line; frames count from 1, both ends are in."""
    for node in value["ranges"].items():
        item = node.object()
        start, end = item["start"].whole(least=1) - 1, item["end"].whole(least=1)
        if not video.fps or video.fps <= 0:
            item.complain(
                "counts frames of a film whose rate no one says",
                code="T-A114",
                remedy="Add fps to the task's data.",
            )
            return
        yield Segment(start_s=start / video.fps, end_s=end / video.fps)
