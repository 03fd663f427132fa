"""``titian verify``: check a dossier, and on request derive its numbers again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from titian.cli.output import reserved_output

if TYPE_CHECKING:
    from titian.evidence.verify import Report


SHOWN = 10  # faults of one check; a lost ledger leaves thousands of numbers without a source


def verify(
    dossier: Annotated[Path, typer.Argument(help="Dossier: a folder or its zip.")],
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="PEM key of a signer you trust; repeatable."),
    ] = None,
    replay: Annotated[
        bool, typer.Option("--replay", help="Derive the numbers again and compare.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder, to replay from the start.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check a dossier's signatures, files, proofs and numbers; exit 1 if any fails."""
    report = _check(dossier, key or [])
    answer = {"ok": report.ok, "dossier": str(dossier), **_report_json(report)}
    lines = report_lines(report)
    if (replay or data is not None) and not report.ok:
        lines.append("not replayed, since the dossier does not verify")
    elif replay or data is not None:
        from titian.pipeline.replay import replay as replay_dossier

        with reserved_output(wanted=as_json):
            replayed = replay_dossier(dossier, data=data)
        answer["ok"] = not replayed.failed
        answer["replay"] = [
            {"stage": row.stage, "outcome": row.outcome, "detail": row.detail}
            for row in replayed.rows
        ]
        lines += ["", *replayed.lines]
    typer.echo(json.dumps(answer, indent=2) if as_json else "\n".join(lines))
    if not answer["ok"]:
        raise typer.Exit(1)


def report_lines(report: Report) -> list[str]:
    """Return the report's lines, with the faults of one check after `SHOWN` as a count."""
    lines = report.lines()  # one line a check, in their order, then the outcome
    faults: Counter[str] = Counter()
    kept = []
    for check, line in zip(report.checks, lines, strict=False):
        faults[check.name] += not check.ok
        if check.ok or faults[check.name] <= SHOWN:
            kept.append(line)
    more = [
        f"FAILED {name:9}and {count - SHOWN:,} more; --json names them all"
        for name, count in faults.items()
        if count > SHOWN
    ]
    return [*kept, *more, *lines[len(report.checks) :]]


def read_keys(paths: list[Path]) -> list[bytes]:
    """Return the raw public keys of PEM files; all that cannot be read are told at once."""
    from titian.errors import InputError, Problem
    from titian.evidence.verify import Fault, read_public_key

    keys, problems = [], []
    for path in paths:
        try:
            keys.append(read_public_key(path))
        except Fault as fault:
            remedy = "Pass the PEM file of an Ed25519 public key."
            problems.append(Problem(code="T-E031", message=f"{fault}.", remedy=remedy))
    if problems:
        raise InputError(*problems)
    return keys


def _check(dossier: Path, keys: list[Path]) -> Report:
    from titian.errors import InputError, Problem
    from titian.evidence import verify as evidence

    if not dossier.exists():
        raise InputError(
            Problem(
                code="T-E030",
                message=f"{dossier} does not exist; a dossier is a folder or its zip.",
                remedy="Name the dossier that `titian run` printed.",
            )
        )
    return evidence.verify(dossier, read_keys(keys))


def _report_json(report: Report) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(report)
