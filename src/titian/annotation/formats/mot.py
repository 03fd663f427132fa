"""MOTChallenge: a folder for each film, a line for each object and frame.

``<film>/gt/gt.txt`` holds ``frame,id,left,top,width,height,considered,class,visibility`` (or
ten fields with a confidence and -1s, as detections and results do), ``gt/labels.txt`` the names
of the classes, ``seqinfo.ini`` the film. Rules: frames count from 1; left and top are read
as they are; an id of -1 is an object of one frame; a confidence of 1 or -1 says nothing; every
frame is written, so key frames are not kept. Source: motchallenge.net/instructions.
"""

from __future__ import annotations

import configparser
from collections import defaultdict
from pathlib import Path

from titian.annotation.formats.complaints import (
    Complaints,
    number_of,
    plain,
    refusal,
    shorten,
    shortest,
    whole_of,
)
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.source import check_names, files_of, read_text, write_file
from titian.annotation.shapes import (
    Annotation,
    Box,
    KeyFrame,
    LabelClass,
    LabelSet,
    Track,
    Video,
    used_classes,
)
from titian.annotation.tracks import seen_frames

FIX = "Correct the line."
TABLES = ("gt.txt", "det.txt")
UNKNOWN_CLASS = -1


def read(path: Path) -> LabelSet:
    """Read one table, the folder of one film, or a folder of films.

    Raises:
        InputError: all that is wrong with them.
    """
    complaints = Complaints(path.name)
    tables = files_of(path, ".txt")
    if path.is_dir():
        tables = [item for item in tables if item[0].name in TABLES] or [
            item for item in tables if item[0].name != "labels.txt"
        ]
    videos: dict[str, Video] = {}
    annotations: list[Annotation] = []
    classes: dict[str, LabelClass] = {}
    for file, name in tables:
        home = file.parent.parent if file.parent.name in ("gt", "det") else file.parent
        film = _film(home / "seqinfo.ini") if (home / "seqinfo.ini").is_file() else None
        stem = home.name if home != file.parent else file.stem
        video = film or Video(name=stem or "film")
        if video.name in videos:
            complaints.add("T-A108", name, f"is about {video.name!r}, as another table", FIX)
        videos[video.name] = video
        names = _names(file.with_name("labels.txt"))
        for number, label in names.items():
            classes.setdefault(label, LabelClass(name=label, number=number))
        inside = Complaints(name)
        annotations += _tracks(read_text(file, name=name), video.name, names, inside)
        complaints.take(inside)
    complaints.raise_if_any()
    for annotation in annotations:
        classes.setdefault(annotation.label, LabelClass(name=annotation.label))
    return LabelSet(
        documents=tuple(videos.values()),
        annotations=tuple(annotations),
        classes=tuple(classes.values()),
    )


def _film(file: Path) -> Video:
    parser = configparser.ConfigParser(interpolation=None)
    complaints = Complaints(file.name)
    try:
        parser.read_string(read_text(file))
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        place = f"{file.name}, line {line}" if line else file.name
        raise refusal("T-A109", place, "is no table of keys and values", FIX) from error
    section = dict(parser["Sequence"]) if parser.has_section("Sequence") else {}
    facts: dict[str, int | None] = {}
    for key in ("seqlength", "imwidth", "imheight"):
        value = whole_of(section[key]) if key in section else None
        if key in section and (value is None or value < 1):
            complaints.add("T-A106", key, f"is {shorten(section[key])}, no whole number", FIX)
        facts[key] = value
    fps = number_of(section["framerate"]) if "framerate" in section else None
    if "framerate" in section and (fps is None or fps <= 0):
        complaints.add("T-A106", "framerate", f"is {shorten(section['framerate'])}", FIX)
    complaints.raise_if_any()
    return Video(
        name=section.get("name") or file.parent.name or "film",
        width=facts["imwidth"],
        height=facts["imheight"],
        frames=facts["seqlength"],
        fps=fps,
    )


def _names(file: Path) -> dict[int, str]:
    if not file.is_file():
        return {}
    lines = read_text(file).rstrip("\r\n").split("\n")
    return {number: line.rstrip("\r") for number, line in enumerate(lines, 1) if line.strip()}


def _tracks(
    text: str, video: str, names: dict[int, str], complaints: Complaints
) -> list[Annotation]:
    rows: dict[tuple[int, int], dict[int, KeyFrame]] = defaultdict(dict)
    labels: dict[tuple[int, int], int] = {}
    alone = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        parsed = _row(line, place, complaints)
        if parsed is None:
            continue
        track, label, key = parsed
        if label != UNKNOWN_CLASS and names and label not in names:
            complaints.add("T-A107", place, f"has the class {label}, which has no name", FIX)
        alone += track == -1
        name = (track, alone if track == -1 else 0)
        if key.frame in rows[name]:
            complaints.add(
                "T-A108",
                place,
                f"object {track} has a second box in frame {key.frame + 1}",
                FIX,
            )
        if labels.setdefault(name, label) != label:
            complaints.add(
                "T-A107", place, f"object {track} was of class {labels[name]}, not {label}", FIX
            )
        rows[name][key.frame] = key
    return [
        Annotation(
            document=video,
            label=""
            if labels[name] == UNKNOWN_CLASS
            else names.get(labels[name], str(labels[name])),
            shape=Track(
                keyframes=tuple(keys[frame] for frame in sorted(keys)), interpolated=False
            ),
            id="" if name[0] == -1 else f"{video}:{name[0]}",
        )
        for name, keys in rows.items()
    ]


