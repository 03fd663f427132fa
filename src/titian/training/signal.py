"""Did the model learn anything that its tune part shows?

The check is a permutation test of the tune loss: truth is dealt anew among subjects, and
the loss must be lower with the real truth than with almost every other. Its control deals
the truth at random first; the check must then say that nothing was learnt.
"""

from __future__ import annotations

from dataclasses import dataclass
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

#: Numbers held at once while permuting (32 MiB).
CHUNK_NUMBERS = 4_194_304


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
    runs = Runs.of(unit)
    log_scores = np.log(np.maximum(scores, 1e-12))[runs.order]
    truth = codes[runs.order]
    cases = np.arange(len(codes))
    real = float(log_scores[cases, truth].sum())
    as_low = 0
    step = max(1, CHUNK_NUMBERS // len(codes))
    for start in range(0, permutations, step):
        dealt = truth[runs.shuffled(min(step, permutations - start), rng)]
        as_low += int((log_scores[cases, dealt].sum(axis=1) >= real - 1e-9).sum())
    return (1 + as_low) / (1 + permutations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Cases sorted by subject: one run of neighbours for each.

    Attributes:
        order: shape (n,), the sorted cases.
        starts: shape (s,), where each subject's run begins.
        sizes: shape (s,), how long it is.
    """

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, unit: npt.NDArray[Any]) -> Runs:
        """Sort the cases of `unit`, shape (n,)."""
        order = np.argsort(unit, kind="stable")
        _, starts, sizes = np.unique(unit[order], return_index=True, return_counts=True)
        return cls(order=order, starts=starts, sizes=sizes)

    def shuffled(self, count: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        """Return `count` ways to lay the runs against the sorted cases in another order.

        Truths that belong together stay neighbours. Shape (count, n), places among the
        sorted cases.
        """
        places = np.argsort(rng.random((count, len(self.sizes))), axis=1)
        lengths = self.sizes[places]
        moved = self.starts[places] - (np.cumsum(lengths, axis=1) - lengths)
        offsets = np.repeat(moved.ravel(), lengths.ravel()).reshape(count, len(self.order))
        return offsets + np.arange(len(self.order))


def deal(codes: Codes, unit: npt.NDArray[Any], rng: np.random.Generator) -> Codes:
    """Return truths in which the subjects' runs of cases have changed places."""
    runs = Runs.of(unit)
    dealt = np.empty_like(codes)
    dealt[runs.order] = codes[runs.order][runs.shuffled(1, rng)[0]]
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
    dealt = deal(codes, unit, rng)
    chance = chance_of_loss(scores, dealt, unit, permutations=CONTROL_PERMUTATIONS, rng=rng)
    return Control(
        check="training.no_signal",
        fault="the truth of the tune cases was dealt at random",
        found=chance > CONTROL_LEVEL,
        detail=f"a random truth does as well in {chance:.2%} of draws",
        false_alarm_rate=LEVEL,
    )
