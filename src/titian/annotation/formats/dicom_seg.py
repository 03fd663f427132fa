"""DICOM Segmentation: masks as segments of images.

Written is one object for each image and annotator, one segment for each annotation, with its
id as tracking identifier; the label is the segment's label and, as a private code, its type.
The media folder holds the images, whose patient and study an object carries on. Read are
binary segmentations of single-frame images; of fractional ones what is above a half.
Source: PS3.3 A.51; written and read with highdicom.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from titian.annotation.formats.complaints import Complaints
from titian.annotation.formats.dicom_sources import (
    MAKER,
    MOST_PIXELS,
    SCHEME,
    Sources,
    check_labels,
    code_of,
    guarded,
    labels_of,
    new_uid,
    person_of,
    read_objects,
    read_sources,
    require_highdicom,
    require_kind,
)
from titian.annotation.formats.loss import Loss, Tally
from titian.annotation.masks import Pixels, decode_mask, encode_mask, rasterise
from titian.annotation.shapes import (
    Annotation,
    Box,
    Image,
    LabelSet,
    Mask,
    Polygon,
    box_corners,
)

MOST_SEGMENTS = 65_535
KINDS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # PS3.4, B.5


def read(path: Path, media: Path | None = None) -> LabelSet:
    """Read one file or the files of a folder.

    Args:
        path: what holds segmentations.
        media: where the images are; without it a document is named by its UID.

    Raises:
        InputError: all that is wrong with them.
        EnvironmentFault: highdicom is missing.
    """
    documents, annotations = read_objects(
        path, media, _segmentation, doing="reading the segmentation"
    )
    return LabelSet(
        documents=documents, annotations=annotations, classes=labels_of(annotations)
    )


def _segmentation(
    data: bytes, file: str, sources: Sources
) -> tuple[list[Image], list[Annotation]]:
    import highdicom.seg

    complaints = Complaints(file)
    dataset = require_kind(data, file, KINDS, "segmentation")
    if int(dataset.Rows) * int(dataset.Columns) > MOST_PIXELS:
        complaints.add("T-A101", "", f"has frames of over {MOST_PIXELS:,} pixels", "Divide it.")
    complaints.raise_if_any()
    for shared in dataset.get("SharedFunctionalGroupsSequence") or ():
        measures = shared.get("PixelMeasuresSequence")
        if measures and "SliceThickness" not in measures[0]:
            # Allowed for projections, but the library wants it; nothing here asks for sizes.
            del shared.PixelMeasuresSequence
    seg = highdicom.seg.Segmentation.from_dataset(dataset, copy=False)
    if "NumberOfFrames" not in seg or getattr(seg, "is_tiled", False):
        complaints.add("T-A116", "", "is tiled; single-frame images are read", "Leave it out.")
    complaints.raise_if_any()
    documents: list[Image] = []
    annotations: list[Annotation] = []
    annotator = str(seg.get("ContentCreatorName") or "")
    for _, _, uid in seg.get_source_image_uids():
        name = sources.name_of(str(uid))
        documents.append(Image(name=name, width=int(seg.Columns), height=int(seg.Rows)))
        for number in seg.segment_numbers:
            pixels = _pixels(seg, str(uid), int(number))
            if not pixels.any():
                continue
            about = seg.get_segment_description(int(number))
            annotations.append(
                Annotation(
                    document=name,
                    label=str(about.segment_label),
                    shape=encode_mask(pixels),
                    id=str(about.tracking_id or ""),
                    annotator=annotator,
                )
            )
    return documents, annotations


def _pixels(seg: Any, uid: str, number: int) -> Pixels:  # noqa: ANN401 - untyped library
    found = seg.get_pixels_by_source_instance(
        source_sop_instance_uids=[uid],
        segment_numbers=[number],
        ignore_spatial_locations=True,
        assert_missing_frames_are_empty=True,
        skip_overlap_checks=True,
    )
    return np.asarray(found[0, :, :, 0], dtype=np.float64) > 0.5


def write(label_set: LabelSet, path: Path, media: Path | None = None) -> tuple[Loss, ...]:
    """Write a folder; boxes and polygons become the pixels whose centres they hold.

    Raises:
        InputError: a document is no DICOM file of `media`; a label is too long.
        EnvironmentFault: highdicom is missing.
    """
    require_highdicom()
    tally = Tally("DICOM SEG")
    chosen = tally.select(label_set, documents=(Image,), shapes=(Box, Polygon, Mask))
    tally.relations(label_set)
    sources = read_sources(media)
    complaints = Complaints(path.name)
    check_labels({a.label for _, found in chosen for a in found}, complaints)
    headers = {d.name: sources.header_of(d.name, complaints) for d, found in chosen if found}
    for document, found in chosen:
        header = headers.get(document.name)
        if found and header is not None:
            _check_size(found, header, document.name, complaints)
    complaints.raise_if_any()
    path.mkdir(parents=True, exist_ok=True)
    for place, (document, found) in enumerate(chosen, 1):
        tally.fields(found, "group", "score", "attributes")
        tally.add("documents", "they have no annotation, so no segment.", int(not found))
        annotators = dict.fromkeys(annotation.annotator for annotation in found)
        for order, annotator in enumerate(annotators, 1):
            own = [annotation for annotation in found if annotation.annotator == annotator]
            with guarded(document.name, "writing its segmentation"):
                seg = _object(headers[document.name], own, annotator, order, tally)
                seg.save_as(path / f"{place:05}-{order}.dcm")
    return tally.losses()


def _check_size(
    annotations: list[Annotation],
    header: Any,  # noqa: ANN401 - pydicom's
    document: str,
    complaints: Complaints,
) -> None:
    size = (int(header.Columns), int(header.Rows))
    if int(header.get("NumberOfFrames") or 1) > 1:
        complaints.add(
            "T-A116", f"document {document!r}", "has several frames", "Give single frames."
        )
    for annotation in annotations:
        mask = annotation.shape
        if isinstance(mask, Mask) and (mask.width, mask.height) != size:
            complaints.add(
                "T-A127",
                f"document {document!r}",
                f"has a mask of {mask.width} x {mask.height} on an image of "
                f"{size[0]} x {size[1]}",
                "Draw the mask on this very image.",
            )
    if len(annotations) > MOST_SEGMENTS:
        complaints.add(
            "T-A101",
            f"document {document!r}",
            f"has over {MOST_SEGMENTS:,} masks",
            "Divide it.",
        )


def _object(
    header: Any,  # noqa: ANN401 - pydicom's
    annotations: list[Annotation],
    annotator: str,
    order: int,
    tally: Tally,
) -> Any:  # noqa: ANN401 - highdicom's
    import highdicom as hd
    from highdicom.sr import CodedConcept

    height, width = int(header.Rows), int(header.Columns)
    area = np.stack([_area(a, width, height, tally) for a in annotations], axis=-1)[None]
    # What is drawn may be of any kind; a claim that it is tissue or a lesion is not ours.
    category = CodedConcept("309825002", "SCT", "Spatial and Relational Concept")
    parts = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=annotation.label,
            segmented_property_category=category,
            segmented_property_type=CodedConcept(
                code_of(annotation.label), SCHEME, annotation.label
            ),
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
            tracking_id=annotation.id or None,
            tracking_uid=new_uid(header.SOPInstanceUID, annotation) if annotation.id else None,
        )
        for number, annotation in enumerate(annotations, 1)
    ]
    uid = new_uid(header.SOPInstanceUID, annotator, annotations)
    return hd.seg.Segmentation(
        source_images=[header],
        pixel_array=area.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=parts,
        series_instance_uid=new_uid(uid, "series"),
        series_number=9000 + order,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=MAKER,
        software_versions="1",
        device_serial_number="0",
        content_creator_name=person_of(annotator, tally) or None,
        omit_empty_frames=False,
    )


def _area(annotation: Annotation, width: int, height: int, tally: Tally) -> Pixels:
    match annotation.shape:
        case Mask() as mask:
            return decode_mask(mask)
        case Box() as box:
            tally.add("boxes", "written as the pixels whose centres they hold.")
            return rasterise(Polygon(rings=(box_corners(box),)), width=width, height=height)
        case Polygon() as polygon:
            tally.add("polygons", "written as the pixels whose centres they hold.")
            return rasterise(polygon, width=width, height=height)
        case _:
            raise TypeError("the selection holds areas only")
