"""The phantom study: simulated, and said to be so in every file.

Two hospital sites with different scanners, patients of both sexes from 25 to 85 years, one to
five pictures each. It is honest through and through: nothing is planted here, `faults` does.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from titian.dataset.ultrasound import Lesion, Scanner, draw_lesion, draw_picture

TABLE = "labels.csv"
COMMENT = "SYNTHETIC: simulated phantom image, not of a patient"
SCANNERS: Mapping[str, Scanner] = {
    "north": Scanner(
        manufacturer="Phantom Works",
        model="Meridian 3",
        rows=96,
        columns=96,
        spread=(0.9, 1.3),
        gain=0.0,
        range_db=60.0,
    ),
    "south": Scanner(
        manufacturer="Simulated Imaging",
        model="Laut 7",
        rows=96,
        columns=108,
        spread=(1.2, 1.8),
        gain=0.06,
        range_db=52.0,
    ),
}
PICTURES = (0.2, 0.3, 0.25, 0.15, 0.1)  # of patients with one, two, ... five
PREVALENCE = 0.42  # of malignant lesions among patients
TEST_SHARE = 0.36  # of patients


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomCase:
    """One picture and what the table says of it.

    Attributes:
        pixels: shape (rows, columns), 0 to 255.
        lesion: what was drawn.
        patient: number from 1.
        picture: number from 1 within the patient.
        age: years.
        fold: ``train`` or ``test``.
        extra: further columns of the table.
        truncated: whether its file is cut short when it is written.
    """

    pixels: NDArray[np.uint8]
    lesion: Lesion
    patient: int
    picture: int
    site: str
    sex: str
    age: int
    malignant: bool
    fold: str
    extra: Mapping[str, str] = field(default_factory=dict)
    truncated: bool = False

    @property
    def path(self) -> str:
        """Where the file lies, relative to the study's folder."""
        return f"images/p{self.patient:04d}_{self.picture}.dcm"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomStudy:
    """A whole study as a value; the place in `cases` is the case number."""

    seed: int
    cases: tuple[PhantomCase, ...]


def make_phantom(*, seed: int, patients: int = 220) -> PhantomStudy:
    """Make a clean study.

    Args:
        seed: the same seed gives the same bytes.
        patients: how many; about 2.65 pictures each.
    """
    rng = np.random.default_rng(seed)
    malignant = rng.permutation(np.arange(patients) < round(PREVALENCE * patients))
    test = np.zeros(patients, dtype=bool)
    for kind in (True, False):  # the sides have the same prevalence
        members = rng.permutation(np.flatnonzero(malignant == kind))
        test[members[: round(TEST_SHARE * len(members))]] = True
    cases: list[PhantomCase] = []
    for patient in range(patients):
        site = str(rng.choice(list(SCANNERS)))
        sex = str(rng.choice(["F", "M"], p=[0.6, 0.4]))
        kind = bool(malignant[patient])
        age = int(np.clip(rng.normal(57 if kind else 51, 14), 25, 84))
        lesion = draw_lesion(malignant=kind, rng=rng)
        pictures = 1 + int(rng.choice(len(PICTURES), p=PICTURES))
        cases += [
            PhantomCase(
                pixels=draw_picture(lesion, SCANNERS[site], rng=rng),
                lesion=lesion,
                patient=patient + 1,
                picture=picture,
                site=site,
                sex=sex,
                age=age,
                malignant=kind,
                fold="test" if test[patient] else "train",
            )
            for picture in range(1, pictures + 1)
        ]
    return PhantomStudy(seed=seed, cases=tuple(cases))


def write_phantom(study: PhantomStudy, folder: Path) -> None:
    """Write the table `TABLE` and one DICOM file a case into `folder`."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for case in study.cases:
        data = dicom_bytes(case, seed=study.seed)
        (folder / case.path).write_bytes(data[: len(data) // 2] if case.truncated else data)
    (folder / TABLE).write_text(table_text(study), encoding="utf-8", newline="")


def table_text(study: PhantomStudy) -> str:
    """Return the study's table as CSV."""
    extra = list(dict.fromkeys(name for case in study.cases for name in case.extra))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["image", "patient", "site", "sex", "age", "malignant", "fold", *extra])
    for case in study.cases:
        row = [case.path, f"P{case.patient:04d}", case.site, case.sex, case.age]
        row += [int(case.malignant), case.fold, *(case.extra.get(name, "") for name in extra)]
        writer.writerow(row)
    return out.getvalue()


def dicom_bytes(case: PhantomCase, *, seed: int) -> bytes:
    """Return a case as the bytes of an ultrasound DICOM file."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filewriter import dcmwrite
    from pydicom.uid import UID, ExplicitVRLittleEndian, UltrasoundImageStorage

    scanner = SCANNERS[case.site]
    rows, columns = case.pixels.shape
    dataset = Dataset()
    dataset.SOPClassUID = UltrasoundImageStorage
    dataset.SOPInstanceUID = _uid(seed, case.patient, case.picture)
    dataset.StudyInstanceUID = _uid(seed, case.patient)
    dataset.SeriesInstanceUID = _uid(seed, case.patient, "series")
    dataset.Modality = "US"
    dataset.Manufacturer = scanner.manufacturer
    dataset.ManufacturerModelName = scanner.model
    dataset.InstitutionName = f"PHANTOM {case.site}"
    dataset.PatientName = f"PHANTOM^P{case.patient:04d}"
    dataset.PatientID = f"P{case.patient:04d}"
    dataset.PatientSex = case.sex
    dataset.PatientAge = f"{case.age:03d}Y"
    dataset.ImageComments = COMMENT
    dataset.InstanceNumber = case.picture
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    pixels = case.pixels.tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OB"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.ImplementationClassUID = UID(_uid("titian phantom"))
    meta.ImplementationVersionName = "TITIAN_PHANTOM"
    dataset.file_meta = meta
    out = io.BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def _uid(*parts: object) -> str:
    """Return a UID derived from a name (the 2.25 arc holds 128-bit numbers)."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
