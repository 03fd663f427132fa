"""Writing CVAT XML 1.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from titian.annotation.formats.complaints import refusal, shortest
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.xml_source import check_writable, render
from titian.annotation.masks import decode_mask
from titian.annotation.shapes import (
    HIDDEN,
    OCCLUDED,
    VISIBLE,
    Annotation,
    Box,
    Classification,
    Image,
    KeyFrame,
    Keypoints,
    LabelSet,
    Mask,
    Polygon,
    Ring,
    Track,
    Video,
    used_classes,
)


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write one file of images, or of one film.

    Raises:
        InputError: there are images and films, or several films; a text that XML cannot hold.
    """
    tally = Tally("CVAT")
    films = [d for d in label_set.documents if isinstance(d, Video)]
    images = [d for d in label_set.documents if isinstance(d, Image)]
    if len(films) > 1 or (films and images):
        raise refusal(
            "T-A117",
            path.name,
            f"one file holds images or one film, and there are {len(images)} images and "
            f"{len(films)} films",
            "Convert them apart.",
        )
    check_writable(label_set, target=path.name)
    tally.relations(label_set)
    if films:
        chosen = tally.select(label_set, documents=(Video,), shapes=(Track,))
        body = _film(chosen[0][1], tally)
    else:
        chosen = tally.select(
            label_set,
            documents=(Image,),
            shapes=(Box, Polygon, Mask, Keypoints, Classification),
        )
        body = [
            _image(n, d, found, tally)
            for n, (d, found) in enumerate(chosen)
            if isinstance(d, Image)
        ]
    head = [render("version", text="1.1"), _meta(label_set, films)]
    text = '<?xml version="1.0" encoding="utf-8"?>\n' + render(
        "annotations", None, *head, *body
    )
    if films:
        facts = sum(fact is not None for fact in (films[0].fps, films[0].duration_s))
        tally.add("facts of films", "CVAT writes no rate and no duration.", facts)
    path.write_text(text + "\n", encoding="utf-8", newline="")
    return tally.losses()


def _meta(label_set: LabelSet, films: list[Video]) -> str:
    labels = [
        render("label", None, render("name", text=item.name))
        for item in used_classes(label_set)
        if item.name
    ]
    film = films[0] if films else None
    count = len(label_set.documents) if film is None else film.frames or 0
    parts = [
        render("name", text=film.name if film else "labels"),
        render("size", text=str(count)),
        render("mode", text="interpolation" if film else "annotation"),
        render("labels", None, *labels),
    ]
    if film and film.width and film.height:
        size = (render("width", text=str(film.width)), render("height", text=str(film.height)))
        parts.append(render("original_size", None, *size))
    return render("meta", None, render("task", None, *parts))


def _image(number: int, image: Image, annotations: list[Annotation], tally: Tally) -> str:
    if not image.width or not image.height:
        raise refusal(
            "T-A114",
            f"document {image.name!r}",
            "has no size, which CVAT needs",
            "Give the image's width and height.",
        )
    tally.fields(annotations, "id", "annotator", "score")
    shapes = [text for a in annotations for text in _shapes(a, tally)]
    facts: dict[str, object] = {
        "id": number, "name": image.name, "width": image.width, "height": image.height,
    }  # fmt: skip
    return render("image", facts, *shapes)


def _group(annotation: Annotation, tally: Tally) -> dict[str, object]:
    group = annotation.group
    if group and not (group.isdecimal() and group.isascii()):
        tally.add("groups", "they are numbers here.")
        return {}
    return {"group_id": group} if group else {}


