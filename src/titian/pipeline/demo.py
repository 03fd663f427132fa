"""The demo: a phantom study with planted faults, taken down the whole road.

`titian.dataset.phantom` makes the study and plants nothing; each domain's ``faults`` plants
its own. What is composed here is only the order, and where each fault should be found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from titian.annotation.faults import PlantedReadings, plant_careless_reader
from titian.annotation.phantom import make_readings, write_readings
from titian.dataset.faults import (
    PlantedFault,
    plant_corrupt_file,
    plant_label_giveaway,
    plant_near_copy,
    plant_subject_on_two_sides,
)
from titian.dataset.phantom import make_phantom, write_phantom
from titian.errors import InputError, Problem
from titian.evidence.verify import verify
from titian.pipeline.project import FILE_NAME
from titian.pipeline.reporter import Reporter
from titian.pipeline.run import RunOutcome, run
from titian.validation.faults import plant_site_shift
from titian.values import Finding

SEED = 2026
NAME = "phantom-ultrasound"

PROJECT = f"""\
# A simulated study with planted faults, made by `titian demo`. Nothing here is about a
# real person, and no number here says anything about real images.
name: {NAME}
intended_use: Show the road on simulated breast ultrasound; not for any clinical use.
data:
  table: labels.csv
  image: image
  label: malignant
  positive: 1
  subject: patient
  attributes: [site, sex, room, {{age: [20, 45, 60, 95]}}]
  split: {{column: fold, train: [train], test: [test]}}
  unreadable: exclude        # a corrupt file becomes a finding; the default is to stop
annotate:                    # five simulated readers, four readings a picture
  labels: readings.csv
  currency: USD
training: {{recipe: auto, seed: 7}}
disparity: {{}}                # gaps between groups, slices that nobody named, shortcuts
speed: {{min_duration_s: 1}}   # one query after another, on this machine
sites:
  - {{name: boston, country: US, time_zone: America/New_York}}
site: boston
requirements:
  - {{id: R1, measure: sensitivity, at_least: 0.75}}
  - {{id: R2, measure: sensitivity, at_least: 0.70, for_each: [site, sex, age], min_count: 20}}
  - {{id: R3, measure: specificity, at_least: 0.60}}
  - {{id: R4, measure: auc, at_least: 0.60}}
  - {{id: R5, measure: expected_calibration_error, at_most: 0.15}}
  - {{id: R6, finding: data.subject_leak, at_most: 0}}
  - {{id: R7, finding: data.near_duplicate_leak, at_most: 0}}
  - {{id: R8, finding: data.label_giveaway, at_most: 0}}
  - {{id: R9, finding: data.duplicate_leak, at_most: 0}}
  - {{id: R10, finding: annotation.spammer, at_most: 0}}
  - {{id: R11, finding: annotation.careless_reader, at_most: 0}}
  - {{id: R12, measure: equal_opportunity, at_most: 0.30, for_each: [site, sex]}}
  - {{id: R13, measure: latency_p90, at_most: 250}}     # milliseconds
dossier: {{cases: true}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A planted fault, whether the run found it, and where the reader sees that."""

    fault: str
    found: bool
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOutcome:
    """What the demo came to."""

    run: RunOutcome
    planted: tuple[Planted, ...]
    verified: bool


_PLANTERS: tuple[tuple[Callable[..., PlantedFault], str], ...] = (
    (plant_subject_on_two_sides, ""),
    (plant_near_copy, ""),
    (plant_label_giveaway, "room"),
    (plant_site_shift, "south"),
    (plant_corrupt_file, ""),
)
"""What plants each fault, and the word by which its finding is known if not by its cases."""


def make_demo(folder: Path, reporter: Reporter) -> DemoOutcome:
    """Write the phantom study with its faults into `folder`, run it and look for them.

    Raises:
        InputError: T-X026, the folder holds another project or other files.
    """
    _refuse_other_work(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    study = make_phantom(seed=SEED)
    faults: list[tuple[PlantedFault | PlantedReadings, str]] = []
    for plant, word in _PLANTERS:
        planted = plant(study, rng=rng)
        study = planted.study
        faults.append((planted, word))
    write_phantom(study, folder)
    readers = plant_careless_reader(make_readings(study, rng=rng), study, rng=rng)
    write_readings(readers.readings, study, folder)
    faults.append((readers, ""))
    (folder / FILE_NAME).write_text(PROJECT, encoding="utf-8")
    outcome = run(folder, reporter=reporter)
    return DemoOutcome(
        run=outcome,
        planted=tuple(_look_for(fault, word, outcome.findings) for fault, word in faults),
        verified=verify(outcome.dossier).ok,
    )


def _look_for(
    planted: PlantedFault | PlantedReadings, word: str, findings: Sequence[Finding]
) -> Planted:
    for finding in findings:
        cases = {int(number) for number in re.findall(r"\d+", finding.where)}
        named = word in finding.what if word else bool(cases & set(planted.cases))
        if finding.code == planted.check and named:
            return Planted(
                fault=planted.fault, found=True, evidence=f"{finding.code}: {finding.what}"
            )
    return Planted(fault=planted.fault, found=False, evidence=f"no finding {planted.check}")


def _refuse_other_work(folder: Path) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    project = folder / FILE_NAME
    if project.is_file() and f"name: {NAME}\n" in project.read_text(encoding="utf-8"):
        return
    raise InputError(
        Problem(
            code="T-X026",
            message=f"{folder} holds other files; the demo writes into a new folder, or into "
            "one that it made.",
            remedy="Name another folder: titian demo DIR.",
        )
    )
