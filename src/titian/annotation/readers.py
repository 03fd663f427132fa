"""What readings say about readers: who tells little, who copies, who is careless where.

Each check holds a reader's labels against what the *other* readers say of the same task: a
weighted vote of the others, in which the reader's own labels do not count. Each is a test at
a stated level with Holm's correction over all that it looks at, and with a least effect, so
that a large crowd is not accused of trifles. Names play no part: readers are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import bdtr, bdtrc, ndtr

from titian.annotation.consensus import Consensus
from titian.statistics import holm, proportion, proportion_difference

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST_READINGS = 20  # of a reader (at a site, in a half) before anything is said
SPAM_SHARE = 0.5  # of what the other readers tell: a reader who tells less is a spammer
LEAST_TOLD = 0.2  # chance-corrected agreement of the others, below which nobody is measured
LEAST_FALL = 0.05  # fall of agreement that matters, at a site or over time
COPIED_SHARE = 0.5  # of the labels that could differ: a pair that copies more is named
CONFUSED_SHARE = 0.25  # of a class's labels that name one other class
DOUBTFUL = 0.05  # probability, by the others, below which a label is called doubtful
MOST_READERS = 2_000  # with the most readings, among whom pairs are looked for
MOST_PAIRS = 5_000  # that share the most tasks
NORMAL_MEDIAN = 0.6745  # median of the absolute value of a standard normal
DECISIVE = 0.5  # the others' probability above which their label is held against a reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Labels as codes, one row a label.

    Attributes:
        task: shape (n,).
        reader: shape (n,).
        label: shape (n,).
        tasks: number of tasks.
        readers: number of readers.
        classes: number of classes, at least 2.
        cluster: shape (tasks,), whose tasks they are; a task of its own where unknown.
        site: shape (n,), where each label was given, or None; -1 where it is not told.
        sites: the sites' names.
        moment: shape (n,), when each label was given, on any scale, or None; NaN where it is
            not told.
    """

    task: Ints
    reader: Ints
    label: Ints
    tasks: int
    readers: int
    classes: int
    cluster: Ints
    site: Ints | None = None
    sites: tuple[str, ...] = ()
    moment: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What the other readers of a task say, for each reading.

    Attributes:
        probability: shape (n, classes), rows sum to 1.
        label: shape (n,), the most probable class.
        told: shape (n,), whether another reader labelled the task and they are decided.
        agrees: shape (n,), whether the reading names that class.
    """

    probability: Floats
    label: Ints
    told: Bools
    agrees: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Spammer:
    """A reader whose labels tell less than half of what the others' tell.

    Attributes:
        reader: number.
        agreement: share of labels that agree with the others.
        expected: the share at which the reader would tell half of what the others tell.
        n: labels.
        p_value: adjusted over readers.
    """

    reader: int
    agreement: float
    expected: float
    n: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Careless:
    """A reader who agrees less at one site than elsewhere, and than others do there."""

    reader: int
    site: int
    here: float
    elsewhere: float
    others: float
    n: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A site whose labels agree less with the others' in its later half."""

    site: int
    before: float
    after: float
    n: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two readers who give the same label more often than the tasks explain."""

    first: int
    second: int
    agreement: float
    expected: float
    n: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """A class whose tasks get another label too often; `low` is the interval's lower end."""

    true: int
    given: int
    share: float
    low: float
    n: int


def say_of_others(readings: Readings, found: Consensus) -> Others:
    """Return what the others say of each reading's task.

    Each vote weighs the log-odds of its reader's expected accuracy, as in a one-coin model; a
    reader no better than chance weighs nothing. All of a reader's own votes on the task are
    left out, also repeated ones.
    """
    k, n = readings.classes, len(readings.task)
    weight, whole = _score(readings, found)
    count = np.bincount(readings.task, minlength=readings.tasks)
    _, pair = np.unique(readings.task * readings.readers + readings.reader, return_inverse=True)
    own = np.bincount(
        pair * k + readings.label,
        weights=weight[readings.reader],
        minlength=(int(pair.max()) + 1) * k,
    ).reshape(-1, k)
    own_count = np.bincount(pair)
    score = whole[readings.task] - own[pair]
    score -= score.max(axis=1, keepdims=True)
    probability = np.exp(score)
    probability /= probability.sum(axis=1, keepdims=True)
    label = probability.argmax(axis=1).astype(np.int64)
    several = count[readings.task] > own_count[pair]
    decided = probability[np.arange(n), label] > DECISIVE
    return Others(
        probability=probability,
        label=label,
        told=several & decided,
        agrees=label == readings.label,
    )


