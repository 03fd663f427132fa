"""`titian validate robustness`: what is left of a model's accuracy against an adversary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.output import console, reserved_output, write_json, write_line

if TYPE_CHECKING:
    from titian.validation.robustness.ladder import Robustness
    from titian.validation.robustness.masking import Masking
    from titian.values import Control, Finding


def robustness(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="ONNX file or torch.export program (.pt2).")
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA.npz", help="Arrays x (inputs) and y (classes).")
    ],
    norm: Annotated[str, typer.Option(metavar="inf|2", help="How change is measured.")] = "inf",
    eps: Annotated[
        float, typer.Option(metavar="EPS", help="Largest change, in the input's units.")
    ] = 0.1,
    targeted: Annotated[
        bool,
        typer.Option("--targeted", help="The adversary wants a class: `target`, or one drawn."),
    ] = False,
    valid: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", metavar="LO HI", help="Valid inputs, unless the model says."),
    ] = None,
    attacks: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Only these attacks, from cheap to dear."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of starts, targets and search.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Attack a model and measure the accuracy that is left.

    Attacks run from cheap to dear and only cases that survive go on: FGSM, PGD, APGD on
    cross entropy, on the ratio of logits and towards each class, then square attack. A model
    without gradients meets noise and square attack alone, and the answer says so.

    \b
    Examples:
      titian validate robustness model.onnx data.npz --norm inf --eps 0.03 --range 0 1
      titian validate robustness model.pt2 data.npz --norm 2 --eps 0.5 --range 0 1 --json
    """  # noqa: D301 - \b keeps the help from being rewrapped
    with reserved_output(wanted=json):
        from titian.validation.robustness.checks import findings
        from titian.validation.robustness.faults import controls
        from titian.validation.robustness.ladder import attack
        from titian.validation.robustness.masking import look_for_masking
        from titian.validation.robustness.samples import read_samples
        from titian.validation.robustness.victim import open_victim

        samples = read_samples(data)
        victim = open_victim(model, samples)
        found = attack(
            victim,
            samples,
            norm=norm,
            eps=eps,
            valid=valid,
            targeted=targeted,
            attacks=None if attacks is None else [a.strip() for a in attacks.split(",")],
            seed=seed,
        )
        masking = look_for_masking(victim, samples, found, seed=seed)
        told = findings(found, masking, why_black_box=victim.why_black_box)
        planted = controls(samples, found, seed=seed)
    if json:
        write_json(document(found, masking, told, planted, output=victim.output))
    else:
        _print(found, told, planted)


def document(
    found: Robustness,
    masking: Masking,
    told: tuple[Finding, ...],
    planted: tuple[Control, ...],
    *,
    output: str,
) -> dict[str, Any]:
    """Return the JSON document of an attack."""
    ends = found.robust.intervals[0]
    return {
        "clean_accuracy": found.clean.value,
        "robust_accuracy": found.robust.value,
        "low": ends.low,
        "high": ends.high,
        "n": found.n,
        "attacks": [
            {"name": rung.name, "seconds": rung.seconds, "survivors": rung.survivors}
            for rung in found.attacks
        ],
        "norm": found.norm,
        "eps": found.eps,
        "range": list(found.range),
        "targeted": found.targeted,
        "output": output,
        "masking": {
            "looked": masking.looked,
            "signs": list(masking.signs),
            "beaten": masking.beaten,
            "flat": masking.flat,
            "unbounded": masking.unbounded,
            "random": masking.random,
        },
        "findings": [
            {"code": f.code, "severity": f.severity.value, "what": f.what} for f in told
        ],
        "controls": [
            {"check": c.check, "fault": c.fault, "found": c.found, "detail": c.detail}
            for c in planted
        ],
        "notes": list(found.notes),
    }


def _print(found: Robustness, told: tuple[Finding, ...], planted: tuple[Control, ...]) -> None:
    from rich.table import Table

    table = Table("attack", "survivors", "seconds")
    table.add_row("none", str(int(found.right.sum())), "")
    for rung in found.attacks:
        table.add_row(rung.name, str(rung.survivors), f"{rung.seconds:.1f}")
    console().print(table)
    ends = found.robust.intervals[0]
    write_line(
        f"Of {found.n} cases {found.clean.value or 0.0:.1%} are right, and "
        f"{found.robust.value or 0.0:.1%} under attack (95 % interval {ends.low:.1%} to "
        f"{ends.high:.1%}), L{found.norm} {found.eps:g} in the range {found.range[0]:g} to "
        f"{found.range[1]:g}."
    )
    for finding in told:
        write_line(f"{finding.code}: {finding.what} {finding.remedy}")
    for control in planted:
        what = "found" if control.found else "MISSED"
        write_line(f"Control, {control.fault}: {what} ({control.detail}).")
    for note in found.notes:
        write_line(note)
