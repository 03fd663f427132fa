"""Simulated readings of the phantom study: five made-up readers, honest and attentive.

Nothing is planted here; `titian.annotation.faults` plants the careless reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from titian.dataset.phantom import PhantomStudy

FILE = "readings.csv"
READERS = ("simulated-A", "simulated-B", "simulated-C", "simulated-D", "simulated-E")
READINGS_PER_CASE = 4
RIGHT = (0.93, 0.97)  # probability of a right reading, drawn for each reader and class
PAY = {"north": 0.40, "south": 0.15}  # for one reading
MEDIAN_SECONDS = 18.0
START = datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001 - simulated, in no zone


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomReading:
    """One simulated reading.

    Attributes:
        case: case number.
        reader: place in `READERS`.
        malignant: what the reader says.
        seconds: how long it took.
        minute: minutes since `START`.
    """

    case: int
    reader: int
    malignant: bool
    seconds: float
    minute: int


def make_readings(
    study: PhantomStudy, *, rng: np.random.Generator
) -> tuple[PhantomReading, ...]:
    """Let four of the five readers read each picture, in a random order."""
    right = rng.uniform(*RIGHT, size=(len(READERS), 2))
    readings = []
    for minute, case in enumerate(rng.permutation(len(study.cases)).tolist()):
        truth = study.cases[case].malignant
        for reader in rng.permutation(len(READERS))[:READINGS_PER_CASE].tolist():
            hit = bool(rng.random() < right[reader, int(truth)])
            readings.append(
                PhantomReading(
                    case=case,
                    reader=reader,
                    malignant=truth if hit else not truth,
                    seconds=round(float(rng.lognormal(np.log(MEDIAN_SECONDS), 0.4)), 1),
                    minute=minute,
                )
            )
    return tuple(readings)


def write_readings(
    readings: tuple[PhantomReading, ...], study: PhantomStudy, folder: Path
) -> None:
    """Write readings as `FILE`: task, worker, label, site, seconds, cost, time."""
    lines = ["task,worker,label,site,seconds,cost,time"]
    for reading in readings:
        case = study.cases[reading.case]
        moment = START + timedelta(minutes=reading.minute)
        lines.append(
            f"{case.path},{READERS[reading.reader]},{int(reading.malignant)},{case.site},"
            f"{reading.seconds},{PAY[case.site]:.2f},{moment.isoformat()}"
        )
    (folder / FILE).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
