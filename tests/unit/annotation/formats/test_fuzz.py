"""Hostile files: whatever the bytes, only errors of Titian come out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from titian.annotation.formats import FORMATS
from titian.annotation.validity import mend, problems_of
from titian.errors import TitianError

SAMPLES = Path(__file__).with_name("samples")
FILES = {
    "coco": ["coco.json"],
    "yolo": ["yolo/labels/a.txt", "yolo/data.yaml", "yolo/images.csv"],
    "voc": ["voc/a.xml"],
    "cvat": ["cvat_images.xml", "cvat_film.xml"],
    "labelstudio": ["labelstudio.json"],
    "labelme": ["labelme/a.json"],
    "mot": ["mot/walk/gt/gt.txt", "mot/walk/seqinfo.ini", "mot/walk/gt/labels.txt"],
    "conll": ["conll.txt"],
    "spacy": ["spacy.jsonl"],
    "brat": ["brat/a.ann", "brat/a.txt"],
    "audacity": ["audacity/a.txt"],
    "webvtt": ["webvtt/a.vtt"],
    "rttm": ["calls.rttm"],
}
CASES = [(name, file) for name, files in FILES.items() for file in files]
hard = settings(
    max_examples=12, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip


def read_or_refusal(name, path):
    """Read a file, or return None once the refusal is found to be a proper one."""
    try:
        return FORMATS[name].read(path)
    except TitianError as error:
        problems = error.problems
    assert problems
    assert all(p.code.startswith("T-A1") and "\n" not in p.message for p in problems)
    return None


def read_bytes_as(name, file, data):
    """Read a copy of the sample with one file replaced."""
    top = file.split("/")[0]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if (SAMPLES / top).is_dir():
            for path in (SAMPLES / top).rglob("*"):
                if path.is_file():
                    place = home / path.relative_to(SAMPLES)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(path.read_bytes())
        (home / file).write_bytes(data)
        label_set = read_or_refusal(name, home / top)
        if label_set is None:
            return
        problems_of(label_set)
        mend(label_set)


@pytest.mark.parametrize(("name", "file"), CASES)
@hard
@given(data=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(name, file, data):
    read_bytes_as(name, file, data)


TOKENS = [
    b"null", b"-1", b"1e999", b"NaN", b"[]", b"{}", b'""', b"true", b"0", b"9" * 30, b"\t",
    b"\n",
    b"\xff", b"\0", b"-->", b"<", b"&x;", b'"', b",", b";", b"..", b" ", b"\\", b"I-X", b"0.5",
    b"\xf0\x9f\x92\xa9", b"\\ud800", b"\xef\xbb\xbf", b"1 2;0 1", b"[[[[",
]  # fmt: skip


@pytest.mark.parametrize(("name", "file"), CASES)
@hard
@given(data=st.data())
def test_damaged_samples_are_read_or_refused(name, file, data):
    read_bytes_as(name, file, damaged(file, data))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file"), CASES)
@settings(hard, max_examples=400)
@given(data=st.data())
def test_many_damaged_samples_are_read_or_refused(name, file, data):
    read_bytes_as(name, file, damaged(file, data))


def damaged(file, data):
    """Return the sample with up to three stretches cut out or replaced."""
    content = (SAMPLES / file).read_bytes()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 12)))
        content = content[:start] + data.draw(st.sampled_from([b"", *TOKENS])) + content[end:]
    return content


@pytest.mark.parametrize("name", ["dicom-seg", "dicom-sr"])
def test_damaged_dicom_is_refused(name, tmp_path):
    pytest.importorskip("highdicom")
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\x02\0" * 40)
    with pytest.raises(TitianError, match=r"T-A116: a\.dcm: (reading|is a file without)"):
        FORMATS[name].read(tmp_path / "a.dcm")


DEEP = b"[" * 100_000


@pytest.mark.parametrize("name", ["coco", "labelstudio", "labelme", "spacy"])
def test_deep_json_is_refused(name, tmp_path):
    path = tmp_path / "deep.json"
    path.write_bytes(DEEP)
    with pytest.raises(TitianError, match=r"T-A103: deep\.json: .*nested too deep"):
        FORMATS[name].read(path)


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE annotations [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotations>&b;</annotations>"""


@pytest.mark.parametrize("name", ["voc", "cvat"])
def test_document_types_are_refused(name, tmp_path):
    path = tmp_path / "bomb.xml"
    path.write_bytes(BOMB)
    with pytest.raises(TitianError) as caught:
        FORMATS[name].read(path)
    assert str(caught.value) == (
        "T-A104: bomb.xml: line 2: declares a document type, which could expand without "
        "bounds. Export the file again."
    )


@pytest.mark.parametrize("name", ["voc", "cvat"])
def test_deep_xml_is_refused(name, tmp_path):
    path = tmp_path / "deep.xml"
    path.write_bytes(b"<a>" * 70_000)
    with pytest.raises(TitianError, match="nested deeper than 64 elements"):
        FORMATS[name].read(path)


@pytest.mark.parametrize("bad", ["../up", "/etc/passwd", "a/../../b", "nul", "a\0b", "", "c:x"])
@pytest.mark.parametrize(
    "name", ["yolo", "voc", "labelme", "brat", "audacity", "webvtt", "mot"]
)
def test_no_name_leaves_the_target_folder(name, bad, tmp_path):
    from titian.annotation.shapes import Audio, Image, LabelSet, Text, Video

    kind = {"brat": Text, "audacity": Audio, "webvtt": Audio, "mot": Video}.get(name, Image)
    more = (
        {"text": "x"}
        if kind is Text
        else {}
        if kind is not Image
        else {"width": 9, "height": 9}
    )
    label_set = LabelSet(documents=(kind(name=bad, **more),))
    with pytest.raises(TitianError, match="T-A1"):
        FORMATS[name].write(label_set, tmp_path / "inside" / "out")
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
