"""Faults in data, planted into a phantom study: each a pure change, and where it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from titian.dataset.controls import near_copy
from titian.dataset.phantom import PhantomCase, PhantomStudy
from titian.dataset.ultrasound import Lesion


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFault:
    """A study with one more fault.

    Attributes:
        study: the changed study.
        fault: what was planted, in words a reader understands.
        check: the finding that must name it.
        cases: case numbers touched; one of them at least stands in that finding.
    """

    study: PhantomStudy
    fault: str
    check: str
    cases: tuple[int, ...]


def plant_subject_on_two_sides(
    study: PhantomStudy, *, rng: np.random.Generator
) -> PlantedFault:
    """Move one picture of a training patient, who has several, to the test side."""
    moved = _pick(study, rng, lambda case: case.fold == "train" and case.picture == 2)
    patient = study.cases[moved].patient
    touched = tuple(i for i, case in enumerate(study.cases) if case.patient == patient)
    return PlantedFault(
        study=_changed(study, {moved: replace(study.cases[moved], fold="test")}),
        fault="a subject on two sides of the split",
        check="data.subject_leak",
        cases=touched,
    )


def plant_near_copy(study: PhantomStudy, *, rng: np.random.Generator) -> PlantedFault:
    """Add a slightly cropped, brightened and noised copy under a new patient in the test."""
    source = _pick(study, rng, lambda case: case.fold == "train")
    case = study.cases[source]
    grey = near_copy(case.pixels.astype(np.float32) / np.float32(255), rng=rng)
    pixels: NDArray[np.uint8] = np.rint(grey * 255).astype(np.uint8)
    copy = replace(
        case,
        pixels=pixels,
        patient=max(case.patient for case in study.cases) + 1,
        picture=1,
        fold="test",
    )
    return PlantedFault(
        study=replace(study, cases=(*study.cases, copy)),
        fault="a near-copy of an image on two sides of the split",
        check="data.near_duplicate_leak",
        cases=(source, len(study.cases)),
    )


def plant_label_giveaway(
    study: PhantomStudy, *, rng: np.random.Generator, column: str = "room"
) -> PlantedFault:
    """Add a column that tells the label: malignant lesions were seen in rooms of their own."""
    rooms = {True: ("R5", "R6"), False: ("R1", "R2", "R3")}
    room = {
        patient: str(rng.choice(rooms[malignant]))
        for patient, malignant in sorted({(c.patient, c.malignant) for c in study.cases})
    }
    cases = tuple(
        replace(case, extra={**case.extra, column: room[case.patient]}) for case in study.cases
    )
    return PlantedFault(
        study=replace(study, cases=cases),
        fault="an attribute that gives the label away",
        check="data.label_giveaway",
        cases=tuple(range(len(cases))),
    )


def plant_corrupt_file(study: PhantomStudy, *, rng: np.random.Generator) -> PlantedFault:
    """Cut one training image's file in half when it is written."""
    # Another fault's cases are left whole, or that fault would go with them.
    spoken_for = {case.patient for case in study.cases if case.fold == "test"}
    owners: dict[Lesion, set[int]] = {}
    for case in study.cases:
        owners.setdefault(case.lesion, set()).add(case.patient)
    spoken_for.update(*(patients for patients in owners.values() if len(patients) > 1))
    cut = _pick(study, rng, lambda case: case.patient not in spoken_for)
    return PlantedFault(
        study=_changed(study, {cut: replace(study.cases[cut], truncated=True)}),
        fault="a corrupt file",
        check="data.corrupt_file",
        cases=(cut,),
    )


def _pick(
    study: PhantomStudy, rng: np.random.Generator, fits: Callable[[PhantomCase], bool]
) -> int:
    return int(rng.choice([i for i, case in enumerate(study.cases) if fits(case)]))


def _changed(study: PhantomStudy, changes: dict[int, PhantomCase]) -> PhantomStudy:
    cases = tuple(changes.get(place, case) for place, case in enumerate(study.cases))
    return replace(study, cases=cases)
