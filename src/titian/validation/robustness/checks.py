"""What a person should look at after an attack, as measurements, findings and figures."""

from __future__ import annotations

from typing import Final

from titian.statistics.estimate import Estimate
from titian.validation.robustness.ladder import Robustness
from titian.validation.robustness.masking import Masking
from titian.values import Finding, LineFigure, Measurement, Severity
from titian.values.figure import Series

FRAGILE: Final = "robustness.fragile"
MASKED: Final = "robustness.gradient_masking"
BLACK_BOX: Final = "robustness.no_gradients"
FEW: Final = "robustness.few_cases"

FRAGILE_SHARE: Final = 0.5  # of the clean accuracy lost
FEW_CASES: Final = 100  # below, the interval is wider than about 20 points


def measurements(found: Robustness) -> tuple[Measurement, ...]:
    """Name what an attack came to."""
    return (
        _measured("clean_accuracy", found.clean),
        _measured("robust_accuracy", found.robust),
    )


def findings(found: Robustness, masking: Masking, *, why_black_box: str) -> tuple[Finding, ...]:
    """Say what stands out in an attack."""
    told = []
    where = f"{found.n} cases, L{found.norm} {found.eps:g}"
    clean, robust = found.clean.value or 0.0, found.robust.value or 0.0
    if clean and robust < (1 - FRAGILE_SHARE) * clean:
        told.append(
            Finding(
                code=FRAGILE,
                severity=Severity.WARNING,
                what=f"Of {clean:.1%} accuracy {robust:.1%} is left under attack.",
                where=where,
                remedy="Train on adversarial examples, or keep the input out of others' hands.",
            )
        )
    if masking.signs:
        told.append(
            Finding(
                code=MASKED,
                severity=Severity.WARNING,
                what=f"The gradients may be masked: {'; '.join(masking.signs)}. The true "
                "robust accuracy may be lower.",
                where=where,
                remedy="Attack it adaptively; do not report this robust accuracy alone.",
            )
        )
    if why_black_box:
        told.append(
            Finding(
                code=BLACK_BOX,
                severity=Severity.INFO,
                what=f"Only black-box attacks were run: {why_black_box}. They overstate "
                "robustness against who holds the model.",
                where=where,
                remedy="Give the model as a torch.export program, or in common operators.",
            )
        )
    if found.n < FEW_CASES:
        told.append(
            Finding(
                code=FEW,
                severity=Severity.INFO,
                what=f"{found.n} cases leave a wide interval; {FEW_CASES} give about 20 points "
                "at worst.",
                where=where,
                remedy="Attack more cases.",
            )
        )
    return tuple(told)


def ladder_figure(found: Robustness) -> LineFigure:
    """Draw the share of cases that is left after each attack."""
    left = [(found.clean.value or 0.0), *(r.survivors / found.n for r in found.attacks)]
    return LineFigure(
        name="robustness_ladder",
        title=f"Cases that hold, L{found.norm} {found.eps:g}",
        caption="Attacks in the order they ran: "
        + ", ".join(["0 none", *(f"{k} {r.name}" for k, r in enumerate(found.attacks, 1))])
        + ". A fall at the last step, square attack, speaks for masked gradients.",
        x_label="attack",
        y_label="share of cases",
        series=(
            Series(label="right so far", x=tuple(map(float, range(len(left)))), y=tuple(left)),
        ),
        y_range=(0.0, 1.0),
    )


def _measured(name: str, value: Estimate) -> Measurement:
    return Measurement(
        name=name,
        value=value.value,
        n=value.n,
        method=value.method,
        intervals=value.intervals,
        reason=value.reason,
    )
