"""Faults planted where a check of readers must catch them: proof that it can fail.

Every control runs its check at `LEVEL`, which is its stated false-alarm rate. The spammer and
the label errors are planted into the run's own readings where these have the power to show
them, all others into simulated ones; each control says which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from titian.annotation.consensus import Consensus, consensus
from titian.annotation.gold_answers import GoldAnswers, find_failing
from titian.annotation.phantom import READERS, PhantomReading
from titian.annotation.qualification import GOOD
from titian.annotation.readers import (
    Others,
    Readings,
    doubtful,
    find_careless,
    find_confusions,
    find_drift,
    find_pairs,
    find_spammers,
    say_of_others,
)
from titian.dataset.phantom import PhantomStudy
from titian.statistics import proportion_difference
from titian.values import Control

LEVEL = 1e-4
"""Level of every control, and its stated false-alarm rate."""

SPAMMER = "annotation.spammer"
LABEL_ERROR = "annotation.label_error"
CARELESS = "annotation.careless_reader"
COLLUDING = "annotation.colluding_pair"
CONFUSED = "annotation.confused_class"
DRIFT = "annotation.site_drift"
GOLD = "annotation.fails_gold"

ENOUGH_READINGS = 150  # of the reader who is made a spammer
ENOUGH_AGREEMENT = 0.75  # of all readings with the others', so that a fault stands out
MOST_READINGS = 200_000  # above, a second fit of the run's own readings takes too long
ENOUGH_GOLD = 200  # answers to gold of the reader who is made to guess
MOST_BY_CHANCE = 0.25  # below the bar: a guesser who is right more often does not stand out
ERROR_SHARE = 0.05
SIMULATED_TASKS = 1500
SIMULATED_READERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedReadings:
    """Readings of the phantom study with one fault.

    Attributes:
        readings: the changed readings.
        fault: what was planted, in words a reader understands.
        check: the finding that must name it.
        cases: case numbers touched.
    """

    readings: tuple[PhantomReading, ...]
    fault: str
    check: str
    cases: tuple[int, ...]


def plant_careless_reader(
    readings: tuple[PhantomReading, ...],
    study: PhantomStudy,
    *,
    rng: np.random.Generator,
    site: str = "south",
) -> PlantedReadings:
    """Let one reader guess at one site, quickly."""
    reader = int(rng.integers(len(READERS)))
    changed, touched = [], []
    for reading in readings:
        if reading.reader == reader and study.cases[reading.case].site == site:
            touched.append(reading.case)
            guess = bool(rng.random() < 0.5)
            changed.append(replace(reading, malignant=guess, seconds=reading.seconds / 6))
        else:
            changed.append(reading)
    return PlantedReadings(
        readings=tuple(changed),
        fault=f"a careless reader (at site {site})",
        check=CARELESS,
        cases=tuple(sorted(touched)),
    )


def simulate_readings(rng: np.random.Generator) -> Readings:
    """Draw honest readings: 8 readers, 1,500 tasks of two classes, 5 labels each, two sites."""
    truth = rng.integers(0, 2, SIMULATED_TASKS)
    task = np.repeat(np.arange(SIMULATED_TASKS), 5)
    reader = np.concatenate(
        [rng.permutation(SIMULATED_READERS)[:5] for _ in range(SIMULATED_TASKS)]
    )
    right = rng.uniform(0.82, 0.92, SIMULATED_READERS)[reader]
    label = np.where(rng.random(len(task)) < right, truth[task], 1 - truth[task])
    return Readings(
        task=task.astype(np.int64),
        reader=reader.astype(np.int64),
        label=label.astype(np.int64),
        tasks=SIMULATED_TASKS,
        readers=SIMULATED_READERS,
        classes=2,
        cluster=np.arange(SIMULATED_TASKS),
        site=rng.integers(0, 2, SIMULATED_TASKS)[task].astype(np.int64),
        sites=("first", "second"),
        moment=rng.permutation(SIMULATED_TASKS)[task].astype(np.float64),
    )


def fit(readings: Readings, *, method: str = "auto") -> tuple[Consensus, Others]:
    """Return the consensus, and what the others say of each reading."""
    found = consensus(
        readings.task,
        readings.reader,
        readings.label,
        method=method,
        tasks=readings.tasks,
        workers=readings.readers,
        classes=readings.classes,
    )
    return found, say_of_others(readings, found)


def plant_spammer(readings: Readings, reader: int, rng: np.random.Generator) -> Readings:
    """Let one reader draw labels from the urn of all labels, whatever the task."""
    own = readings.reader == reader
    label = readings.label.copy()
    label[own] = rng.choice(readings.label, int(own.sum()))
    return replace(readings, label=label)


def plant_label_errors(
    readings: Readings, rng: np.random.Generator
) -> tuple[Readings, np.ndarray]:
    """Exchange the label of every twentieth reading for another class."""
    rows = rng.random(len(readings.label)) < ERROR_SHARE
    used = np.unique(readings.label)
    shift = rng.integers(1, max(len(used), 2), len(rows))
    place = np.searchsorted(used, readings.label)
    wrong = used[(place + shift) % len(used)]
    return replace(readings, label=np.where(rows, wrong, readings.label)), rows


def controls(
    readings: Readings,
    others: Others,
    *,
    method: str,
    rng: np.random.Generator,
    answers: GoldAnswers | None = None,
    good: float = GOOD,
) -> tuple[Control, ...]:
    """Run each check against its planted fault; that of gold only where there is gold."""
    simulated = simulate_readings(rng)
    busiest, readings_of_it = _busiest(readings, others)
    told = int(others.told.sum())
    agreement = float(others.agrees[others.told].mean()) if told else 0.0
    able = len(readings.label) <= MOST_READINGS and agreement >= ENOUGH_AGREEMENT
    several = readings.readers >= 3 and len(np.unique(readings.label)) >= 2
    spam = able and several and readings_of_it >= ENOUGH_READINGS
    errors = able and several and told >= 10 * ENOUGH_READINGS
    own, here = "in the run's readings", f"in {len(simulated.label)} simulated readings"
    return (
        _spammer(readings, busiest, own, method, rng)
        if spam
        else _spammer(simulated, 0, here, "auto", rng),
        _label_errors(readings, own, method, rng)
        if errors
        else _label_errors(simulated, here, "auto", rng),
        _careless(simulated, here, rng),
        _colluding(simulated, here),
        _confused(simulated, here, rng),
        _drift(simulated, here, rng),
        *(() if answers is None else (gold_control(readings, answers, good=good, rng=rng),)),
    )


def _busiest(readings: Readings, others: Others) -> tuple[int, int]:
    count = np.bincount(readings.reader[others.told], minlength=readings.readers)
    return int(count.argmax()), int(count.max())


def _spammer(
    readings: Readings, reader: int, where: str, method: str, rng: np.random.Generator
) -> Control:
    planted = plant_spammer(readings, reader, rng)
    named = find_spammers(planted, fit(planted, method=method)[1], level=LEVEL)
    hit = [item for item in named if item.reader == reader]
    return _control(
        SPAMMER,
        f"a reader's labels drawn from an urn ({where})",
        bool(hit),
        f"agreement {hit[0].agreement:.2f}, p = {hit[0].p_value:.2g}" if hit else "not named",
    )


def _label_errors(
    readings: Readings, where: str, method: str, rng: np.random.Generator
) -> Control:
    planted, wrong = plant_label_errors(readings, rng)
    others = fit(planted, method=method)[1]
    flagged = doubtful(planted, others)[others.told]
    planted_here = wrong[others.told]
    cluster = planted.cluster[planted.task[others.told]]
    test = proportion_difference(flagged, planted_here, cluster)
    share, rest = test.group or 0.0, test.rest or 0.0
    return _control(
        LABEL_ERROR,
        f"{int(wrong.sum())} labels exchanged for another class ({where})",
        test.p_value < LEVEL and share > rest,
        f"{share:.0%} of the exchanged labels and {rest:.0%} of the others are doubted",
    )


def _careless(readings: Readings, where: str, rng: np.random.Generator) -> Control:
    assert readings.site is not None  # noqa: S101 - the simulated readings have sites
    rows = (readings.reader == 0) & (readings.site == 1)
    guessed = rng.integers(0, 2, len(rows))
    planted = replace(readings, label=np.where(rows, guessed, readings.label))
    named = find_careless(planted, fit(planted)[1], level=LEVEL)
    hit = [item for item in named if (item.reader, item.site) == (0, 1)]
    return _control(
        CARELESS,
        f"a reader who guesses at one of two sites ({where})",
        bool(hit),
        f"agreement {hit[0].here:.2f} there, {hit[0].elsewhere:.2f} elsewhere"
        if hit
        else "not named",
    )


def _colluding(readings: Readings, where: str) -> Control:
    copied = {
        (task, 0): label
        for task, reader, label in zip(
            readings.task.tolist(),
            readings.reader.tolist(),
            readings.label.tolist(),
            strict=True,
        )
        if reader == 0
    }
    label = readings.label.copy()
    for row in np.flatnonzero(readings.reader == 1).tolist():
        label[row] = copied.get((int(readings.task[row]), 0), label[row])
    planted = replace(readings, label=label)
    named = find_pairs(planted, fit(planted)[0], level=LEVEL)
    hit = [item for item in named if (item.first, item.second) == (0, 1)]
    return _control(
        COLLUDING,
        f"a reader who copies another ({where})",
        bool(hit),
        f"{hit[0].agreement:.2f} alike, {hit[0].expected:.2f} expected" if hit else "not named",
    )


def _confused(readings: Readings, where: str, rng: np.random.Generator) -> Control:
    rows = (readings.label == 1) & (rng.random(len(readings.label)) < 0.4)
    planted = replace(readings, label=np.where(rows, 0, readings.label))
    named = find_confusions(planted, fit(planted)[1], level=LEVEL)
    hit = [item for item in named if (item.true, item.given) == (1, 0)]
    return _control(
        CONFUSED,
        f"two of five labels of one class exchanged for the other ({where})",
        bool(hit),
        f"{hit[0].share:.2f} of that class's labels name the other" if hit else "not named",
    )


def _drift(readings: Readings, where: str, rng: np.random.Generator) -> Control:
    assert readings.site is not None  # noqa: S101 - the simulated readings have sites
    assert readings.moment is not None  # noqa: S101 - and moments
    late = (readings.site == 1) & (readings.moment > np.median(readings.moment))
    rows = late & (rng.random(len(late)) < 0.25)
    planted = replace(readings, label=np.where(rows, 1 - readings.label, readings.label))
    named = find_drift(planted, fit(planted)[1], level=LEVEL)
    hit = [item for item in named if item.site == 1]
    return _control(
        DRIFT,
        f"a quarter of a site's later labels exchanged ({where})",
        bool(hit),
        f"agreement {hit[0].before:.2f}, then {hit[0].after:.2f}" if hit else "not named",
    )


def gold_control(
    readings: Readings, answers: GoldAnswers, *, good: float, rng: np.random.Generator
) -> Control:
    """Let the reader with most gold draw labels from the urn of all."""
    given = np.bincount(answers.worker, minlength=readings.readers)
    busiest = int(given.argmax())
    own = answers.worker == busiest
    share = np.bincount(readings.label, minlength=readings.classes) / len(readings.label)
    by_chance = float((share**2).sum())
    where = "in the run's answers"
    if given[busiest] < ENOUGH_GOLD or by_chance > good - MOST_BY_CHANCE:
        each = np.repeat(np.arange(SIMULATED_READERS), ENOUGH_GOLD)
        able = rng.random(len(each)) < (1.0 + good) / 2.0
        answers = replace(answers, worker=each, task=np.arange(len(each)), right=able)
        busiest, own, by_chance = 0, each == 0, good / 2.0
        where = f"in {len(each)} simulated answers"
    right = answers.right.copy()
    right[own] = rng.random(int(own.sum())) < by_chance
    named = find_failing(replace(answers, right=right), good=good, level=LEVEL)
    hit = [item for item in named if item.worker == busiest]
    return _control(
        GOLD,
        f"a reader who guesses on gold ({where})",
        bool(hit),
        f"stopped after {hit[0].after} of {hit[0].answers} answers" if hit else "not stopped",
    )


def _control(check: str, fault: str, found: bool, detail: str) -> Control:
    return Control(check=check, fault=fault, found=found, detail=detail, false_alarm_rate=LEVEL)
