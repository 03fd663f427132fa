"""DICOM instances that labels are about, and what DICOM texts can hold."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from titian.annotation.formats.complaints import Complaints, refusal, shorten
from titian.annotation.formats.loss import Tally
from titian.annotation.formats.source import files_of, read_bytes
from titian.annotation.shapes import Annotation, Image, LabelClass
from titian.errors import EnvironmentFault, InputError, Problem

SCHEME = "99TITIAN"  # private schemes begin with 99 (PS3.16, 8.2)
MAKER = "Titian"
MOST_PIXELS = 1 << 28  # of one image


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The instances of a media folder.

    Attributes:
        by_uid: SOP Instance UID -> name within the folder and header.
        by_name: name within the folder, file name and UID -> UID.
    """

    by_uid: dict[str, tuple[str, Any]]
    by_name: dict[str, str]

    def name_of(self, uid: str) -> str:
        """Return the file of an instance, or its UID where the folder does not have it."""
        return self.by_uid[uid][0] if uid in self.by_uid else uid

    def image_of(self, uid: str) -> Image:
        """Return an instance as a document, its size where the folder has it."""
        if uid not in self.by_uid:
            return Image(name=uid)
        name, header = self.by_uid[uid]
        width, height = int(header.get("Columns") or 0), int(header.get("Rows") or 0)
        return Image(name=name, width=width or None, height=height or None)

    def header_of(self, name: str, complaints: Complaints) -> Any:  # noqa: ANN401 - pydicom's
        """Return the header of a document, or None with a complaint."""
        uid = self.by_name.get(name) or self.by_name.get(name.rsplit("/", 1)[-1])
        if uid is None:
            complaints.add(
                "T-A118",
                f"document {name!r}",
                "is no DICOM file of the media folder, whose patient and study are needed",
                "Give the folder of the DICOM files with --media.",
            )
            return None
        return self.by_uid[uid][1]


Reading = Callable[[bytes, str, Sources], tuple[list[Image], list[Annotation]]]


def require_highdicom() -> None:
    """Make sure that the library is there.

    Raises:
        EnvironmentFault: it is not.
    """
    try:
        import highdicom  # noqa: F401 - whether it is there
    except ImportError as error:
        raise EnvironmentFault(
            Problem(
                code="T-A130",
                message="DICOM SEG and SR need the library highdicom, which is missing.",
                remedy="Install titian[annotation].",
            )
        ) from error


@contextmanager
def guarded(file: str, doing: str) -> Iterator[None]:
    """Turn what pydicom and highdicom raise into an error that names the file.

    Raises:
        InputError: the work within failed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd values, which are no errors
            yield
    except (InputError, EnvironmentFault, MemoryError):
        raise
    except Exception as error:  # a damaged file makes the libraries raise almost anything
        words = " ".join(str(error).split()).rstrip(".")
        reason = f"{type(error).__name__}: {words[:120]}"
        raise refusal(
            "T-A116",
            file,
            f"{doing} failed ({reason})",
            "Check the file with a DICOM validator.",
        ) from error


def read_sources(media: Path | None) -> Sources:
    """Read the headers of a folder; what is no DICOM image is passed over.

    Raises:
        InputError: the folder cannot be read.
    """
    import pydicom

    by_uid: dict[str, tuple[str, Any]] = {}
    by_name: dict[str, str] = {}
    for file, name in files_of(media, "") if media is not None else ():
        try:
            with guarded(name, "reading the header"):
                header = pydicom.dcmread(file, stop_before_pixels=True)
                uid = str(header.SOPInstanceUID)
                if "Rows" not in header or header.get("Modality") in ("SEG", "SR"):
                    continue
        except InputError:
            continue
        by_uid.setdefault(uid, (name, header))
        for key in (name, file.name, uid):
            by_name.setdefault(key, uid)
    return Sources(by_uid=by_uid, by_name=by_name)


def read_objects(
    path: Path, media: Path | None, reading: Reading, *, doing: str
) -> tuple[tuple[Image, ...], tuple[Annotation, ...]]:
    """Read the DICOM objects of one file or of the files of a folder.

    Args:
        path: what holds the objects.
        media: where the images are that they are about.
        reading: content, file and sources -> the images of one object and what is on them.
        doing: what is done, for an error's message.

    Raises:
        InputError: all that is wrong with them.
        EnvironmentFault: highdicom is missing.
    """
    require_highdicom()
    sources = read_sources(media)
    complaints = Complaints(path.name)
    documents = {name: sources.image_of(uid) for uid, (name, _) in sources.by_uid.items()}
    annotations: list[Annotation] = []
    for file, name in files_of(path, ".dcm"):
        try:
            with guarded(name, doing):
                images, found = reading(read_bytes(file, name=name), name, sources)
        except InputError as error:
            complaints.problems.extend(error.problems)
            continue
        for image in images:
            if image.width is not None or image.name not in documents:
                documents[image.name] = image
        annotations += found
    complaints.raise_if_any()
    return tuple(documents.values()), tuple(annotations)


def require_kind(data: bytes, file: str, kinds: tuple[str, ...], noun: str) -> Any:  # noqa: ANN401 - pydicom's
    """Return the dataset of a file whose SOP Class UID begins with one of `kinds`.

    Raises:
        InputError: it is of another kind, which the message names.
    """
    import io

    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data))
    uid = dataset.get("SOPClassUID", "")
    if not str(uid).startswith(kinds):
        name = getattr(uid, "name", "") or "a file without a SOP class"
        raise refusal("T-A116", file, f"is {name}, and no {noun}", "Leave it out.")
    return dataset


def labels_of(annotations: tuple[Annotation, ...]) -> tuple[LabelClass, ...]:
    """Return the labels in order of appearance."""
    names = dict.fromkeys(annotation.label for annotation in annotations)
    return tuple(LabelClass(name=name) for name in names)


def person_of(annotator: str, tally: Tally) -> str:
    """Return an annotator as a DICOM person's name, or nothing and a loss."""
    named = fits(annotator) and not set(annotator) & set("^=")
    lost = bool(annotator) and not named
    tally.add("annotators", "they are names of persons here.", int(lost))
    return annotator if named else ""


def new_uid(*parts: object) -> str:
    """Derive a UID from contents, so that the same labels give the same one."""
    digest = hashlib.sha256("\0".join(map(repr, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def fits(text: str) -> bool:
    """Say whether a DICOM long string (LO) can hold a text as it is."""
    return (
        0 < len(text) <= 64 and text == text.strip() and "\\" not in text and text.isprintable()
    )


def check_labels(labels: set[str], complaints: Complaints) -> None:
    """Complain of labels that no DICOM long string can hold."""
    for label in sorted(labels):
        if not fits(label):
            complaints.add(
                "T-A119",
                f"label {shorten(label)}",
                "is no text of 1 to 64 printable characters without backslash",
                "Rename it.",
            )


def code_of(text: str) -> str:
    """Return a code value, at most 16 characters, for a text."""
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,16}", text):
        return text
    return hashlib.sha256(text.encode()).hexdigest()[:16]
