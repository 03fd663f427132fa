"""Label Studio JSON: a list of tasks, each with its data, annotations and predictions.

Read: rectangles with rotation, ellipses not, polygons, brush strokes, keypoints, spans of
text, regions of audio and video time lines, video rectangles, choices, and relations. Rules:
geometry is in percent of `original_width` and `original_height`; a rectangle turns about its
top left corner there and about its centre here; the annotator is `completed_by` (its e-mail
where it is an object) and, of a prediction, its model version; cancelled annotations are
counted and left out; offsets of text are code points, or UTF-16 units where the quoted text
says so, as older versions wrote. A `textarea` and a `number` of a region become attributes.
Source: labelstud.io/guide/task_format.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from titian.annotation.formats.complaints import Complaints
from titian.annotation.formats.json_source import Node, as_text, parse_json
from titian.annotation.formats.labelstudio_regions import (
    frame_ranges,
    picture_shape,
    span_of,
    track_of,
)
from titian.annotation.formats.labelstudio_write import write as write
from titian.annotation.formats.source import read_text
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Classification,
    Document,
    Image,
    LabelSet,
    Relation,
    Segment,
    Shape,
    Text,
    Video,
)

__all__ = ["read", "write"]
PICTURE = {
    "rectangle", "rectanglelabels", "polygon", "polygonlabels", "brush", "brushlabels",
    "keypoint", "keypointlabels",
}  # fmt: skip
SUFFIXES: dict[str, type[Document]] = {
    ".wav": Audio, ".mp3": Audio, ".flac": Audio, ".ogg": Audio, ".m4a": Audio,
    ".mp4": Video, ".webm": Video, ".mkv": Video, ".avi": Video, ".mov": Video,
}  # fmt: skip
KEYS: dict[str, type[Document]] = {
    "image": Image, "img": Image, "text": Text, "audio": Audio, "video": Video,
}  # fmt: skip


@dataclass(slots=True)
class _Reading:
    documents: dict[str, Document] = field(default_factory=dict)
    annotations: list[Annotation] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)


def read(path: Path) -> LabelSet:
    """Read one file.

    Raises:
        InputError: all that is wrong with it.
    """
    complaints = Complaints(path.name)
    root = Node(parse_json(read_text(path), name=path.name), "$", complaints)
    reading = _Reading()
    for place, task in enumerate(root.items(), 1):
        _task(task.object(), place, reading)
    complaints.raise_if_any()
    return LabelSet(
        documents=tuple(reading.documents.values()),
        annotations=tuple(reading.annotations),
        relations=tuple(reading.relations),
        notes=tuple(f"{n} {what} were not read." for what, n in reading.unread.items()),
    )


def _task(task: Node, place: int, reading: _Reading) -> None:
    rounds = (
        [n.object() for n in task["annotations"].items()] if task.has("annotations") else []
    )
    guesses = (
        [n.object() for n in task["predictions"].items()] if task.has("predictions") else []
    )
    results = [r for n in (*rounds, *guesses) for r in _results(n)]
    document = _document(task["data"].object(), results, task, place)
    if document.name in reading.documents:
        task.complain(f"is about {document.name!r}, as an earlier task", code="T-A108")
    reading.documents[document.name] = document
    for node in rounds:
        if node.has("was_cancelled") and node["was_cancelled"].flag():
            reading.unread["cancelled annotations"] += 1
            continue
        _results_of(node, document, _annotator(node), reading)
    for node in guesses:
        model = node["model_version"].text() if node.has("model_version") else ""
        _results_of(node, document, model or "prediction", reading)


def _results(node: Node) -> list[Node]:
    return [item.object() for item in node["result"].items()] if node.has("result") else []


def _annotator(node: Node) -> str:
    if not node.has("completed_by"):
        return ""
    by = node["completed_by"]
    if isinstance(by.value, dict):
        return (
            by["email"].text()
            if by.has("email")
            else as_text(by["id"].value if by.has("id") else "")
        )
    return as_text(by.value)


def _document(data: Node, results: list[Node], task: Node, place: int) -> Document:
    number = task["id"].whole() if task.has("id") else place
    key, kind = _kind(data, results)
    if not key:
        data.complain("holds no image, text, audio or video", code="T-A105")
        return Text(name=f"task-{number}", text="")
    value = data[key].text()
    if kind is Text:
        name = data["name"].label() if data.has("name") and key != "name" else f"task-{number}"
        return Text(name=name, text=value)
    if not value:
        data[key].complain("is empty; it names the document", code="T-A105")
    width, height = _size(data, results)
    seconds = data["duration_s"].number() if data.has("duration_s") else _duration(results)
    if kind is Image:
        return Image(name=value, width=width, height=height)
    if kind is Audio:
        return Audio(name=value, duration_s=seconds)
    frames = data["frames"].whole(least=1) if data.has("frames") else _frames(results)
    fps = data["fps"].number() if data.has("fps") else None
    return Video(
        name=value, width=width, height=height, frames=frames, fps=fps, duration_s=seconds
    )


def _kind(data: Node, results: list[Node]) -> tuple[str, type[Document]]:
    """Say which field of the data is annotated, and what it is."""
    fields = data.value if isinstance(data.value, dict) else {}
    texts = [key for key, value in fields.items() if isinstance(value, str)]
    for key in texts:
        if key in KEYS:
            return key, KEYS[key]
    types = {r["type"].value for r in results if isinstance(r["type"].value, str)}
    for key in texts:
        kind = SUFFIXES.get(PurePosixPath(data[key].text()).suffix.lower())
        if kind is not None:
            return key, kind
        if types & PICTURE or PurePosixPath(data[key].text()).suffix.lower() in (
            ".jpg",
            ".png",
            ".jpeg",
        ):
            return key, Image
    return (texts[0], Text) if texts else ("", Text)


def _size(data: Node, results: list[Node]) -> tuple[int | None, int | None]:
    sizes = {
        (r["original_width"].whole(least=1), r["original_height"].whole(least=1)): r
        for r in results
        if r.has("original_width") and r.has("original_height")
    }
    if len(sizes) > 1:
        list(sizes.values())[1]["original_width"].complain(
            f"and original_height differ from those of another region: {sorted(sizes)}"
        )
    if sizes:
        return next(iter(sizes))
    if data.has("width") and data.has("height"):
        return data["width"].whole(least=1), data["height"].whole(least=1)
    return None, None


def _duration(results: list[Node]) -> float | None:
    for result in results:
        if result.has("original_length"):
            return result["original_length"].number()
    return None


def _frames(results: list[Node]) -> int | None:
    for result in results:
        if isinstance(result["value"].value, dict) and result["value"].has("framesCount"):
            return result["value"]["framesCount"].whole(least=1)
    return None


def _results_of(node: Node, document: Document, annotator: str, reading: _Reading) -> None:
    results = _results(node)
    said: dict[str, dict[str, str]] = {}
    regions: dict[str, list[Node]] = {}
    for result in results:
        kind = result["type"].text()
        name = result["id"].text() if result.has("id") else ""
        if kind == "relation":
            ends = [result[key].text() for key in ("from_id", "to_id")]
            labels = (
                [n.text() for n in result["labels"].items()] if result.has("labels") else []
            )
            for label in labels or [""]:
                source, target = (f"{document.name}:{end}" for end in ends)
                reading.relations.append(Relation(label=label, source=source, target=target))
        elif kind in ("textarea", "number") and name:
            value = result["value"].object()
            words = value["text"].value if kind == "textarea" else value["number"].value
            key = result["from_name"].text() if result.has("from_name") else kind
            joined = (
                "\n".join(map(as_text, words)) if isinstance(words, list) else as_text(words)
            )
            said.setdefault(name, {})[key] = joined
        else:
            regions.setdefault(name or result.path, []).append(result)
    for name, parts in regions.items():
        _region(name, parts, document, annotator, said.get(name, {}), reading)


def _region(
    name: str,
    parts: list[Node],
    document: Document,
    annotator: str,
    attributes: dict[str, str],
    reading: _Reading,
) -> None:
    """Read what is said about one region: its shape, once, and its labels."""
    done: set[tuple[str, str]] = set()
    for part in parts:
        value = part["value"].object()
        kind = part["type"].text()
        own = not name.startswith("$")
        shapes = _shapes(kind, part, value, document)
        if shapes is None:
            reading.unread[f"results of type {kind}"] += 1
            continue
        for label in _labels(kind, value):
            for shape in shapes:
                if (label, repr(shape)) in done:
                    continue  # a shape and its labels come as two results of one id
                done.add((label, repr(shape)))
                number = f"{document.name}:{name}" if own else ""
                again = len(done) - 1
                reading.annotations.append(
                    Annotation(
                        document=document.name,
                        label=label,
                        shape=shape,
                        id=f"{number}:{again}" if number and again else number,
                        annotator=annotator,
                        score=part["score"].number() if part.has("score") else None,
                        group=number if number and again else "",
                        attributes=attributes
                        | (value["attributes"].texts() if value.has("attributes") else {}),
                    )
                )


def _labels(kind: str, value: Node) -> list[str]:
    key = kind if value.has(kind) else "labels"
    if not value.has(key):
        return [""] if kind not in ("choices", "taxonomy") else []
    labels = [node.text() for node in value[key].items()]
    return labels or [""]


def _shapes(kind: str, part: Node, value: Node, document: Document) -> list[Shape] | None:
    """Return the shapes of a result, or None for a type that is not read."""
    if kind == "choices":
        question = part["from_name"].text() if part.has("from_name") else ""
        return [Classification(question=question)]
    if kind in PICTURE and isinstance(document, Image):
        return [picture_shape(kind.removesuffix("labels"), part, value, document)]
    if kind == "videorectangle" and isinstance(document, Video):
        return [track_of(value, document)]
    if kind == "timelinelabels" and isinstance(document, Video):
        return list(frame_ranges(value, document))
    if kind in ("labels", "hypertextlabels") and isinstance(document, Text):
        return [span_of(value, document)]
    if kind in ("labels", "audio") and isinstance(document, Audio | Video):
        channel = value["channel"].whole(least=0) + 1 if value.has("channel") else None
        return [
            Segment(
                start_s=value["start"].number(), end_s=value["end"].number(), channel=channel
            )
        ]
    return None
