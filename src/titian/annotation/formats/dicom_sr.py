"""DICOM Structured Reports: outlines, points and findings of images (TID 1500).

Written is one report for each study and annotator, one measurement group for each
annotation, with its id as tracking identifier; the label is the finding type, attributes are
qualitative evaluations, the score is a measurement. The media folder holds the images.
Rules: a closed polyline around an upright rectangle is read as a box; coordinates have
single precision; circles, ellipses and open lines are counted and left out.
Source: PS3.16 TID 1500; PS3.3 C.18.6; written and read with highdicom.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from titian.annotation.formats.complaints import Complaints
from titian.annotation.formats.dicom_sources import (
    MAKER,
    SCHEME,
    Sources,
    check_labels,
    code_of,
    fits,
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
from titian.annotation.shapes import (
    VISIBLE,
    Annotation,
    Box,
    Classification,
    Image,
    Keypoint,
    Keypoints,
    LabelSet,
    Polygon,
    Ring,
    Shape,
    box_corners,
    extent,
)

CONFIDENCE = ("confidence", SCHEME, "Confidence")
KINDS = ("1.2.840.10008.5.1.4.1.1.88.",)  # PS3.4, B.5
UNREAD_KINDS = "measurement groups without a closed outline or point"


def read(path: Path, media: Path | None = None) -> LabelSet:
    """Read one file or the files of a folder.

    Raises:
        InputError: all that is wrong with them.
        EnvironmentFault: highdicom is missing.
    """
    unread: Counter[str] = Counter()
    documents, annotations = read_objects(
        path, media, partial(_report, unread=unread), doing="reading the report"
    )
    return LabelSet(
        documents=documents,
        annotations=annotations,
        classes=labels_of(annotations),
        notes=tuple(f"{n} {what} were not read." for what, n in unread.items() if n),
    )


def _report(
    data: bytes, file: str, sources: Sources, *, unread: Counter[str]
) -> tuple[list[Image], list[Annotation]]:
    import io

    import highdicom as hd
    from pydicom.sr.codedict import codes

    require_kind(data, file, KINDS, "structured report")
    report: Any = hd.sr.srread(io.BytesIO(data)).content
    people = report.get_observer_contexts(observer_type=codes.DCM.Person)
    annotator = str(people[0].observer_identifying_attributes.name) if people else ""
    found: list[Annotation] = []
    for group in report.get_planar_roi_measurement_groups():
        region = group.roi
        shape = _shape(region) if isinstance(region, hd.sr.ImageRegion) else None
        if shape is None:
            unread[UNREAD_KINDS] += 1
            continue
        reference = region.ContentSequence[0].ReferencedSOPSequence[0]
        uid = str(reference.ReferencedSOPInstanceUID)
        found.append(_annotation(group, shape, uid, annotator, sources))
    unread["volumes of measurement"] += len(report.get_volumetric_roi_measurement_groups())
    for group in report.get_image_measurement_groups():
        for image in group.source_images:
            uid = str(image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
            found.append(_annotation(group, Classification(), uid, annotator, sources))
    return [Image(name=annotation.document) for annotation in found], found


def _shape(region: Any) -> Shape | None:  # noqa: ANN401 - highdicom's
    points: Ring = tuple((float(x), float(y)) for x, y in np.asarray(region.value))
    kind = str(getattr(region.graphic_type, "value", region.graphic_type))
    if kind == "POINT" and len(points) == 1:
        return Keypoints(points=(Keypoint(x=points[0][0], y=points[0][1]),))
    if kind != "POLYLINE" or len(points) < 4 or points[0] != points[-1]:
        return None
    ring = points[:-1]
    box = extent(ring)
    if len(ring) == 4 and set(ring) == set(box_corners(box)) and _clockwise(ring):
        return box
    return Polygon(rings=(ring,))


def _clockwise(ring: Ring) -> bool:
    """Say whether a rectangle's sides run along the axes, so that it is no bow tie."""
    return all(
        (a[0] == b[0]) != (a[1] == b[1])
        for a, b in zip(ring, (*ring[1:], ring[0]), strict=True)
    )


def _annotation(
    group: Any,  # noqa: ANN401 - highdicom's
    shape: Shape,
    uid: str,
    annotator: str,
    sources: Sources,
) -> Annotation:
    score, attributes = None, {}
    for measurement in group.get_measurements():
        if measurement.name.value == CONFIDENCE[0]:
            score = float(measurement.value)
        else:
            attributes[str(measurement.name.meaning)] = (
                f"{measurement.value} {measurement.unit.value}"
            )
    for said in group.get_qualitative_evaluations():
        attributes[str(said.name.meaning)] = str(said.value.meaning)
    finding = group.finding_type
    tracked = str(group.tracking_identifier or "")
    return Annotation(
        document=sources.name_of(uid),
        label="" if finding is None else str(finding.meaning),
        shape=shape,
        id="" if tracked.startswith("untracked-") else tracked,
        annotator=annotator,
        score=score,
        attributes=attributes,
    )


