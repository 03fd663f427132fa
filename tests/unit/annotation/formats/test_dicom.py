"""DICOM SEG and SR: what they hold comes back; patient and study come from the image."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from titian.annotation.formats import FORMATS
from titian.annotation.masks import encode_mask
from titian.annotation.shapes import (
    Annotation,
    Box,
    Classification,
    Image,
    Keypoint,
    Keypoints,
    LabelSet,
    Polygon,
)
from titian.errors import InputError

pytest.importorskip("highdicom")


UNKNOWN = (
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)


@pytest.fixture
def media(tmp_path):
    """A folder of two small simulated CT slices."""
    import pydicom
    from pydicom.dataset import FileMetaDataset

    folder = tmp_path / "media"
    folder.mkdir()
    for number in (1, 2):
        slice_ = pydicom.Dataset()
        slice_.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        slice_.SOPInstanceUID = f"2.25.{number}"
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID = "2.25.7", "2.25.8"
        slice_.FrameOfReferenceUID = "2.25.9"
        slice_.PatientID, slice_.PatientName = "P1", "Simulated^One"
        for key in UNKNOWN:
            setattr(slice_, key, "")
        slice_.Modality, slice_.SeriesNumber, slice_.InstanceNumber = "CT", 1, number
        slice_.Rows, slice_.Columns = 20, 30
        slice_.PixelSpacing, slice_.SliceThickness = [1, 1], 1
        slice_.ImagePositionPatient = [0, 0, number]
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        slice_.BitsAllocated = slice_.BitsStored = 16
        slice_.HighBit, slice_.PixelRepresentation = 15, 0
        slice_.PixelData = np.zeros((20, 30), np.uint16).tobytes()
        slice_.file_meta = FileMetaDataset()
        slice_.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        slice_.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


IMAGES = tuple(Image(name=f"{n}.dcm", width=30, height=20) for n in (1, 2))


def _labels(*shapes, **more):
    return LabelSet(
        documents=IMAGES,
        annotations=tuple(
            Annotation(
                document=f"{1 + n % 2}.dcm", label=f"naïve {n}", shape=s, id=f"i{n}", **more
            )
            for n, s in enumerate(shapes)
        ),
    )


def _round(name, label_set, media, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries
        losses = FORMATS[name].write(label_set, tmp_path / "out", media)
        return losses, FORMATS[name].read(tmp_path / "out", media)


def _sorted(label_set):
    return sorted(label_set.annotations, key=lambda a: a.id)


def test_seg_holds_masks_that_overlap(media, tmp_path):
    rng = np.random.default_rng(5)
    masks = [encode_mask(rng.random((20, 30)) < 0.3) for _ in range(5)]
    label_set = _labels(*masks, annotator="Siti")
    losses, back = _round("dicom-seg", label_set, media, tmp_path)
    assert losses == ()
    assert back.documents == IMAGES
    assert _sorted(back) == _sorted(label_set)


def test_seg_carries_the_patient_on(media, tmp_path):
    import pydicom

    label_set = _labels(Box(x=2, y=3, width=4, height=5))
    losses, back = _round("dicom-seg", label_set, media, tmp_path)
    assert [str(loss) for loss in losses] == [
        "1 boxes: written as the pixels whose centres they hold.",
        "1 documents: they have no annotation, so no segment.",
    ]
    pixels = np.zeros((20, 30), dtype=bool)
    pixels[3:8, 2:6] = True
    assert back.annotations[0].shape == encode_mask(pixels)
    written = pydicom.dcmread(next((tmp_path / "out").glob("*.dcm")))
    assert (written.PatientID, written.StudyInstanceUID) == ("P1", "2.25.7")


def test_sr_holds_outlines_points_and_findings(media, tmp_path):
    label_set = _labels(
        Box(x=1, y=2, width=3.5, height=4),
        Polygon(rings=(((1.0, 1.0), (5.5, 2.0), (4.0, 9.0)),)),
        Keypoints(points=(Keypoint(x=1.5, y=2.5),)),
        Classification(),
        annotator="Siti", score=0.123456789012345678, attributes={"size": "très grand"},
    )  # fmt: skip
    losses, back = _round("dicom-sr", label_set, media, tmp_path)
    assert losses == ()
    assert back.documents == IMAGES
    assert _sorted(back) == _sorted(label_set)


def test_sr_names_the_rounding_to_single_precision(media, tmp_path):
    losses, back = _round(
        "dicom-sr", _labels(Keypoints(points=(Keypoint(x=0.1, y=1),))), media, tmp_path
    )
    assert "1 coordinates: rounded to single precision." in [str(loss) for loss in losses]
    assert back.annotations[0].shape.points[0].x == pytest.approx(0.1, rel=1e-7)


@pytest.mark.parametrize("name", ["dicom-seg", "dicom-sr"])
def test_documents_must_be_in_the_media_folder(name, tmp_path):
    with pytest.raises(InputError) as caught:
        FORMATS[name].write(_labels(Box(x=1, y=1, width=2, height=2)), tmp_path / "out")
    assert str(caught.value) == (
        "T-A118: out, document '1.dcm': is no DICOM file of the media folder, whose patient "
        "and study are needed. Give the folder of the DICOM files with --media."
    )


@pytest.mark.parametrize(
    ("name", "noun"), [("dicom-seg", "segmentation"), ("dicom-sr", "structured report")]
)
def test_another_kind_of_file_is_refused(name, noun, media):
    with pytest.raises(InputError) as caught:
        FORMATS[name].read(media)
    assert str(caught.value).split("\n") == [
        f"T-A116: {n}.dcm: is CT Image Storage, and no {noun}. Leave it out." for n in (1, 2)
    ]


@pytest.mark.parametrize("name", ["dicom-seg", "dicom-sr"])
def test_a_damaged_file_is_refused_with_its_name(name, tmp_path):
    (tmp_path / "1.dcm").write_bytes(b"no DICOM at all")
    with pytest.raises(
        InputError, match=r"T-A116: 1\.dcm: reading the (segmentation|report) failed"
    ):
        FORMATS[name].read(tmp_path)


def test_the_same_labels_give_the_same_uids(media, tmp_path):
    import pydicom

    uids = []
    for run in ("a", "b"):
        FORMATS["dicom-sr"].write(_labels(Classification()), tmp_path / run, media)
        uids.append(pydicom.dcmread(tmp_path / run / "00001.dcm").SOPInstanceUID)
    assert uids[0] == uids[1]