def _score(readings: Readings, found: Consensus) -> tuple[Floats, Floats]:
    """Return each reader's weight, and each task's log-odds by all votes and the prior."""
    k = readings.classes
    # Two votes at the crowd's mean, so that a reader of few labels is not trusted too far.
    votes = np.maximum(found.votes, 0.0)
    accuracy = np.nan_to_num(found.accuracy)
    mean = float((accuracy * votes).sum() / max(votes.sum(), 1.0))
    accuracy = np.clip((accuracy * votes + 2.0 * mean) / (votes + 2.0), 1.0 / k, 0.99)
    weight = np.log(accuracy * (k - 1) / (1.0 - accuracy))
    place = readings.task * k + readings.label
    whole = np.zeros(readings.tasks * k)
    whole += np.bincount(place, weights=weight[readings.reader], minlength=len(whole))
    return weight, whole.reshape(-1, k) + np.log(np.maximum(found.prior[:k], 1e-9))


def find_spammers(readings: Readings, others: Others, *, level: float) -> tuple[Spammer, ...]:
    """Name readers whose labels tell less than half of what the other readers' tell.

    Agreement is corrected for chance (kappa); half of the median reader's is the bar. The
    test is binomial, exact where a task is a case of its own.
    """
    told = others.told
    reader = readings.reader[told]
    n = np.bincount(reader, minlength=readings.readers)
    agreed = np.bincount(reader, weights=others.agrees[told], minlength=readings.readers)
    size = readings.readers * readings.classes
    given = np.bincount(reader * readings.classes + readings.label[told], minlength=size)
    said = np.bincount(reader * readings.classes + others.label[told], minlength=size)
    squares = (given * said).reshape(-1, readings.classes).sum(axis=1)
    able = np.flatnonzero(n >= LEAST_READINGS)
    if len(able) < 3:
        return ()
    chance = squares[able] / n[able].astype(np.float64) ** 2
    share = agreed[able] / n[able]
    told_by = (share - chance) / np.maximum(1.0 - chance, 1e-9)
    usual = float(np.median(told_by))
    if usual < LEAST_TOLD:
        return ()
    bar = np.minimum(chance + SPAM_SHARE * usual * (1.0 - chance), 1.0)
    p_values = holm(bdtr(agreed[able], n[able], bar).tolist())
    return tuple(
        Spammer(
            reader=int(able[i]),
            agreement=float(share[i]),
            expected=float(bar[i]),
            n=int(n[able[i]]),
            p_value=p_values[i],
        )
        for i in np.argsort(p_values, kind="stable")
        if p_values[i] < level
    )


