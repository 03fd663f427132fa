"""Expected precision of label errors against the truth, on simulated studies.

Each study has Gaussian classes, labels exchanged at a known rate, and out-of-fold probabilities
of a model that saw the exchanged labels only.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from titian.annotation.label_errors import find_label_errors

MODELS = {
    "logistic": LogisticRegression(max_iter=300),
    "neighbours": KNeighborsClassifier(15),
}


def study(rng, *, classes, apart, rate, model, even, n=2_500):
    """Labels, probabilities and truth; uneven noise is 0.5 to 1.5 times the rate, by class."""
    size = max(classes, 4)
    true = rng.integers(classes, size=n)
    centres = rng.normal(size=(classes, size))
    centres *= apart / np.linalg.norm(centres, axis=1, keepdims=True)
    x = centres[true] + rng.normal(size=(n, size))
    rates = np.full(classes, rate) if even else rate * rng.uniform(0.5, 1.5, classes)
    wrong = rng.random(n) < rates[true]
    label = np.where(wrong, (true + rng.integers(1, classes, n)) % classes, true)
    p = cross_val_predict(MODELS[model], x, label, cv=5, method="predict_proba")
    return label, p, true


@pytest.mark.parametrize("even", [True, False], ids=["even noise", "noise by class"])
def test_expected_precision_is_near_what_is_found(even):
    off, rates = [], []
    for seed, rate in enumerate((0.02, 0.05, 0.1, 0.3)):
        for apart in (2.0, 3.0, 4.0):
            for model in MODELS:
                rng = np.random.default_rng([seed, int(apart), even])
                label, p, true = study(
                    rng,
                    classes=4 if even else int(rng.integers(2, 7)),
                    apart=apart,
                    rate=rate,
                    model=model,
                    even=even,
                )
                found = find_label_errors(label, p)
                wrong = label != true
                off.append(found.precision[-1] - wrong[found.case].mean())
                rates.append(found.noise_rate - wrong.mean())
    seen = (
        f"expected precision is off by {np.abs(off).mean():.3f} on average (bias "
        f"{np.mean(off):+.3f}, worst {np.abs(off).max():.2f}); the noise rate by "
        f"{np.abs(rates).mean():.3f}"
    )
    assert np.abs(off).mean() < 0.16, seen
    assert np.abs(rates).mean() < 0.05, seen
