"""The recipe ``tabular``: logistic regression or boosted trees, chosen by cross-validation.

Numbers are rounded to float32 before anything else, since that is what the exported graph
reads. What the preprocessing learns (medians, scales, categories) is learnt anew on the
training side of each fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from titian.training.calibration import Codes, Scores, cross_entropy, softmax

FOLDS = 5

#: A text that fewer training cases hold is no category of its own.
MIN_CATEGORY_CASES = 3

#: More columns than this would describe the cases one by one.
MAX_CATEGORIES = 64

#: Shares of the training subjects along the learning curve.
GROWTH = (0.2, 0.4, 0.6, 0.8, 1.0)

Features = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """What the preprocessing learnt from training cases.

    Attributes:
        numbers: numeric columns, p of them.
        texts: text columns.
        medians: shape (p,), what stands in for a missing number (logistic regression).
        means: shape (p,), after filling.
        scales: shape (p,), standard deviation after filling; 1 where constant.
        gaps: positions of the numeric columns that have missing values in training.
        categories: per text column, the texts that have a column of their own; any
            other text, also one never seen, has none.
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    medians: npt.NDArray[np.float32]
    means: npt.NDArray[np.float32]
    scales: npt.NDArray[np.float32]
    gaps: tuple[int, ...]
    categories: tuple[tuple[str, ...], ...]

    def dense(self, features: Features) -> npt.NDArray[np.float64]:
        """Return filled, scaled numbers, indicators of missing ones, and categories."""
        values = self._numbers(features)
        missing = np.isnan(values)
        filled = np.where(missing, self.medians, values)
        scaled = (filled - self.means) / self.scales
        return np.concatenate(
            [scaled, missing[:, list(self.gaps)], self._categories(features, len(values))],
            axis=1,
            dtype=np.float64,
        )

    def sparse(self, features: Features) -> npt.NDArray[np.float64]:
        """Return numbers with their gaps, and categories: what boosted trees read."""
        values = self._numbers(features)
        return np.concatenate(
            [values, self._categories(features, len(values))], axis=1, dtype=np.float64
        )

    def _numbers(self, features: Features) -> npt.NDArray[np.float32]:
        n = len(next(iter(features.values())))
        columns = [np.asarray(features[name], np.float32) for name in self.numbers]
        return np.stack(columns, axis=1) if columns else np.empty((n, 0), np.float32)

    def _categories(self, features: Features, n: int) -> npt.NDArray[np.float32]:
        columns = [
            np.asarray(features[name]) == category
            for name, categories in zip(self.texts, self.categories, strict=True)
            for category in categories
        ]
        if not columns:
            return np.empty((n, 0), np.float32)
        return np.stack(columns, axis=1).astype(np.float32)


