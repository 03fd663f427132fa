"""Small files written by hand read as they were meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from titian.annotation.formats import FORMATS
from titian.annotation.masks import decode_mask
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Box,
    Classification,
    Image,
    KeyFrame,
    Keypoint,
    Keypoints,
    LabelClass,
    Polygon,
    Relation,
    Segment,
    Text,
    TextSpan,
    Track,
    Video,
)

SAMPLES = Path(__file__).with_name("samples")
PICTURE = Image(name="a.png", width=30, height=20)
TRIANGLE = Polygon(rings=(((1.0, 1.0), (5.0, 1.0), (5.0, 6.0)),))


def read(name, file):
    return FORMATS[name].read(SAMPLES / file)


def test_coco():
    found = read("coco", "coco.json")
    assert found.documents == (PICTURE,)
    assert found.classes[1] == LabelClass(
        name="person", number=3, parent="animal", keypoints=("nose", "tail"), skeleton=((0, 1),)
    )
    box, outline, crowd, mask, whole, points = found.annotations
    assert box.shape == Box(x=1, y=2, width=10.5, height=4)
    assert outline.shape == Polygon(rings=(((2.0, 3.0), (8.0, 3.0), (8.0, 8.0)),))
    assert outline.score == 0.75
    assert crowd.attributes == {"iscrowd": "1"}
    # The compressed runs of the same pixels, as the COCO API writes them.
    assert crowd.shape == mask.shape
    assert np.argwhere(decode_mask(mask.shape)).tolist() == [
        [3, 2],
        [3, 3],
        [4, 2],
        [4, 3],
        [5, 3],
    ]
    assert (whole.id, points.id, whole.group, points.group) == ("11", "11:1", "11", "11")
    assert points.shape == Keypoints(
        points=(Keypoint(x=1, y=2, name="nose"), Keypoint(x=0, y=0, name="tail", visibility=0))
    )


def test_yolo():
    found = read("yolo", "yolo")
    assert found.documents == (PICTURE,)
    box, outline = found.annotations
    assert (box.label, box.shape) == ("cell", Box(x=12, y=6, width=6, height=8))
    assert (outline.label, outline.score) == ("true", 0.9)
    assert outline.shape == Polygon(rings=(((3.0, 2.0), (15.0, 2.0), (15.0, 12.0)),))


def test_voc():
    (found,) = read("voc", "voc").annotations
    assert found == Annotation(
        document="a.png",
        label="cell",
        shape=Box(x=1, y=2, width=10.5, height=4),
        attributes={"difficult": "0"},
    )


def test_cvat_images():
    found = read("cvat", "cvat_images.xml")
    assert found.notes == ("1 elements <ellipse> were not read.",)
    box, outline, dots, mask, person, tag = found.annotations
    assert box.shape == Box(x=1, y=4, width=10.5, height=4, rotation_deg=30)
    assert box.attributes == {"stain": "blue", "occluded": "1", "z_order": "2"}
    assert (outline.group, len(dots.shape.points)) == ("3", 2)
    # One pixel out, two in, three out, along the rows of 3 x 2 pixels from (4, 5).
    assert np.argwhere(decode_mask(mask.shape)).tolist() == [[5, 5], [5, 6]]
    assert person.shape.points == (Keypoint(x=1, y=2, name="nose", visibility=1),)
    assert (tag.label, tag.shape) == ("sharp", Classification())


def test_cvat_film():
    found = read("cvat", "cvat_film.xml")
    assert found.documents == (Video(name="walk.mp4", width=100, height=80, frames=50),)
    (track,) = found.annotations
    assert track.shape == Track(
        keyframes=(
            KeyFrame(frame=0, box=Box(x=1, y=2, width=10, height=10)),
            KeyFrame(frame=9, box=Box(x=10, y=2, width=10, height=10), outside=True),
        )
    )


def test_label_studio():
    found = read("labelstudio", "labelstudio.json")
    assert found.documents == (
        Image(name="a.png", width=200, height=100),
        Text(name="task-2", text="💩 says hi"),
        Audio(name="a.wav", duration_s=9.5),
        Video(name="a.mp4", width=200, height=100, frames=50, fps=10.0),
        Image(name="b.png", width=4, height=3),
    )
    by_label = {a.label: a for a in found.annotations}
    cell = by_label["cell"]
    assert (cell.id, cell.annotator) == ("a.png:r1", "siti@site.my")
    # 60 x 40 pixels that hang from their corner (20, 20), turned by a right angle.
    assert cell.shape == Box(
        x=pytest.approx(-30), y=pytest.approx(30), width=60, height=40, rotation_deg=90
    )
    # "says" was counted in UTF-16 units, "hi" in code points; the quoted words decide.
    assert by_label["VERB"].shape == TextSpan(start=2, end=6)
    assert by_label["WORD"].shape == TextSpan(start=7, end=9)
    assert by_label["rude"].shape == Classification(question="tone")
    # Packed by Label Studio's own converter.
    stroke = decode_mask(by_label["stroke"].shape)
    assert np.argwhere(stroke).tolist() == [[1, 1], [1, 2], [2, 3]]
    assert (by_label["ICON"].annotator, by_label["ICON"].score) == ("m1", 0.5)
    assert found.relations == (
        Relation(label="object", source="task-2:t1", target="task-2:t2"),
    )
    assert by_label["speech"].shape == Segment(start_s=0.5, end_s=2.25, channel=1)
    assert by_label["speech"].attributes == {"words": "hello"}
    assert by_label["turn"].shape == Segment(start_s=1.0, end_s=2.0)
    assert [(k.frame, k.box.x, k.outside) for k in by_label["car"].shape.keyframes] == [
        (0, 20.0, False), (10, 40.0, False), (11, 40.0, True),
    ]  # fmt: skip


def test_brush_strokes_of_label_studio_come_back():
    from titian.annotation.formats.labelstudio_runs import pack, unpack

    pixels = np.zeros((3, 4), dtype=bool)
    pixels[1, 1:3] = pixels[2, 3] = True
    assert (unpack(bytes(pack(pixels)), width=4, height=3) == pixels).all()
    assert pack(pixels)[:4] == [0, 0, 0, 48]
    with pytest.raises(ValueError, match="holds 10 values; 2 x 1 pixels have 8"):
        unpack((10).to_bytes(4, "big") + b"\0" * 20, width=2, height=1)


def test_labelme():
    found = read("labelme", "labelme")
    assert found.notes == ("1 shapes of type circle were not read.",)
    flag, box, outline, dot = found.annotations
    assert (flag.label, flag.shape) == ("sharp", Classification())
    assert box.shape == Box(x=1, y=2, width=10.5, height=4)
    assert box.attributes == {"description": "odd", "torn": "true"}
    assert (outline.shape, outline.group) == (TRIANGLE, "3")
    assert dot.shape == Keypoints(points=(Keypoint(x=3, y=4),))


def test_mot():
    found = read("mot", "mot")
    assert found.documents == (
        Video(name="walk.mp4", width=100, height=80, frames=50, fps=25.0),
    )
    car, person = found.annotations
    assert (car.id, car.label, car.shape.interpolated) == ("walk.mp4:2", "car", False)
    assert [(k.frame, k.box.x, k.visibility) for k in car.shape.keyframes] == [
        (0, 10.0, 0.5), (1, 11.0, 1.0),
    ]  # fmt: skip
    assert (person.label, person.shape.keyframes[0].score) == ("person", 0.0)


def test_conll():
    found = read("conll", "conll.txt")
    assert found.documents == (Text(name="document-1", text="Ali bin works\nPenang hub"),)
    assert found.notes == ("1 spans begin with I- or E- (IOB1).",)
    assert [(a.label, a.shape.start, a.shape.end) for a in found.annotations] == [
        ("PER", 0, 7), ("LOC", 14, 20), ("ORG", 21, 24),
    ]  # fmt: skip


def test_conll_reads_bioes(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("New B-LOC\nYork I-LOC\nCity E-LOC\nAli S-PER\nAbu S-PER\n")
    found = FORMATS["conll"].read(path)
    assert [(a.label, a.shape.start, a.shape.end) for a in found.annotations] == [
        ("LOC", 0, 13), ("PER", 14, 17), ("PER", 18, 21),
    ]  # fmt: skip


def test_spacy():
    found = read("spacy", "spacy.jsonl")
    assert found.notes == ("1 lines were not accepted; their annotations were not read.",)
    assert [(a.document, a.label, a.score) for a in found.annotations] == [
        ("n1", "PER", None), ("line-3", "LOC", None), ("line-3", "place", None),
        ("line-3", "maybe", 0.25),
    ]  # fmt: skip
    assert found.annotations[0].annotator == "a"


def test_brat():
    found = read("brat", "brat")
    assert found.notes == ("1 lines that start with E were not read.",)
    name, verb = found.annotations
    assert name.shape == TextSpan(start=0, end=11, gaps=((3, 8),))
    assert name.shape.pieces == ((0, 3), (8, 11))
    assert name.attributes == {"sure": "", "note": "a name"}
    assert verb.attributes == {"tense": "now"}
    assert found.relations == (Relation(label="does", source="a:T1", target="a:T2", id="a:R1"),)


def test_audacity():
    digit, empty = read("audacity", "audacity").annotations
    assert digit.label == "digit four"
    assert digit.shape == Segment(start_s=0.5, end_s=1.25, low_hz=100.0)
    assert (empty.label, empty.shape) == ("", Segment(start_s=2, end_s=2))


def test_webvtt():
    siti, ali, late = read("webvtt", "webvtt").annotations
    assert (siti.label, siti.shape.speaker, siti.id) == ("a < b ", "Siti", "a:first")
    assert (ali.label, ali.shape) == ("no", Segment(start_s=1.0, end_s=2.5, speaker="Ali"))
    assert (late.label, late.shape.start_s) == ("two\nlines", 3600.0)


def test_rttm():
    found = read("rttm", "calls.rttm")
    assert found.notes == ("1 lines of type SPKR-INFO were not read.",)
    siti, ali = found.annotations
    assert (siti.label, siti.score) == ("siti", 0.9)
    assert siti.shape == Segment(start_s=0.5, end_s=1.75, channel=1)
    assert ali.attributes == {"ortho": "hello"}