def find_careless(readings: Readings, others: Others, *, level: float) -> tuple[Careless, ...]:
    """Name readers who agree less at one site than elsewhere and than others do there.

    Both differences must be found, each by a score test that counts the tasks of one cluster
    together; the larger p-value counts (an intersection-union test).
    """
    if readings.site is None or len(readings.sites) < 2:
        return ()
    told = others.told & (readings.site >= 0)
    reader, site = readings.reader[told], readings.site[told]
    right, cluster = others.agrees[told], readings.cluster[readings.task[told]]
    looked: list[Careless] = []
    for place in range(len(readings.sites)):
        here = np.flatnonzero(site == place)
        n = np.bincount(reader[here], minlength=readings.readers)
        whole = np.bincount(reader, minlength=readings.readers)
        able = (n >= LEAST_READINGS) & (whole - n >= LEAST_READINGS)
        for one in np.flatnonzero(able & (len(here) - n >= LEAST_READINGS)):
            own = np.flatnonzero(reader == one)
            mine = reader[here] == one
            at, away = right[own][site[own] == place], right[own][site[own] != place]
            rest = right[here][~mine]
            fall = float(min(away.mean(), rest.mean()) - at.mean())
            p_value = 1.0
            if fall >= LEAST_FALL:
                p_value = max(
                    proportion_difference(right[own], site[own] == place, cluster[own]).p_value,
                    proportion_difference(right[here], mine, cluster[here]).p_value,
                )
            looked.append(
                Careless(
                    reader=int(one),
                    site=place,
                    here=float(at.mean()),
                    elsewhere=float(away.mean()),
                    others=float(rest.mean()),
                    n=len(at),
                    p_value=p_value,
                )
            )
    return _significant(looked, level)


def find_drift(readings: Readings, others: Others, *, level: float) -> tuple[Drift, ...]:
    """Name sites whose labels agree less with the others' in the later half of their time.

    Labels without a site count as one site's. Without moments nothing is said.
    """
    if readings.moment is None:
        return ()
    site = readings.site if readings.site is not None else np.zeros(len(others.told), int)
    told = others.told & ~np.isnan(readings.moment)
    looked: list[Drift] = []
    for place in np.unique(site[told]):
        here = np.flatnonzero(told & (site == place))
        moment = readings.moment[here]
        late = moment > np.median(moment)
        if min(late.sum(), (~late).sum()) < LEAST_READINGS:
            continue
        right = others.agrees[here]
        before, after = float(right[~late].mean()), float(right[late].mean())
        p_value = 1.0
        if before - after >= LEAST_FALL:
            cluster = readings.cluster[readings.task[here]]
            p_value = proportion_difference(right, late, cluster).p_value
        looked.append(
            Drift(site=int(place), before=before, after=after, n=len(here), p_value=p_value)
        )
    return _significant(looked, level)


def find_pairs(readings: Readings, found: Consensus, *, level: float) -> tuple[Pair, ...]:
    """Name pairs of readers who give the same label more often than the tasks explain.

    Given the class that *all other* readers name, two honest readers are nearly independent.
    What tasks do to all readers alike is taken from the other pairs: their median surplus is
    granted, and their spread widens the test. A reader's first label of each task counts.
    """
    key = readings.task * readings.readers + readings.reader
    first = np.unique(key, return_index=True)[1]
    first = first[np.argsort(readings.reader[first], kind="stable")]
    task, reader, label = (
        values[first] for values in (readings.task, readings.reader, readings.label)
    )
    start = np.searchsorted(reader, np.arange(readings.readers + 1))
    weight, score = _score(readings, found)
    one, two, pairs = _pairs_to_look_at(readings, task, reader)
    if not len(one):
        return ()
    n, agreed, usual = (np.zeros(len(one)) for _ in range(3))
    for place, (a, b) in enumerate(zip(one.tolist(), two.tolist(), strict=True)):
        rows = [slice(start[who], start[who + 1]) for who in (a, b)]
        both, at, bt = np.intersect1d(task[rows[0]], task[rows[1]], return_indices=True)
        ones, twos = label[rows[0]][at], label[rows[1]][bt]
        rest = score[both]
        rest[np.arange(len(both)), ones] -= weight[a]
        rest[np.arange(len(both)), twos] -= weight[b]
        said = rest.argmax(axis=1)
        n[place], agreed[place] = len(both), (ones == twos).sum()
        usual[place] = _alike_by_chance(said, ones, twos, readings.classes)
    surplus = max(float(np.median(agreed / n - usual)), 0.0)
    usual = np.clip(usual + surplus, 1e-6, 1.0 - 1e-9)
    distance = (agreed - n * usual) / np.sqrt(n * usual * (1.0 - usual))
    spread = max(float(np.median(np.abs(distance))) / NORMAL_MEDIAN, 1.0)
    p_values = np.maximum(
        bdtrc(agreed - 1.0, n.astype(np.int64), usual), ndtr(-distance / spread)
    )
    p_values[(agreed - n * usual) < COPIED_SHARE * n * (1.0 - usual)] = 1.0
    looked = [
        Pair(
            first=int(one[i]),
            second=int(two[i]),
            agreement=float(agreed[i] / n[i]),
            expected=float(usual[i]),
            n=int(n[i]),
            p_value=float(p_values[i]),
        )
        for i in range(len(one))
    ]
    return _significant(looked, level, of=pairs)


