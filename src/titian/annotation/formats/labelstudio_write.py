"""Writing Label Studio JSON: a task for each document, a round for each annotator."""

from __future__ import annotations

from pathlib import Path

from titian.annotation.formats.complaints import plain, refusal
from titian.annotation.formats.json_source import write_json
from titian.annotation.formats.labelstudio_regions import corner_of
from titian.annotation.formats.labelstudio_runs import pack
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.masks import decode_mask
from titian.annotation.shapes import (
    VISIBLE,
    Annotation,
    Audio,
    Box,
    Classification,
    Document,
    Image,
    KeyFrame,
    Keypoints,
    LabelSet,
    Mask,
    Polygon,
    Segment,
    Text,
    TextSpan,
    Track,
    Video,
)
from titian.annotation.tracks import keyframe_at

Json = dict[str, object]


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write one file.

    Raises:
        InputError: a shape needs the size of its picture, which no one says.
    """
    tally = Tally("Label Studio")
    chosen = tally.select(
        label_set,
        documents=(Image, Text, Audio, Video),
        shapes=(
            Box, Polygon, Mask, Keypoints, TextSpan, Segment, Track, Classification,
        ),
    )  # fmt: skip
    tasks: list[Json] = []
    ends: dict[str, tuple[int, str, str]] = {}  # id -> task, annotator, region
    results: dict[tuple[int, str], list[Json]] = {}
    for number, (document, found) in enumerate(chosen, 1):
        tally.fields(found, "group")
        for order, annotation in enumerate(found, 1):
            region = annotation.id.removeprefix(f"{document.name}:") or f"r{order}"
            if annotation.id and region == annotation.id:
                tally.add("ids", "a region is named within its own task.")
            if annotation.id:
                ends[annotation.id] = (number, annotation.annotator, region)
            written = _results(annotation, document, region, tally)
            results.setdefault((number, annotation.annotator), []).extend(written)
        tasks.append({"id": number, "data": _data(document)})
    for tie in label_set.relations:
        source, target = ends.get(tie.source), ends.get(tie.target)
        if source is None or target is None or source[:2] != target[:2]:
            tally.add("relations", "their ends are not two regions of one annotator.")
            continue
        relation: Json = {
            "type": "relation", "from_id": source[2], "to_id": target[2], "direction": "right",
        }  # fmt: skip
        if tie.label:
            relation["labels"] = [tie.label]
        results[source[:2]].append(relation)
    rounds: dict[int, list[Json]] = {}
    for (number, who), regions in results.items():
        author: Json = {"completed_by": {"email": who}} if who else {}
        rounds.setdefault(number, []).append({"result": regions} | author)
    for number, task in enumerate(tasks, 1):
        task["annotations"] = rounds.get(number, [])
    path.write_text(write_json(tasks), encoding="utf-8", newline="")
    return tally.losses()


def _data(document: Document) -> Json:
    if isinstance(document, Text):
        return {"text": document.text, "name": document.name}
    facts: Json = {type(document).__name__.lower(): document.name}
    for key in ("width", "height", "frames", "fps", "duration_s"):
        value = getattr(document, key, None)
        if value is not None:
            facts[key] = value
    return facts


def _results(
    annotation: Annotation, document: Document, region: str, tally: Tally
) -> list[Json]:
    common: Json = {"id": region, "to_name": type(document).__name__.lower()}
    if annotation.score is not None:
        common["score"] = plain(annotation.score)
    extra: Json = {"attributes": dict(annotation.attributes)} if annotation.attributes else {}
    label = [annotation.label]
    match annotation.shape:
        case Classification(question=question):
            tally.add("questions", "choices need a name; choice is written.", int(not question))
            choice: Json = {
                "type": "choices",
                "from_name": question or "choice",
                "value": {"choices": label} | extra,
            }
            return [common | choice]
        case TextSpan() as span if isinstance(document, Text):
            tally.add("gaps in spans", "each piece is a span of its own.", len(span.gaps))
            values: list[Json] = [
                {"start": a, "end": b, "text": document.text[a:b], "labels": label} | extra
                for a, b in span.pieces
            ]
            return [
                common | {"id": f"{region}-{n}" if n else region} | _labelled("labels", value)
                for n, value in enumerate(values)
            ]
        case Segment() as segment if isinstance(document, Audio | Video):
            tally.add("speakers", "a region has a label only.", int(bool(segment.speaker)))
            banded = segment.low_hz is not None or segment.high_hz is not None
            tally.add("bands", "a region has no frequencies.", int(banded))
            value: Json = {"start": segment.start_s, "end": segment.end_s, "labels": label}
            if segment.channel is not None:
                value["channel"] = segment.channel - 1
            return [common | _labelled("labels", value | extra)]
        case Track() as track if isinstance(document, Video):
            sequence = _sequence(track, *_size(document), tally)
            value = {"sequence": sequence, "labels": label}
            if document.frames:
                value["framesCount"] = document.frames
            return [common | _labelled("videorectangle", value | extra)]
        case Box() | Polygon() | Keypoints() | Mask() if isinstance(document, Image):
            return _picture(annotation, document, common, extra, tally)
        case _:
            tally.add("annotations", "their shape lies on a document of another kind.")
            return []


def _labelled(kind: str, value: Json) -> Json:
    return {"type": kind, "from_name": "label", "value": value}


def _size(document: Image | Video) -> tuple[int, int]:
    if not document.width or not document.height:
        raise refusal(
            "T-A114",
            f"document {document.name!r}",
            "has no size, of which Label Studio writes percents",
            "Give its width and height.",
        )
    return document.width, document.height


def _picture(
    annotation: Annotation, image: Image, common: Json, extra: Json, tally: Tally
) -> list[Json]:
    width, height = _size(image)
    common = common | {"original_width": width, "original_height": height, "image_rotation": 0}
    across, down = width / 100, height / 100
    label = [annotation.label]
    values: list[tuple[str, Json]] = []
    match annotation.shape:
        case Box() as box:
            values.append(("rectanglelabels", _rectangle(box, width, height)))
        case Polygon(rings=rings):
            tally.add("parts of outlines", "each is a polygon of its own.", len(rings) - 1)
            for ring in rings:
                points = [[x / across, y / down] for x, y in ring]
                values.append(("polygonlabels", {"points": points, "closed": True}))
        case Keypoints(points=points_):
            tally.add(
                "sets of keypoints",
                "each point is a region of its own.",
                int(len(points_) != 1),
            )
            tally.add(
                "names of keypoints", "points have none.", sum(bool(p.name) for p in points_)
            )
            hidden = sum(p.visibility != VISIBLE for p in points_)
            tally.add("visibilities of keypoints", "points have none.", hidden)
            for p in points_:
                spot: Json = {"x": p.x / across, "y": p.y / down, "width": 0.5}
                values.append(("keypointlabels", spot))
        case Mask() as mask:
            values.append(("brushlabels", {"format": "rle", "rle": pack(decode_mask(mask))}))
        case _:  # the selection has left these out
            pass
    region = common["id"]
    return [
        common
        | {"id": region if not n else f"{region}-{n}"}
        | _labelled(kind, value | {kind: label} | extra)
        for n, (kind, value) in enumerate(values)
    ]


def _rectangle(box: Box, width: int, height: int) -> Json:
    x, y = corner_of(box)
    return {
        "x": x * 100 / width,
        "y": y * 100 / height,
        "width": box.width * 100 / width,
        "height": box.height * 100 / height,
        "rotation": plain(box.rotation_deg),
    }


def _sequence(track: Track, width: int, height: int, tally: Tally) -> list[Json]:
    last_seen: dict[int, KeyFrame] = {}
    keys = track.keyframes
    for place, key in enumerate(keys):
        after = keys[place + 1] if place + 1 < len(keys) else None
        doubt = key.occluded or key.visibility is not None or key.score is not None
        why = "a box is not occluded, visible by a share, or sure to a degree."
        tally.add("facts of boxes", why, int(doubt))
        if key.outside:
            continue
        last_seen[key.frame] = key
        if track.interpolated and after is not None and after.outside:
            end = keyframe_at(track, after.frame - 1)
            if end is not None:
                last_seen[end.frame] = end
    frames = sorted(last_seen)
    sequence: list[Json] = []
    for frame in frames:
        follows = keyframe_at(track, frame + 1) is not None
        sequence.append(
            {"frame": frame + 1, "enabled": follows}
            | _rectangle(last_seen[frame].box, width, height)
        )
    if sequence and track.interpolated and not keys[-1].outside:
        sequence[-1]["enabled"] = True
    return sequence