def _shapes(annotation: Annotation, tally: Tally) -> list[str]:
    attributes = dict(annotation.attributes)
    facts: dict[str, object] = {"label": annotation.label, "source": "manual"}
    shape = annotation.shape
    if not isinstance(shape, Keypoints | Classification):
        facts["occluded"] = int(attributes.get("occluded") == "1")
        if facts["occluded"]:
            del attributes["occluded"]
    z_order = attributes.get("z_order", "")
    if not isinstance(shape, Classification):
        whole = z_order.removeprefix("-").isdecimal() and z_order.isascii()
        facts["z_order"] = attributes.pop("z_order") if whole else 0
    facts |= _group(annotation, tally)
    said = [render("attribute", {"name": k}, text=v) for k, v in attributes.items()]
    match shape:
        case Box() as box:
            return [render("box", facts | _edges(box), *said)]
        case Polygon(rings=rings):
            tally.add("parts of outlines", "each is a polygon of its own.", len(rings) - 1)
            return [
                render("polygon", facts | {"points": _points(ring)}, *said) for ring in rings
            ]
        case Keypoints(points=points):
            seen = {point.visibility for point in points}
            if any(p.name for p in points) or len(seen) > 1 or HIDDEN in seen:
                joints = [
                    render(
                        "points",
                        {
                            "label": p.name,
                            "outside": int(p.visibility == HIDDEN),
                            "occluded": int(p.visibility == OCCLUDED),
                            "points": _points(((p.x, p.y),)),
                        },
                    )
                    for p in points
                ]
                return [render("skeleton", facts, *said, *joints)]
            hidden = int(seen != {VISIBLE})
            ring = tuple((p.x, p.y) for p in points)
            return [
                render("points", facts | {"occluded": hidden, "points": _points(ring)}, *said)
            ]
        case Mask() as mask:
            return [render("mask", facts | _runs(mask), *said)]
        case Classification(question=question):
            tally.add("questions", "a tag has none.", int(bool(question)))
            return [render("tag", facts, *said)]
        case _:  # the selection has left these out
            return []


def _edges(box: Box) -> dict[str, object]:
    edges: dict[str, object] = {
        "xtl": shortest(box.x),
        "ytl": shortest(box.y),
        "xbr": shortest(box.x + box.width),
        "ybr": shortest(box.y + box.height),
    }
    if box.rotation_deg:
        edges["rotation"] = shortest(box.rotation_deg)
    return edges


def _points(ring: Ring) -> str:
    return ";".join(f"{shortest(x)},{shortest(y)}" for x, y in ring)


def _runs(mask: Mask) -> dict[str, object]:
    pixels = decode_mask(mask)
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, 1)
    left, right = (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, 1)
    flat = pixels[top:bottom, left:right].ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    runs = [0, *counts] if flat[0] else counts
    return {
        "rle": ", ".join(map(str, runs)),
        "left": left,
        "top": top,
        "width": right - left,
        "height": bottom - top,
    }


def _film(annotations: list[Annotation], tally: Tally) -> list[str]:
    tally.fields(annotations, "annotator", "score")
    numbered = all(a.id.isdecimal() and a.id.isascii() for a in annotations)
    if not numbered or len({a.id for a in annotations}) < len(annotations):
        why = "tracks are numbered from 0."
        tally.add("ids", why, sum(bool(annotation.id) for annotation in annotations))
        numbered = False
    tracks = []
    for place, annotation in enumerate(annotations):
        if not isinstance(annotation.shape, Track):
            continue
        said = [
            render("attribute", {"name": key}, text=value)
            for key, value in annotation.attributes.items()
        ]
        boxes = [_key(key, said, tally) for key in _keys(annotation.shape)]
        facts: dict[str, object] = {
            "id": annotation.id if numbered else place,
            "label": annotation.label,
            "source": "manual",
        }
        tracks.append(render("track", facts | _group(annotation, tally), *boxes))
    return tracks


def _keys(track: Track) -> list[KeyFrame]:
    """Return the key frames; where nothing is interpolated, with an end after each stretch."""
    if track.interpolated:
        return list(track.keyframes)
    keys: list[KeyFrame] = []
    for key in track.keyframes:
        if keys and keys[-1].frame < key.frame - 1 and not keys[-1].outside:
            last = keys[-1]
            keys.append(KeyFrame(frame=last.frame + 1, box=last.box, outside=True))
        keys.append(key)
    if keys and not keys[-1].outside:
        keys.append(KeyFrame(frame=keys[-1].frame + 1, box=keys[-1].box, outside=True))
    return keys


def _key(key: KeyFrame, said: list[str], tally: Tally) -> str:
    tally.add(
        "visibilities of boxes", "a box is occluded or not.", int(key.visibility is not None)
    )
    tally.add("scores of boxes", "a box has none.", int(key.score is not None))
    facts: dict[str, object] = {
        "frame": key.frame,
        "outside": int(key.outside),
        "occluded": int(key.occluded),
        "keyframe": 1,
    }
    return render("box", facts | _edges(key.box), *said)
