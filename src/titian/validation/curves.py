"""Validation's pictures: ROC, reliability, confusion, score histogram, forest plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from titian import statistics
from titian.validation.cases import Cases
from titian.validation.measures import MEASURES, claimed
from titian.values import (
    BarFigure,
    Figure,
    ForestFigure,
    HeatMapFigure,
    LineFigure,
    Measurement,
)
from titian.values.figure import ForestRow, Series

MOST_POINTS = 200
HISTOGRAM_BINS = 20


def figures(
    cases: Cases,
    measurements: Sequence[Measurement],
    *,
    positive: str | None,
    label: str,
    alpha: float,
    forests: Sequence[str],
) -> tuple[Figure, ...]:
    """Draw every figure of the table; measurements are reused, not computed again."""
    return (
        _roc(cases, positive),
        _reliability(cases, positive, alpha),
        _confusion(cases),
        _histogram(cases, positive),
        *_forests(measurements, forests, label if positive is None else None, alpha),
    )


def _roc(cases: Cases, positive: str | None) -> LineFigure:
    places = range(len(cases.classes)) if positive is None else (cases.classes.index(positive),)
    series = [Series(label="chance", x=(0.0, 1.0), y=(0.0, 1.0), style="reference")]
    for place in places:
        truth = cases.label == place
        if truth.all() or not truth.any():
            continue
        x, y = _roc_points(cases.scores[:, place], truth)
        series.append(
            Series(label=cases.classes[place], x=tuple(x.tolist()), y=tuple(y.tolist()))
        )
    return LineFigure(
        name="roc",
        title="ROC curve",
        caption="Sensitivity against the false alarms it costs; the further above the "
        "diagonal, the better positives and negatives are told apart.",
        x_label="1 - specificity",
        y_label="sensitivity",
        series=tuple(series),
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
    )


def _roc_points(score: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the curve's corners, thinned to `MOST_POINTS` along its length."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    x = np.append(0.0, np.cumsum(~truth[order])[last] / (~truth).sum())
    y = np.append(0.0, np.cumsum(truth[order])[last] / truth.sum())
    if len(x) > MOST_POINTS:
        along = np.linspace(0, x[-1] + y[-1], MOST_POINTS)
        kept = np.unique(np.searchsorted(x + y, along - 1e-12).clip(0, len(x) - 1))
        x, y = x[kept], y[kept]
    return x, y


def _reliability(cases: Cases, positive: str | None, alpha: float) -> LineFigure:
    score, outcome = claimed(cases, 0 if positive is None else cases.classes.index(positive))
    bins = statistics.calibration_bins(score, outcome, cases.subject, alpha=alpha)
    counts = ", ".join(str(item.n) for item in bins)
    return LineFigure(
        name="reliability",
        title="Reliability curve",
        caption="Observed frequency against mean score in bins of equal mass, with "
        f"{100 * (1 - alpha):g} % intervals; a calibrated model follows the diagonal. "
        f"Cases per bin: {counts}.",
        x_label="mean score" if positive is not None else "mean of the largest score",
        y_label="observed frequency",
        series=(
            Series(label="perfectly calibrated", x=(0.0, 1.0), y=(0.0, 1.0), style="reference"),
            Series(
                label="observed",
                x=tuple(item.score for item in bins),
                y=tuple(item.frequency for item in bins),
                low=tuple(item.interval.low for item in bins),
                high=tuple(item.interval.high for item in bins),
                style="dots",
            ),
        ),
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
    )


def _confusion(cases: Cases) -> HeatMapFigure:
    k = len(cases.classes)
    counts = np.bincount(cases.label * k + cases.prediction, minlength=k * k).reshape(k, k)
    return HeatMapFigure(
        name="confusion",
        title="Confusion matrix",
        caption="Cases by truth (rows) and decision (columns); the diagonal is right.",
        x_label="decision",
        y_label="truth",
        columns=cases.classes,
        rows=cases.classes,
        values=tuple(tuple(float(value) for value in row) for row in counts.tolist()),
    )


def _histogram(cases: Cases, positive: str | None) -> BarFigure:
    if positive is None:
        score = cases.scores.max(axis=1)
        right = cases.prediction == cases.label
        named = [("decision right", right), ("decision wrong", ~right)]
        title = "Largest score"
    else:
        score = cases.scores[:, cases.classes.index(positive)]
        named = [(name, cases.label == at) for at, name in enumerate(cases.classes)]
        title = f"Score of {positive}"
    edges = np.linspace(0.0, 1.0, HISTOGRAM_BINS + 1)
    return BarFigure(
        name="scores",
        title=f"{title}, by truth",
        caption="How the scores are spread; well-told-apart classes overlap little.",
        y_label="cases",
        categories=tuple(f"{low:.2f}-{high:.2f}" for low, high in pairwise(edges.tolist())),
        series=tuple(name for name, _ in named),
        values=tuple(
            tuple(
                float(count)
                for count in np.histogram(score[mask].clip(0, 1), bins=edges)[0].tolist()
            )
            for _, mask in named
        ),
    )


def _forests(
    measurements: Sequence[Measurement],
    forests: Sequence[str],
    class_column: str | None,
    alpha: float,
) -> Iterator[ForestFigure]:
    for name in forests:
        rows = [item for item in measurements if item.name == name]
        if not rows:
            continue
        yield ForestFigure(
            name=f"forest_{name}",
            title=f"{MEASURES[name].id.replace('_', ' ').capitalize()} by group",
            caption=f"Estimates with {100 * (1 - alpha):g} % intervals; n counts "
            f"{MEASURES[name].denominator}.",
            x_label=name,
            rows=tuple(_forest_row(item, class_column) for item in rows),
            x_range=(0.0, 1.0),
        )


def _forest_row(item: Measurement, class_column: str | None) -> ForestRow:
    group = dict(item.subgroup or {})
    of_class = group.pop(class_column, None) if class_column else None
    column, value = next(iter(group.items()), ("all", "all cases"))
    return ForestRow(
        group=column,
        label=value if of_class is None else f"{value}, {of_class}",
        value=item.value,
        low=item.low,
        high=item.high,
        n=item.n,
    )
