"""Testing workers with known answers: before they start, and hidden in their work.

Three questions. How many gold tasks does an entry test need (exact binomial)? Where are gold
tasks hidden in a queue, so that nobody can tell them? When has a worker failed enough of them
to be stopped, though they are looked at after every answer?

The last is an anytime-valid test. Against "accuracy is at least `good`", the likelihood ratio
of any lower accuracy is a test supermartingale, and so is a mixture of them; by Ville's
inequality it ever exceeds 1/a with probability at most a, however long it is watched (Wald
1945; Robbins 1970; Ramdas, Gruenwald, Vovk and Shafer, Statistical Science 38, 2023, 576-601).
A worker who turns careless late is caught by the same ratios restarted at every answer, summed
(Shiryaev-Roberts as an e-detector: Shin, Ramdas and Rinaldo 2022), whose mean number of
answers to a false alarm is at least 1/a.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr

from titian.annotation.consensus.votes import Floats, Ints
from titian.errors import InputError, Problem
from titian.statistics.proportions import wilson

MOST_TASKS = 10_000  # an entry test that needs more is refused
ALTERNATIVES = 12  # accuracies below `good` that the mixture watches for
WORST = 0.05  # the lowest of them
SIMULATED_WORKERS = 300  # of whom it is said when they are stopped
LONGEST_WATCH = 1_000  # gold answers that they give at most
GOOD = 0.8  # accuracy on gold from which a worker must not be stopped
BAD = 0.6  # accuracy on gold up to which a worker must not pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTest:
    """How many gold tasks to give, and how many right answers to ask for.

    Attributes:
        tasks: gold tasks in the test.
        needed: right answers from which a worker passes.
        false_refusal: probability that a worker of accuracy `good` fails.
        false_pass: probability that a worker of accuracy `bad` passes.
    """

    tasks: int
    needed: int
    false_refusal: float
    false_pass: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One worker's entry test in one skill and language.

    Attributes:
        right: right answers.
        tasks: answers given.
        passed: None where the test is not finished and can still be passed.
        low: lower end of Wilson's 95 % interval of the accuracy.
        high: upper end.
    """

    worker: str
    skill: str
    language: str
    right: int
    tasks: int
    passed: bool | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What hidden gold says of each worker so far.

    Attributes:
        stopped_at: shape (workers,), the number of gold answers after which the worker is
            stopped; 0 where not.
        evidence: shape (workers,), the largest value of the test so far; a worker is stopped
            at 1 / false_alarm.
        answers: shape (workers,), gold answers given.
        right: shape (workers,), right ones.
    """

    stopped_at: Ints
    evidence: Floats
    answers: Ints
    right: Ints


def plan_entry_test(
    good: float, bad: float, *, false_refusal: float = 0.05, false_pass: float = 0.05
) -> EntryTest:
    """Return the shortest test that tells `good` from `bad` workers.

    Args:
        good: accuracy of a worker who must pass, above `bad`.
        bad: accuracy of a worker who must fail.
        false_refusal: most probability that `good` fails.
        false_pass: most probability that `bad` passes.

    Raises:
        InputError: T-A220 rates, T-A221 more than 10,000 tasks would be needed.
    """
    _check_rates(good=good, bad=bad, false_refusal=false_refusal, false_pass=false_pass)
    n = 1
    while n <= MOST_TASKS:
        needed = np.arange(n + 1)
        refused = np.where(needed > 0, bdtr(np.maximum(needed - 1.0, 0.0), n, good), 0.0)
        passed = np.where(needed > 0, 1.0 - bdtr(np.maximum(needed - 1.0, 0.0), n, bad), 1.0)
        fits = np.flatnonzero((refused <= false_refusal) & (passed <= false_pass))
        if len(fits):
            place = int(fits[-1])
            return EntryTest(
                tasks=n,
                needed=place,
                false_refusal=float(refused[place]),
                false_pass=float(passed[place]),
            )
        n += 1 if n < 1000 else 10
    raise _refused(
        "T-A221",
        f"no test of {MOST_TASKS} tasks tells {good:g} from {bad:g} with these error rates.",
        "Move the two accuracies apart, or allow more errors.",
    )


def judge_entries(
    answers: Mapping[tuple[str, str, str], Sequence[bool]],
    tests: Mapping[tuple[str, str], EntryTest],
) -> tuple[Entry, ...]:
    """Judge entry tests by skill and language.

    Args:
        answers: (worker, skill, language) -> whether each gold answer was right, in order.
        tests: (skill, language) -> its test; answers beyond its length do not count.

    Returns:
        One entry per key of `answers`, sorted; whoever passes one skill or language has
        passed no other.

    Raises:
        InputError: T-A222 answers in a skill and language that has no test.
    """
    absent = sorted({key[1:] for key in answers} - set(tests))
    if absent:
        raise InputError(
            *(
                Problem(
                    code="T-A222",
                    message=f"there are answers for skill {skill!r} in language {language!r}, "
                    "which has no entry test.",
                    remedy="Plan a test for it, or leave the answers out.",
                )
                for skill, language in absent
            )
        )
    found = []
    for (worker, skill, language), given in sorted(answers.items()):
        test = tests[skill, language]
        counted = list(given)[: test.tasks]
        right, n = sum(counted), len(counted)
        passed: bool | None = right >= test.needed
        if not passed and right + test.tasks - n >= test.needed:
            passed = None
        low, high = wilson(right / n, n, (0.05,)) if n else (np.zeros(1), np.ones(1))
        found.append(
            Entry(
                worker=worker,
                skill=skill,
                language=language,
                right=right,
                tasks=n,
                passed=passed,
                low=float(low[0]),
                high=float(high[0]),
            )
        )
    return tuple(found)


def hide_gold(
    length: int,
    gold: ArrayLike,
    *,
    every: int,
    rng: np.random.Generator,
    first: int = 0,
    seen: ArrayLike = (),
) -> tuple[Ints, Ints]:
    """Choose where gold tasks stand in a worker's queue, and which ones.

    One gold task stands at a random place in each stretch of `every` tasks, so that its place
    cannot be guessed while long gaps are ruled out (at most 2 * every - 1 tasks); the first
    `first` stretches are half as long, since most workers who fail do so early. Which gold
    task stands where is drawn by class, so that the classes follow one another evenly.

    Args:
        length: tasks in the queue, gold included.
        gold: shape (n,), the class of each gold task, integers.
        every: stretch of the queue that holds one gold task, at least 2.
        rng: draws places and tasks.
        first: number of shorter stretches at the start.
        seen: gold tasks (places in `gold`) that this worker had before; not given again.

    Returns:
        Places in the queue, rising, and the gold task at each.

    Raises:
        InputError: T-A223 too few gold tasks for the queue, T-A220 `every` below 2.
    """
    if every < 2 or length < 0 or first < 0:
        raise _refused(
            "T-A220",
            f"every is {every}, length {length}, first {first}; a stretch has at least 2 "
            "tasks, the others are at least 0.",
            "Correct them.",
        )
    half = max(every // 2, 1)
    short = min(first, length // half)
    edges = [half * place for place in range(short + 1)]
    edges += list(range(edges[-1] + every, length + 1, every))
    widths = np.diff(edges)
    places = (
        np.asarray(edges[:-1], dtype=np.int64) + rng.integers(0, widths)
        if len(widths)
        else np.zeros(0, dtype=np.int64)
    )
    classes = np.asarray(gold)
    free = np.setdiff1d(np.arange(len(classes)), np.asarray(seen, dtype=np.int64))
    if len(free) < len(places):
        raise _refused(
            "T-A223",
            f"the queue of {length} tasks needs {len(places)} gold tasks, and {len(free)} of "
            f"{len(classes)} are new to the worker.",
            "Make more gold, or hide it more thinly.",
        )
    return places.astype(np.int64), _spread(classes, free, len(places), rng)


def watch(
    worker: ArrayLike,
    right: ArrayLike,
    *,
    good: float,
    false_alarm: float = 0.01,
    drift: bool = False,
    workers: int | None = None,
) -> Watch:
    """Watch workers on hidden gold, after every answer.

    Args:
        worker: shape (n,), integers from 0, in the order of time.
        right: shape (n,), whether the answer was right.
        good: accuracy of a worker who must not be stopped; better ones are stopped more
            rarely still.
        false_alarm: with `drift` False, the most probability that a good worker is ever
            stopped; with `drift` True, one over the mean number of gold answers to a false
            alarm. It holds for one worker: of w good ones up to w * false_alarm are stopped.
        drift: also catch workers who turn careless after a good start.
        workers: number of workers; None for the largest code plus one.

    Raises:
        InputError: T-A220 rates, T-A224 arrays.
    """
    _check_rates(good=good, false_alarm=false_alarm)
    who, hit = np.asarray(worker), np.asarray(right)
    if who.ndim != 1 or who.shape != hit.shape or (len(who) and who.dtype.kind not in "iu"):
        raise _refused(
            "T-A224",
            f"worker has the shape {who.shape} and type {who.dtype}, right the shape "
            f"{hit.shape}; they are arrays of one length, workers integers from 0.",
            "Give one row per gold answer.",
        )
    size = int(who.max(initial=-1)) + 1 if workers is None else workers
    steps = _ratios(good)
    stopped = np.zeros(size, dtype=np.int64)
    evidence = np.zeros(size)
    answers = np.bincount(who, minlength=size).astype(np.int64)
    order = np.argsort(who, kind="stable")
    ends = np.cumsum(answers)
    for code in np.flatnonzero(answers):
        mine = hit[order[ends[code] - answers[code] : ends[code]]].astype(np.int64)
        path = _path(steps[mine], drift=drift)
        evidence[code] = path.max()
        over = np.flatnonzero(path >= 1.0 / false_alarm)
        stopped[code] = int(over[0]) + 1 if len(over) else 0
    return Watch(
        stopped_at=stopped,
        evidence=evidence,
        answers=answers,
        right=np.bincount(who, weights=hit, minlength=size).astype(np.int64),
    )


def answers_to_stop(
    accuracy: float,
    *,
    good: float,
    false_alarm: float = 0.01,
    rng: np.random.Generator,
    longest: int = LONGEST_WATCH,
) -> Ints:
    """Simulate after how many gold answers a worker is stopped.

    Args:
        accuracy: of the worker on gold.
        good: as in `watch`.
        false_alarm: as in `watch`, without drift.
        rng: draws the answers.
        longest: answers that are looked at.

    Returns:
        One number per simulated worker, shape (SIMULATED_WORKERS,), sorted; `longest` + 1
        where the worker is not stopped by then.

    Raises:
        InputError: T-A220 rates.
    """
    _check_rates(accuracy=accuracy, good=good, false_alarm=false_alarm)
    right = np.cumsum(rng.random((SIMULATED_WORKERS, longest)) < accuracy, axis=1)
    wrong = np.arange(1, longest + 1) - right
    evidence = np.zeros(right.shape)
    with np.errstate(over="ignore"):
        for off, hit in np.log(_ratios(good)).T:
            evidence += np.exp(right * hit + wrong * off)
    over = evidence >= ALTERNATIVES / false_alarm
    first = np.where(over.any(axis=1), over.argmax(axis=1), longest)
    found: Ints = np.sort(first + 1).astype(np.int64)
    return found


def _ratios(good: float) -> Floats:
    """Return the likelihood ratios of a wrong and a right answer, shape (2, alternatives)."""
    lower = np.linspace(min(WORST, good / 2.0), good, ALTERNATIVES, endpoint=False)
    return np.stack([(1.0 - lower) / (1.0 - good), lower / good])


def _path(ratio: Floats, *, drift: bool) -> Floats:
    """Return the mixture after each answer, shape (n,)."""
    if not drift:
        with np.errstate(over="ignore"):
            found: Floats = np.exp(np.cumsum(np.log(ratio), axis=0)).mean(axis=1)
        return found
    state = np.zeros(ratio.shape[1])
    path = np.empty(len(ratio))
    for place, step in enumerate(ratio):
        state = np.minimum((state + 1.0) * step, 1e300)
        path[place] = state.mean()
    return path


def _spread(classes: NDArray[Any], free: Ints, many: int, rng: np.random.Generator) -> Ints:
    """Take tasks so that the classes alternate, in an order drawn anew each round."""
    mixed = rng.permutation(free)
    rank = np.zeros(len(mixed), dtype=np.int64)
    for name in np.unique(classes[mixed]):
        here = classes[mixed] == name
        rank[here] = np.arange(int(here.sum()))
    found: Ints = mixed[np.lexsort((rng.random(len(mixed)), rank))][:many]
    return found


def _check_rates(**rates: float) -> None:
    problems = [
        f"{name} is {rate:g}; it lies between 0 and 1."
        for name, rate in rates.items()
        if not 0.0 < rate < 1.0
    ]
    if not problems and rates.get("bad", 0.0) >= rates.get("good", 1.0):
        problems.append(f"bad is {rates['bad']:g} and good {rates['good']:g}; bad is lower.")
    if problems:
        raise InputError(
            *(
                Problem(code="T-A220", message=message, remedy="Correct the rate.")
                for message in problems
            )
        )


def _refused(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))
