"""From scores to probabilities and to an operating threshold, both on the tune part.

Temperature scaling (Guo, Pleiss, Sun and Weinberger 2017) divides logits by one number.
Here it divides what the logits say beyond the class shares, log p(x|c) up to a constant,
so that a model which knows nothing ends at the shares instead of at 1/k; and the weights
that balanced the classes in the loss are taken out again at the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

TEMPERATURES = (0.1, 50.0)

#: Nats of the whole tune part that a temperature must save (Akaike's price of a parameter).
PRICE_NAT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Probabilities are softmax(logits * scale + shift).

    Attributes:
        scale: 1 / temperature.
        shift: shape (k,), one number a class.
    """

    scale: float
    shift: tuple[float, ...]

    @property
    def temperature(self) -> float:
        """Divisor of the log likelihood ratios; above 1 it makes answers less sure."""
        return 1.0 / self.scale

    def apply(self, logits: Scores) -> Scores:
        """Return probabilities, shape (n, k), of logits of that shape."""
        return softmax(logits * self.scale + np.asarray(self.shift))


def calibrate(
    logits: Scores, codes: Codes, *, shares: Scores, trained_shares: Scores
) -> Calibration:
    """Fit the temperature on tune cases.

    It stays 1 unless another saves more than `PRICE_NAT` there.

    Args:
        logits: shape (n, k).
        codes: shape (n,), the true class of each case.
        shares: shape (k,), share of each class in the training part.
        trained_shares: shape (k,), shares that the loss saw, with its class weights.
    """
    from scipy.optimize import minimize_scalar

    log_shares, log_trained = np.log(shares), np.log(trained_shares)

    def at(log_temperature: float) -> Calibration:
        scale = float(np.exp(-log_temperature))
        return Calibration(
            scale=scale, shift=tuple((log_shares - log_trained * scale).tolist())
        )

    def loss(log_temperature: float) -> float:
        return cross_entropy(at(log_temperature).apply(logits), codes) * len(codes)

    low, high = np.log(TEMPERATURES)
    best = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4})
    return at(float(best.x)) if loss(0.0) - float(best.fun) > PRICE_NAT else at(0.0)


def softmax(logits: Scores) -> Scores:
    """Return softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def cross_entropy(probabilities: Scores, codes: Codes) -> float:
    """Return the mean negative log probability of the true class, in nats.

    Probabilities below 1e-12 count as 1e-12, so that one sure mistake stays finite.
    """
    chosen = probabilities[np.arange(len(codes)), codes]
    return float(-np.mean(np.log(np.maximum(chosen, 1e-12))))


def choose_threshold(
    scores: Scores, positive: npt.NDArray[np.bool_], *, sensitivity: float | None = None
) -> float:
    """Return the operating threshold, chosen on tune cases.

    Candidates lie midway between neighbouring scores, so that rounding on another
    platform moves no case across; 0 answers positive always.

    Args:
        scores: shape (n,), probability of the positive class.
        positive: shape (n,), truth; both kinds occur.
        sensitivity: take the highest threshold that reaches it; None maximises Youden's
            index (sensitivity + specificity - 1), the lowest of equals.

    Source: Youden (1950).
    """
    values = np.unique(scores)
    candidates = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2])
    ranked_positive = np.sort(scores[positive])
    ranked_negative = np.sort(scores[~positive])
    missed = np.searchsorted(ranked_positive, candidates, side="left")
    spared = np.searchsorted(ranked_negative, candidates, side="left")
    positives, negatives = len(ranked_positive), len(ranked_negative)
    if sensitivity is not None:
        reached = 1 - missed / positives >= sensitivity
        return float(candidates[np.flatnonzero(reached)[-1]])
    # Youden's index times both counts: whole numbers, so that equals are equal.
    youden = (positives - missed) * negatives + spared * positives
    return float(candidates[np.argmax(youden)])


def rank_auc(scores: Scores, positive: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve, ties counted half (Mann and Whitney 1947)."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    positives = int(positive.sum())
    excess = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(excess / (positives * (len(positive) - positives)))