def write(label_set: LabelSet, path: Path, media: Path | None = None) -> tuple[Loss, ...]:
    """Write a folder.

    Raises:
        InputError: a document is no DICOM file of `media`; a label is too long.
        EnvironmentFault: highdicom is missing.
    """
    require_highdicom()
    tally = Tally("DICOM SR")
    chosen = tally.select(
        label_set, documents=(Image,), shapes=(Box, Polygon, Keypoints, Classification)
    )
    tally.relations(label_set)
    sources = read_sources(media)
    complaints = Complaints(path.name)
    check_labels({a.label for _, found in chosen for a in found}, complaints)
    headers = {d.name: sources.header_of(d.name, complaints) for d, found in chosen if found}
    complaints.raise_if_any()
    reports: dict[tuple[str, str], list[Annotation]] = defaultdict(list)
    for document, found in chosen:
        tally.fields(found, "group")
        tally.add("documents", "they have no annotation, so no finding.", int(not found))
        for annotation in found:
            study = str(headers[document.name].get("StudyInstanceUID"))
            reports[study, annotation.annotator].append(annotation)
    path.mkdir(parents=True, exist_ok=True)
    for order, ((study, annotator), found) in enumerate(reports.items(), 1):
        with guarded(f"study {study}", "writing its report"):
            document_ = _document(found, headers, annotator, order, tally)
            document_.save_as(path / f"{order:05}.dcm")
    return tally.losses()


def _document(
    annotations: list[Annotation],
    headers: dict[str, Any],
    annotator: str,
    order: int,
    tally: Tally,
) -> Any:  # noqa: ANN401 - highdicom's
    import highdicom as hd
    from pydicom.sr.codedict import codes

    device = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=new_uid("device"), name=MAKER
        ),
    )
    name = person_of(annotator, tally)
    person = hd.sr.ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=hd.sr.PersonObserverIdentifyingAttributes(
            name=name
        ),
    ) if name else None  # fmt: skip
    groups = [g for a in annotations for g in _groups(a, headers[a.document], tally)]
    report = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(
            observer_person_context=person, observer_device_context=device
        ),
        # LOINC's code for a document about any part of the body.
        procedure_reported=hd.sr.CodedConcept(
            "44136-0", "LN", "Unspecified body region Document"
        ),
        imaging_measurements=groups,
    )
    used = {a.document: headers[a.document] for a in annotations}
    uid = new_uid(annotator, annotations, *(h.SOPInstanceUID for h in used.values()))
    return hd.sr.ComprehensiveSR(
        evidence=list(used.values()),
        content=report[0],
        series_instance_uid=new_uid(uid, "series"),
        series_number=9500 + order,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
    )


def _groups(annotation: Annotation, header: Any, tally: Tally) -> list[Any]:  # noqa: ANN401 - pydicom's
    import highdicom as hd
    from pydicom.sr.codedict import codes

    uid = new_uid(header.SOPInstanceUID, annotation)
    label = hd.sr.CodedConcept(code_of(annotation.label), SCHEME, annotation.label)
    said = []
    for key, value in annotation.attributes.items():
        if fits(key) and fits(value):
            concepts = [hd.sr.CodedConcept(code_of(t), SCHEME, t) for t in (key, value)]
            said.append(hd.sr.QualitativeEvaluation(name=concepts[0], value=concepts[1]))
        else:
            tally.add("attributes", "names and values are texts of 1 to 64 characters here.")
    measured = []
    if annotation.score is not None:
        name = hd.sr.CodedConcept(*CONFIDENCE)
        unit = codes.UCUM.NoUnits
        measured = [hd.sr.Measurement(name=name, value=annotation.score, unit=unit)]
    regions = _regions(annotation, tally)
    groups: list[Any] = []
    for place, region in enumerate(regions or [None]):
        tracked = annotation.id or f"untracked-{uid[-12:]}"
        common: dict[str, Any] = {
            "tracking_identifier": hd.sr.TrackingIdentifier(
                uid=new_uid(uid, place) if place else uid,
                identifier=f"{tracked}:{place}" if place else tracked,
            ),
            "finding_type": label,
            "measurements": measured or None,
            "qualitative_evaluations": said or None,
        }
        if region is None:
            group: Any = hd.sr.MeasurementsAndQualitativeEvaluations(
                source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(header)],
                **common,
            )
        else:
            kind, points = region
            group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
                referenced_region=hd.sr.ImageRegion(
                    graphic_type=kind,
                    graphic_data=np.asarray(points, dtype=np.float64),
                    source_image=hd.sr.SourceImageForRegion.from_source_image(header),
                ),
                **common,
            )
        groups.append(group)
    return groups


def _regions(annotation: Annotation, tally: Tally) -> list[tuple[str, Ring]]:
    """Return what outlines or points at an object; nothing for a finding of a whole image."""
    regions: list[tuple[str, Ring]] = []
    match annotation.shape:
        case Box() as box:
            rotated = box.rotation_deg != 0
            tally.add("rotated boxes", "written as outlines.", int(rotated))
            ring = box_corners(box)
            regions = [("POLYLINE", (*ring, ring[0]))]
        case Polygon(rings=rings):
            tally.add("parts of outlines", "each is a finding of its own.", len(rings) - 1)
            regions = [("POLYLINE", (*ring, ring[0])) for ring in rings]
        case Keypoints(points=points):
            tally.add("sets of keypoints", "each point is a finding.", int(len(points) != 1))
            tally.add(
                "names of keypoints", "points have none.", sum(bool(p.name) for p in points)
            )
            hidden = sum(p.visibility != VISIBLE for p in points)
            tally.add("visibilities of keypoints", "points have none.", hidden)
            regions = [("POINT", ((p.x, p.y),)) for p in points]
        case Classification(question=question):
            tally.add("questions", "a finding has none.", int(bool(question)))
        case _:  # the selection has left these out
            pass
    inexact = sum(
        struct.unpack("f", struct.pack("f", value))[0] != value
        for _, ring in regions
        for point in ring
        for value in point
    )
    tally.add("coordinates", "rounded to single precision.", inexact)
    return regions