def _pairs_to_look_at(readings: Readings, task: Ints, reader: Ints) -> tuple[Ints, Ints, int]:
    """Return pairs who share enough tasks, those that share most first, and how many there are.

    Up to `MOST_PAIRS` are looked at; Holm's correction counts all of them.
    """
    busy = np.bincount(reader, minlength=readings.readers)
    chosen = np.argsort(-busy, kind="stable")[:MOST_READERS]
    chosen = np.sort(chosen[busy[chosen] >= LEAST_READINGS])
    column = np.full(readings.readers, -1, dtype=np.int64)
    column[chosen] = np.arange(len(chosen))
    kept = column[reader] >= 0
    met = sparse.csr_matrix(
        (np.ones(int(kept.sum())), (task[kept], column[reader[kept]])),
        shape=(readings.tasks, len(chosen)),
    )
    together = sparse.triu(met.T @ met, k=1).tocoo()
    enough = np.flatnonzero(together.data >= LEAST_READINGS)
    order = enough[np.argsort(-together.data[enough], kind="stable")][:MOST_PAIRS]
    one, two = (chosen[part[order]].astype(np.int64) for part in (together.row, together.col))
    return one, two, len(enough)


def _alike_by_chance(said: Ints, ones: Ints, twos: Ints, classes: int) -> float:
    """Return how often two readers give one label, if each depends on the class alone."""
    size = classes * classes
    tables = [
        np.bincount(said * classes + given, minlength=size).reshape(classes, classes)
        for given in (ones, twos)
    ]
    per_class = np.maximum(tables[0].sum(axis=1), 1)
    alike = (tables[0] * tables[1]).sum(axis=1) / per_class
    return float(alike.sum() / len(said))


def find_confusions(
    readings: Readings, others: Others, *, level: float
) -> tuple[Confusion, ...]:
    """Name classes whose tasks get one other label in more than a quarter of readings.

    The whole interval, Bonferroni's over all pairs of classes, lies above a quarter.
    """
    k = readings.classes
    found = []
    for true in range(k):
        of_class = np.flatnonzero(others.told & (others.label == true))
        if len(of_class) < LEAST_READINGS:
            continue
        cluster = readings.cluster[readings.task[of_class]]
        for given in range(k):
            named = readings.label[of_class] == given
            if given == true or named.mean() <= CONFUSED_SHARE:
                continue
            share = proportion(named, cluster, alphas=(2.0 * level / (k * (k - 1)),))
            low = share.intervals[0].low
            if low > CONFUSED_SHARE:
                found.append(
                    Confusion(
                        true=true,
                        given=given,
                        share=float(named.mean()),
                        low=low,
                        n=len(of_class),
                    )
                )
    return tuple(found)


def doubtful(readings: Readings, others: Others) -> Bools:
    """Return which readings the others contradict: shape (n,)."""
    own = others.probability[np.arange(len(readings.task)), readings.label]
    found: Bools = others.told & (own < DOUBTFUL)
    return found


def _significant(looked: list[Any], level: float, *, of: int = 0) -> tuple[Any, ...]:
    """Return what is found after Holm's correction over `of` tests, or those looked at."""
    unseen = [1.0] * max(of - len(looked), 0)
    adjusted = holm([item.p_value for item in looked] + unseen)[: len(looked)]
    named = [
        replace(item, p_value=p) for item, p in zip(looked, adjusted, strict=True) if p < level
    ]
    return tuple(sorted(named, key=lambda item: item.p_value))
