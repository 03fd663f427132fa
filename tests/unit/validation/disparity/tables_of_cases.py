"""Small tables for the tests of disparity."""

from __future__ import annotations

import numpy as np

from titian.validation.disparity import Outcomes
from titian.validation.tables import Column


def column(name: str, values: list[str]) -> Column:
    names = tuple(dict.fromkeys(values))
    code = np.array([names.index(value) for value in values], dtype=np.int32)
    return Column(name=name, code=code, names=names)


def outcomes(seed: int = 0, n: int = 2_000, *, small: int = 0) -> Outcomes:
    """Draw two sites alike; `small` cases of a third, all negative."""
    rng = np.random.default_rng(seed)
    label = np.append(rng.random(n) < 0.3, np.zeros(small, dtype=bool))
    score = np.append(rng.normal(0.35 + 0.3 * label[:n], 0.15), np.full(small, 0.4))
    score = np.clip(score, 0.0, 1.0)
    site = rng.choice(["a", "b"], n).tolist() + ["c"] * small
    sex = rng.choice(["f", "m"], n).tolist() + ["f", "m"] * small
    return Outcomes(
        label=label,
        prediction=score > 0.5,
        score=score,
        groups=(column("site", site), column("sex", sex[: n + small])),
    )