def learn_encoding(features: Features) -> Encoding:
    """Learn the preprocessing from training cases alone."""
    numbers = tuple(name for name, values in features.items() if values.dtype.kind in "fiub")
    texts = tuple(name for name in features if name not in numbers)
    medians, means, scales, gaps = [], [], [], []
    for place, name in enumerate(numbers):
        values = np.asarray(features[name], np.float32)
        missing = np.isnan(values)
        median = np.float32(0) if missing.all() else np.float32(np.median(values[~missing]))
        filled = np.where(missing, median, values).astype(np.float64)
        spread = filled.std()
        medians.append(median)
        means.append(np.float32(filled.mean()))
        scales.append(np.float32(spread if spread > 0 else 1.0))
        if missing.any() and not missing.all():
            gaps.append(place)
    categories = []
    for name in texts:
        values, counts = np.unique(np.asarray(features[name]), return_counts=True)
        order = np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]
        kept = [str(values[i]) for i in order if counts[i] >= MIN_CATEGORY_CASES]
        categories.append(tuple(sorted(kept)))
    return Encoding(
        numbers=numbers,
        texts=texts,
        medians=np.asarray(medians, np.float32),
        means=np.asarray(means, np.float32),
        scales=np.asarray(scales, np.float32),
        gaps=tuple(gaps),
        categories=tuple(categories),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One estimator that cross-validation may choose.

    Attributes:
        name: as the dossier names it.
        trees: reads numbers with their gaps (`Encoding.sparse`).
        make: a seed -> an unfitted scikit-learn classifier.
    """

    name: str
    trees: bool
    make: Callable[[int], Any]


def _logistic(strength: float) -> Callable[[int], Any]:
    def make(seed: int) -> Any:  # noqa: ANN401, ARG001 - scikit-learn has no types
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=strength, max_iter=5000)

    return make


def _boosting(leaves: int) -> Callable[[int], Any]:
    def make(seed: int) -> Any:  # noqa: ANN401 - scikit-learn has no types
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            learning_rate=0.1,
            max_iter=60,
            max_leaf_nodes=leaves,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )

    return make


#: From the simplest on; the first of equals is chosen.
CANDIDATES = (
    Candidate(name="logistic regression, C = 0.01", trees=False, make=_logistic(0.01)),
    Candidate(name="logistic regression, C = 0.1", trees=False, make=_logistic(0.1)),
    Candidate(name="logistic regression, C = 1", trees=False, make=_logistic(1.0)),
    Candidate(name="gradient boosting, 4 leaves", trees=True, make=_boosting(4)),
    Candidate(name="gradient boosting, 15 leaves", trees=True, make=_boosting(15)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fitted candidate with its preprocessing."""

    candidate: Candidate
    encoding: Encoding
    estimator: Any

    def logits(self, features: Features) -> Scores:
        """Return shape (n, k), up to a constant in each row."""
        read = self.encoding.sparse if self.candidate.trees else self.encoding.dense
        margins = np.asarray(self.estimator.decision_function(read(features)), np.float64)
        if margins.ndim == 1:
            return np.stack([np.zeros_like(margins), margins], axis=1)
        return margins


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Cross-entropy of one candidate, in nats: mean over folds and its standard error."""

    name: str
    mean: float
    standard_error: float


def fit(candidate: Candidate, features: Features, codes: Codes, *, seed: int) -> Fitted:
    """Fit one candidate on all of `features`, on one thread."""
    from threadpoolctl import threadpool_limits

    encoding = learn_encoding(features)
    read = encoding.sparse if candidate.trees else encoding.dense
    estimator = candidate.make(seed)
    with threadpool_limits(limits=1):
        estimator.fit(read(features), codes)
    return Fitted(candidate=candidate, encoding=encoding, estimator=estimator)


def fold_of(codes: Codes, unit: npt.NDArray[Any], *, seed: int) -> Codes:
    """Deal units (subjects) into at most `FOLDS` folds, stratified by class.

    Returns:
        Shape (n,), the fold of each case; fewer folds where a class has fewer units.
    """
    _, member = np.unique(unit, return_inverse=True)
    fewest = min(len(np.unique(member[codes == code])) for code in np.unique(codes))
    folds = max(2, min(FOLDS, fewest))
    rng = np.random.default_rng([seed, 1])
    last = np.zeros(member.max() + 1, np.int64)
    np.maximum.at(last, member, codes)
    fold = np.zeros(member.max() + 1, np.int64)
    offset = 0
    for code in np.unique(last):
        group = rng.permutation(np.flatnonzero(last == code))
        fold[group] = (np.arange(len(group)) + offset) % folds
        offset += len(group)
    return fold[member]


def cross_validate(
    features: Features,
    codes: Codes,
    unit: npt.NDArray[Any],
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> tuple[Score, ...]:
    """Score every candidate by cross-validation on the training part.

    Args:
        features: the training part.
        codes: shape (n,), classes 0 to k-1.
        unit: shape (n,), what a fold may not divide.
        seed: decides the folds.
        progress: told how many of how many fits are done.
    """
    fold = fold_of(codes, unit, seed=seed)
    classes = int(codes.max()) + 1
    folds = [f for f in np.unique(fold) if len(np.unique(codes[fold != f])) == classes]
    scores = []
    for place, candidate in enumerate(CANDIDATES):
        losses = []
        for number, held_out in enumerate(folds):
            inside, outside = fold != held_out, fold == held_out
            fitted = fit(candidate, _rows(features, inside), codes[inside], seed=seed)
            answers = softmax(fitted.logits(_rows(features, outside)))
            losses.append(cross_entropy(answers, codes[outside]))
            progress(place * len(folds) + number + 1, len(CANDIDATES) * len(folds))
        spread = (
            float(np.std(losses, ddof=1) / np.sqrt(len(losses))) if len(losses) > 1 else 0.0
        )
        scores.append(
            Score(name=candidate.name, mean=float(np.mean(losses)), standard_error=spread)
        )
    return tuple(scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Losses in nats of a fit on the first `cases` training cases."""

    cases: int
    train_loss: float
    tune_loss: float


def growth(
    candidate: Candidate,
    features: Features,
    codes: Codes,
    unit: npt.NDArray[Any],
    tune_features: Features,
    tune_codes: Codes,
    *,
    seed: int,
    progress: Callable[[int, int], None],
) -> tuple[Step, ...]:
    """Fit the chosen candidate on growing shares of the training subjects.

    Shares that lack a class are left out.
    """
    units, member = np.unique(unit, return_inverse=True)
    place = np.random.default_rng([seed, 6]).permutation(len(units))[member]
    steps = []
    for done, share in enumerate(GROWTH):
        inside = place < max(1, round(share * len(units)))
        if len(np.unique(codes[inside])) == len(np.unique(codes)):
            some = _rows(features, inside)
            fitted = fit(candidate, some, codes[inside], seed=seed)
            steps.append(
                Step(
                    cases=int(inside.sum()),
                    train_loss=cross_entropy(softmax(fitted.logits(some)), codes[inside]),
                    tune_loss=cross_entropy(softmax(fitted.logits(tune_features)), tune_codes),
                )
            )
        progress(done + 1, len(GROWTH))
    return tuple(steps)


def _rows(features: Features, index: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    return {name: values[index] for name, values in features.items()}
