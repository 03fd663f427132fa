"""`titian annotation convert`: the call, its report, and real files both ways."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from titian.annotation.formats import FORMATS
from titian.annotation.shapes import (
    Annotation,
    Audio,
    Box,
    Image,
    LabelSet,
    Segment,
    Text,
    TextSpan,
)
from titian.annotation.validity import mend, problems_of
from titian.cli.annotation.convert import Geometry, convert
from titian.errors import InputError

SAMPLES = Path(__file__).with_name("samples")
app = typer.Typer()
app.command()(convert)


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=True)


def test_convert_writes_and_names_what_is_lost(tmp_path):
    target = tmp_path / "out" / "voc"
    result = run(SAMPLES / "cvat_images.xml", target, "--from", "cvat", "--to", "voc", "--json")
    assert result.exit_code == 0, result.exception
    report = json.loads(result.stdout)
    why = "VOC has no place for this shape."
    assert report == {
        "target": str(target),
        "documents": 1,
        "annotations": 6,
        "notes": ["1 elements <ellipse> were not read."],
        "losses": [
            {"what": "annotations (polygon)", "count": 1, "why": why},
            {"what": "annotations (keypoints)", "count": 2, "why": why},
            {"what": "annotations (mask)", "count": 1, "why": why},
            {"what": "annotations (classification)", "count": 1, "why": why},
            {
                "what": "rotations of boxes",
                "count": 1,
                "why": "VOC has none; the upright extent is written.",
            },
        ],
    }  # fmt: skip
    assert [p.name for p in target.iterdir()] == ["a.xml"]
    assert [p.name for p in target.parent.iterdir()] == ["voc"]


def test_convert_says_when_nothing_is_lost(tmp_path):
    target = tmp_path / "a.jsonl"
    result = run(SAMPLES / "conll.txt", target, "--from", "conll", "--to", "spacy")
    assert result.stdout == (f"1 documents and 3 annotations to {target}\nnothing was lost\n")


def test_a_format_that_holds_nothing_of_it_is_refused(tmp_path):
    target = tmp_path / "voc"
    result = run(SAMPLES / "conll.txt", target, "--from", "conll", "--to", "voc")
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == (
        "T-A413: Pascal VOC has no place for any of 3 annotations (3 text span): "
        "nothing was written. Choose a format for what they are about: images, text or "
        "recordings."
    )
    assert list(tmp_path.iterdir()) == []


def test_convert_writes_over_nothing(tmp_path):
    result = run(SAMPLES / "conll.txt", tmp_path, "--from", "conll", "--to", "brat")
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == (
        f"T-A111: {tmp_path} exists already; nothing is written over. "
        "Name another target, or remove it."
    )


def _outside(path):
    boxes = (Box(x=5, y=5, width=10, height=2), Box(x=1, y=1, width=2, height=2))
    label_set = LabelSet(
        documents=(Image(name="a.png", width=10, height=10),),
        annotations=tuple(Annotation(document="a.png", label="x", shape=box) for box in boxes),
    )
    FORMATS["coco"].write(label_set, path)


def test_convert_refuses_mends_or_keeps_what_breaks_the_rules(tmp_path):
    source = tmp_path / "coco.json"
    _outside(source)
    call = (source, tmp_path / "refused", "--from", "coco", "--to", "voc")
    refused = run(*call)
    assert isinstance(refused.exception, InputError)
    assert [problem.code for problem in refused.exception.problems] == ["T-A120"]
    assert [p.name for p in tmp_path.iterdir()] == ["coco.json"]
    for way, width in ((Geometry.MEND, 5.0), (Geometry.KEEP, 10.0)):
        result = run(source, tmp_path / way, "--from", "coco", "--to", "voc", "--geometry", way)
        assert result.exit_code == 0
        assert FORMATS["voc"].read(tmp_path / way).annotations[0].shape.width == width


def test_a_failure_leaves_no_half_written_target(tmp_path):
    # The label is found to be unwritable after the folder was begun.
    label_set = LabelSet(
        documents=(Text(name="t", text="ab"),),
        annotations=(Annotation(document="t", label="a b", shape=TextSpan(start=0, end=1)),),
    )
    source = tmp_path / "a.jsonl"
    FORMATS["spacy"].write(label_set, source)
    result = run(source, tmp_path / "brat", "--from", "spacy", "--to", "brat")
    assert isinstance(result.exception, InputError)
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


def _rounded(label_set, names=None):
    return Counter(
        (
            Path(a.document).stem,
            (names or {}).get(a.label, a.label),
            *(round(v, 1) for v in (a.shape.x, a.shape.y, a.shape.width, a.shape.height)),
        )
        for a in label_set.annotations
    )


BOX_FORMATS = ("coco", "yolo", "voc", "cvat", "labelstudio", "labelme")


@pytest.mark.parametrize("first", BOX_FORMATS)
@pytest.mark.parametrize("second", BOX_FORMATS)
def test_boxes_pass_through_any_two_formats(first, second, tmp_path):
    label_set = LabelSet(
        documents=(Image(name="a.png", width=640, height=480),),
        annotations=tuple(
            Annotation(
                document="a.png",
                label=f"c{n % 2}",
                shape=Box(x=n * 3.5, y=7, width=9.27, height=n + 1),
            )
            for n in range(5)
        ),
    )  # fmt: skip
    FORMATS[first].write(label_set, tmp_path / "a")
    between = FORMATS[first].read(tmp_path / "a")
    FORMATS[second].write(between, tmp_path / "b")
    assert _rounded(FORMATS[second].read(tmp_path / "b")) == _rounded(label_set)


@pytest.mark.data
def test_real_cells_in_voc_and_coco_agree(shared_data, tmp_path):
    folder = shared_data / "bccd_cells"
    voc, coco = (
        FORMATS["voc"].read(folder / "voc"),
        FORMATS["coco"].read(folder / "annotations_coco.json"),
    )
    assert len(voc.annotations) > 3000
    mended, counts = mend(voc)
    # Published with boxes without area, which the COCO file dropped.
    only_voc, only_coco = _rounded(mended) - _rounded(coco), _rounded(coco) - _rounded(mended)
    assert (counts["removed"], only_voc, only_coco) == (2, Counter(), Counter())
    for name in BOX_FORMATS:
        FORMATS[name].write(mended, tmp_path / name)
        back = FORMATS[name].read(tmp_path / name)
        assert _rounded(back) == _rounded(mended)
        assert problems_of(back) == []


@pytest.mark.data
def test_real_fundus_boxes_in_yolo_and_coco_agree(shared_data):
    folder = shared_data / "fundus_idrid_boxes"
    coco = FORMATS["coco"].read(folder / "annotations_coco.json")
    yolo, _ = mend(FORMATS["yolo"].read(folder / "yolo"))
    names = {str(n): item.name for n, item in enumerate(coco.classes)}
    ours = sorted((k[:2], k[2:]) for k in _rounded(yolo, names).elements())
    theirs = sorted((k[:2], k[2:]) for k in _rounded(coco).elements())
    assert len(ours) == len(theirs) == 878
    for (name, box), (other, peer) in zip(ours, theirs, strict=True):
        assert name == other
        assert box == pytest.approx(peer, abs=0.11)


@pytest.mark.data
@pytest.mark.parametrize(
    "source", ["meddocan_phi_es/notes.jsonl", "presidio_pii/samples.jsonl"]
)
def test_real_spans_pass_through_every_format_of_text(source, shared_data, tmp_path):
    rows = [json.loads(r) for r in (shared_data / source).read_text("utf-8").splitlines()][:200]
    label_set = LabelSet(
        documents=tuple(Text(name=row["id"], text=row["text"]) for row in rows),
        annotations=tuple(
            Annotation(
                document=row["id"],
                label=s["label"],
                shape=TextSpan(start=s["start"], end=s["end"]),
            )
            for row in rows
            for s in row["spans"]
        ),
    )
    assert len(label_set.annotations) > 100
    assert problems_of(label_set) == []
    wanted = Counter((a.document, a.label, a.shape) for a in label_set.annotations)
    for name in ("spacy", "brat", "labelstudio"):
        losses = FORMATS[name].write(label_set, tmp_path / name)
        back = FORMATS[name].read(tmp_path / name)
        assert losses == ()
        assert Counter((a.document, a.label, a.shape) for a in back.annotations) == wanted
        assert {d.name: d for d in back.documents} == {d.name: d for d in label_set.documents}
    losses = FORMATS["conll"].write(label_set, tmp_path / "conll")
    back = FORMATS["conll"].read(tmp_path / "conll")
    cut = sum(loss.count for loss in losses if loss.why.startswith("cut"))
    gone = sum(loss.count for loss in losses if loss.what == "text spans") - cut
    assert len(back.annotations) >= len(wanted) - gone
    assert gone <= 0.01 * len(wanted)


@pytest.mark.data
def test_real_recordings_pass_through_every_format_of_audio(shared_data, tmp_path):
    with (shared_data / "speech_digits_fsdd" / "metadata.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    names = {row["file"]: row["file"].removesuffix(".wav") for row in rows}
    label_set = LabelSet(
        documents=tuple(Audio(name=name) for name in names.values()),
        annotations=tuple(
            Annotation(
                document=names[row["file"]],
                label=row["digit"],
                shape=Segment(start_s=0.0, end_s=float(row["seconds"])),
            )
            for row in rows
        ),
    )
    wanted = sorted((a.document, a.label, a.shape.end_s) for a in label_set.annotations)
    for name in ("audacity", "webvtt", "rttm", "labelstudio"):
        assert FORMATS[name].write(label_set, tmp_path / name) == ()
        back = FORMATS[name].read(tmp_path / name)
        found = sorted((a.document, a.label, a.shape.end_s) for a in back.annotations)
        assert [f[:2] for f in found] == [w[:2] for w in wanted]
        assert [f[2] for f in found] == pytest.approx([w[2] for w in wanted])
