"""Did the model learn anything that its tune part shows?

The check is a permutation test of the tune loss: truth is dealt anew among subjects, and
the loss must be lower with the real truth than with almost every other. Its control deals
the truth at random first; the check must then say that nothing was learnt.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from titian.training.calibration import Codes, Scores, cross_entropy
from titian.values import Control, Finding, Severity

#: A finding is raised unless chance would do as well less often than this.
LEVEL = 0.01

#: Level of the control, so that an honest run fails it once in ten thousand.
CONTROL_LEVEL = 1e-4

PERMUTATIONS = 999
CONTROL_PERMUTATIONS = 19_999


def chance_of_loss(
    scores: Scores,
    codes: Codes,
    unit: npt.NDArray[Any],
    *,
    permutations: int,
    rng: np.random.Generator,
) -> float:
    """Return the share of random truths under which the loss is as low as the real one.

    Args:
        scores: shape (n, k), probabilities.
        codes: shape (n,), truth.
        unit: shape (n,), subjects; the truth of a subject's cases stays together.
        permutations: how many random truths.
        rng: draws them.

    Returns:
        (1 + as low) / (1 + permutations), in (0, 1].
    """
    log_scores = np.log(np.maximum(scores, 1e-12))
    order = np.argsort(unit, kind="stable")
    _, starts, sizes = np.unique(unit[order], return_index=True, return_counts=True)
    real = float(log_scores[np.arange(len(codes)), codes].sum())
    as_low = 0
    for _ in range(permutations):
        dealt = deal(codes, order, starts, sizes, rng)
        as_low += float(log_scores[np.arange(len(codes)), dealt].sum()) >= real - 1e-9
    return (1 + as_low) / (1 + permutations)


def deal(
    codes: Codes,
    order: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Codes:
    """Return truths in which the subjects' runs of cases have changed places.

    Cases sorted by subject form a ring of runs; the runs are shuffled and laid against the
    cases again, so that truths that belong together stay neighbours.
    """
    shuffled = rng.permutation(len(starts))
    lengths = sizes[shuffled]
    offsets = np.repeat(starts[shuffled] - np.cumsum(lengths) + lengths, lengths)
    laid = codes[order][offsets + np.arange(len(codes))]
    dealt = np.empty_like(codes)
    dealt[order] = laid
    return dealt


def signal_finding(
    scores: Scores, codes: Codes, unit: npt.NDArray[Any], *, shares: Scores
) -> Finding | None:
    """Return a finding where the tune part does not show that anything was learnt.

    Args:
        scores: shape (n, k), tune probabilities.
        codes: shape (n,), truth.
        unit: shape (n,), subjects.
        shares: shape (k,), class shares of the training part.
    """
    chance = chance_of_loss(
        scores, codes, unit, permutations=PERMUTATIONS, rng=np.random.default_rng(4)
    )
    if chance <= LEVEL:
        return None
    loss = cross_entropy(scores, codes)
    plain = cross_entropy(np.tile(shares, (len(codes), 1)), codes)
    return Finding(
        code="training.no_signal",
        severity=Severity.WARNING,
        what=(
            f"The tune loss is {loss:.3f} nat; answering the class shares alone gives "
            f"{plain:.3f}, and a truth dealt at random does as well in {chance:.1%} of draws. "
            "It is not shown that the model learnt anything."
        ),
        where=f"tune part, {len(codes)} cases",
        remedy="Collect more cases, larger images or other features before you rely on it.",
    )


def signal_control(
    scores: Scores, codes: Codes, unit: npt.NDArray[Any], *, seed: int
) -> Control:
    """Deal the truth at random and see whether the check says that nothing was learnt."""
    rng = np.random.default_rng([seed, 5])
    order = np.argsort(unit, kind="stable")
    _, starts, sizes = np.unique(unit[order], return_index=True, return_counts=True)
    dealt = deal(codes, order, starts, sizes, rng)
    chance = chance_of_loss(scores, dealt, unit, permutations=CONTROL_PERMUTATIONS, rng=rng)
    return Control(
        check="training.no_signal",
        fault="the truth of the tune cases was dealt at random",
        found=chance > CONTROL_LEVEL,
        detail=f"a random truth does as well in {chance:.2%} of draws",
        false_alarm_rate=LEVEL,
    )