def _row(line: str, place: str, complaints: Complaints) -> tuple[int, int, KeyFrame] | None:
    cells = [cell.strip() for cell in line.split(",")]
    numbers = [number_of(cell) for cell in cells]
    if not 7 <= len(cells) <= 10 or None in numbers:
        complaints.add("T-A109", place, f"{shorten(line)} is not 7 to 10 numbers", FIX)
        return None
    values = [number or 0.0 for number in numbers]
    frame, track, x, y, width, height, score = values[:7]
    gt = len(values) in (8, 9)
    label = values[7] if gt else float(UNKNOWN_CLASS)
    visibility = values[8] if len(values) == 9 else -1.0
    if not (
        frame.is_integer() and 1 <= frame < 2**31 and track.is_integer() and abs(track) < 2**53
    ):
        complaints.add(
            "T-A107", place, f"frame {plain(frame)} and id {plain(track)}: frames are whole "
            "from 1, ids whole", FIX
        )  # fmt: skip
        return None
    if not label.is_integer() or abs(label) > 2**31 or width < 0 or height < 0:
        complaints.add("T-A107", place, "has a negative size or a class that is not whole", FIX)
        return None
    key = KeyFrame(
        frame=int(frame) - 1,
        box=Box(x=x, y=y, width=width, height=height),
        visibility=visibility if 0 <= visibility <= 1 else None,
        score=None if score in (1.0, -1.0) else score,
    )
    return int(track), int(label), key


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write a folder of films; each frame between key frames gets its own line.

    Raises:
        InputError: a name is no file name.
    """
    tally = Tally("MOT")
    chosen = tally.select(label_set, documents=(Video,), shapes=(Track,))
    tally.relations(label_set)
    homes = check_names((d.name for d, _ in chosen), suffix="", target=path.name)
    named = [item.name for item in used_classes(label_set) if item.name]
    order = {name: number for number, name in enumerate(named, 1)}
    complaints = Complaints(path.name)
    for name in order:
        if not name.isprintable() or not name.strip():
            complaints.add(
                "T-A119", f"class {name!r}", "its name is not one line", "Rename it."
            )
    complaints.raise_if_any()
    path.mkdir(parents=True, exist_ok=True)
    for document, found in chosen:
        tally.fields(found, "annotator", "group", "score", "attributes")
        if not isinstance(document, Video):
            continue
        tally.add("durations", "seqinfo.ini has none.", int(document.duration_s is not None))
        home = homes[document.name]
        write_file(path, home / "seqinfo.ini", _sequence(document))
        write_file(path, home / "gt" / "labels.txt", "".join(f"{name}\n" for name in order))
        write_file(path, home / "gt" / "gt.txt", _table(document.name, found, order, tally))
    return tally.losses()


def _sequence(video: Video) -> str:
    facts = {
        "name": video.name,
        "frameRate": None if video.fps is None else shortest(video.fps),
        "seqLength": video.frames,
        "imWidth": video.width,
        "imHeight": video.height,
    }
    lines = [f"{key}={value}" for key, value in facts.items() if value is not None]
    return "\n".join(["[Sequence]", *lines]) + "\n"


def _table(
    video: str, annotations: list[Annotation], order: dict[str, int], tally: Tally
) -> str:
    own = [annotation.id.removeprefix(f"{video}:") for annotation in annotations]
    numbers = [whole_of(name) if str(whole_of(name)) == name else None for name in own]
    if None in numbers or len(set(numbers)) < len(numbers) or any(n and n < 0 for n in numbers):
        why = "objects are numbered from 1 in each film."
        tally.add("ids", why, sum(bool(annotation.id) for annotation in annotations))
        numbers = list(range(1, len(annotations) + 1))
    rows: list[tuple[int, int, str]] = []
    for annotation, number in zip(annotations, numbers, strict=True):
        track = annotation.shape
        if not isinstance(track, Track):
            continue
        if track.interpolated:
            tally.add("key frames", "a box is written for every frame.", len(track.keyframes))
        for key in seen_frames(track):
            tally.add("rotations of boxes", "MOT has none.", int(key.box.rotation_deg != 0))
            tally.add("occlusions", "MOT has a share of visibility.", int(key.occluded))
            tally.add("scores of 1 or -1", "these say nothing here.", int(key.score in (1, -1)))
            box = key.box
            cells = [
                *map(shortest, (box.x, box.y, box.width, box.height)),
                "1" if key.score is None else shortest(key.score),
                str(order[annotation.label] if annotation.label else UNKNOWN_CLASS),
                "-1" if key.visibility is None else shortest(key.visibility),
            ]
            rows.append((key.frame + 1, number or 0, ",".join(cells)))
    return "".join(f"{frame},{number},{cells}\n" for frame, number, cells in sorted(rows))
