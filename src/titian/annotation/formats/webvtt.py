"""WebVTT: a file for each recording, a cue for each segment.

The words of a cue are the label, its voice (``<v Name>``) is the speaker; a cue of several
voices becomes a segment for each. Rules: other tags are left out and counted; times have
milliseconds; the recording is named after its file. Source: www.w3.org/TR/webvtt1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from titian.annotation.formats.complaints import Complaints, shorten
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.formats.recordings import segments_by_file, write_each
from titian.annotation.formats.source import files_of, read_text
from titian.annotation.shapes import Annotation, Audio, LabelSet, Segment

FIX = "Correct the line."
_TIME = r"(?:(\d{2,9}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMING = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+(\S.*?))?[ \t]*", re.ASCII)
_CUE_NAME = re.compile(r"(?!(?:NOTE|STYLE|REGION)(?:\s|$))[^\r\n\0]+")
_VOICE = re.compile(r"<v(?:\.[^ \t>]*)?[ \t]([^>]*)>")
_TAG = re.compile(r"<[^>]*>")
_NAMED = {"&lt;": "<", "&gt;": ">", "&nbsp;": "\u00a0", "&lrm;": "\u200e", "&rlm;": "\u200f"}


def read(path: Path) -> LabelSet:
    """Read one file or the ``.vtt`` files of a folder.

    Raises:
        InputError: all that is wrong with them.
    """
    complaints = Complaints(path.name)
    documents: list[Audio] = []
    annotations: list[Annotation] = []
    tags = 0
    for file, name in files_of(path, ".vtt"):
        inside = Complaints(name)
        recording = name[: -len(file.suffix)] if file.suffix else name
        documents.append(Audio(name=recording))
        for annotation, dropped in _cues(read_text(file, name=name), recording, inside):
            annotations.append(annotation)
            tags += dropped
        complaints.take(inside)
    complaints.raise_if_any()
    notes = (f"{tags} tags within cues were left out.",) if tags else ()
    return LabelSet(documents=tuple(documents), annotations=tuple(annotations), notes=notes)


def _cues(
    text: str, recording: str, complaints: Complaints
) -> Iterator[tuple[Annotation, int]]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not re.fullmatch(r"WEBVTT([ \t].*)?", lines[0]):
        complaints.add("T-A109", "line 1", "does not start with WEBVTT", "Put it there.")
        return
    for first, block in _blocks(lines):
        begin = block[0].split(maxsplit=1)[:1]
        aside = first == 1 or begin in (["NOTE"], ["STYLE"], ["REGION"])
        if aside and "-->" not in "".join(block[:2]):
            continue
        row = 0 if "-->" in block[0] else 1
        timing = _TIMING.fullmatch(block[row]) if row < len(block) else None
        if timing is None:
            complaints.add(
                "T-A109",
                f"line {first + min(row, len(block) - 1)}",
                f"{shorten(block[min(row, len(block) - 1)])} is not a cue's timing "
                "(00:00:01.000 --> 00:00:02.000)",
                FIX,
            )
            continue
        start, end = _seconds(timing.groups()[:4]), _seconds(timing.groups()[4:8])
        if end < start:
            place = f"line {first + row}"
            complaints.add("T-A107", place, "the cue ends before it begins", FIX)
        name = block[0] if row else ""
        settings = {"settings": timing[9]} if timing[9] else {}
        voices = _voices("\n".join(block[row + 1 :]))
        for order, (speaker, words, tags) in enumerate(voices):
            yield (
                Annotation(
                    document=recording,
                    label=words,
                    shape=Segment(start_s=start, end_s=end, speaker=speaker),
                    id=f"{recording}:{name}" + (f":{order}" if order else "") if name else "",
                    attributes=settings,
                ),
                tags,
            )


def _blocks(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    block: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if line:
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, millis = (int(part or 0) for part in parts)
    return (hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + millis) / 1000


def _voices(payload: str) -> list[tuple[str, str, int]]:
    """Divide the words of a cue by voice: speaker, words, number of tags left out."""
    parts = _VOICE.split(payload)
    pairs = [("", parts[0])] if parts[0].strip() or len(parts) == 1 else []
    pairs += list(zip(parts[1::2], parts[2::2], strict=True))
    voices = []
    for speaker, words in pairs:
        bare = words.replace("</v>", "")
        voices.append((_plain(speaker), _plain(_TAG.sub("", bare)), len(_TAG.findall(bare))))
    return voices


def _plain(text: str) -> str:
    for name, character in _NAMED.items():
        text = text.replace(name, character)
    return text.replace("&amp;", "&")


def write(label_set: LabelSet, path: Path) -> tuple[Loss, ...]:
    """Write a folder, or one file where `path` ends in ``.vtt`` and there is one recording.

    Raises:
        InputError: a name is no file name, or a label holds a blank line.
    """
    tally = Tally("WebVTT")
    chosen = segments_by_file(label_set, tally, forbidden="\r\0", target=path.name)
    complaints = Complaints(path.name)
    for name, found in chosen:
        tally.fields(found, "annotator", "group", "score")
        for annotation in found:
            lines = annotation.label.split("\n")
            if len(lines) > 1 and "" in lines:
                complaints.add(
                    "T-A119",
                    f"document {name!r}",
                    f"the label {shorten(annotation.label)} holds a blank line, which would "
                    "end its cue",
                    "Take the blank line out.",
                )
    complaints.raise_if_any()
    # Cues in the order of time, as players need them.
    ordered = [(name, sorted(found, key=_order)) for name, found in chosen]
    write_each(ordered, path, suffix=".vtt", text=lambda found: _text(found, tally))
    return tally.losses()


def _order(annotation: Annotation) -> tuple[float, float]:
    shape = annotation.shape
    return (shape.start_s, shape.end_s) if isinstance(shape, Segment) else (0.0, 0.0)


def _text(annotations: list[Annotation], tally: Tally) -> str:
    blocks = ["WEBVTT"]
    for annotation in annotations:
        shape = annotation.shape
        if not isinstance(shape, Segment):
            continue
        exact = [round(t * 1000) / 1000 == t for t in (shape.start_s, shape.end_s)]
        tally.add("times", "rounded to milliseconds.", exact.count(False))
        tally.add("times", "before the beginning; written as 0.", int(shape.start_s < 0))
        tally.add("channels", "a cue has none.", int(shape.channel is not None))
        tally.add(
            "bands",
            "a cue has none.",
            int(shape.low_hz is not None or shape.high_hz is not None),
        )
        settings = annotation.attributes.get("settings", "")
        good = bool(re.fullmatch(r"[^\s>](?:[^\r\n>]*[^\s>])?", settings))
        timing = f"{_clock(shape.start_s)} --> {_clock(shape.end_s)}"
        lost = [key for key in annotation.attributes if key != "settings" or not good]
        tally.add("attributes", "a cue has only its settings.", len(lost))
        lines = [f"{timing} {settings}" if good else timing]
        name = annotation.id.removeprefix(f"{annotation.document}:")
        if name != annotation.id and _CUE_NAME.fullmatch(name) and "-->" not in name:
            lines.insert(0, name)
        if annotation.id and len(lines) == 1:
            tally.add("ids", "a cue is named within its own recording.")
        voice = f"<v {_escape(' '.join(shape.speaker.split()))}>" if shape.speaker else ""
        words = voice + _escape(annotation.label)
        blocks.append("\n".join([*lines, words] if words else lines))
    return "\n\n".join(blocks) + "\n"


def _clock(seconds: float) -> str:
    millis = max(0, round(seconds * 1000))
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
