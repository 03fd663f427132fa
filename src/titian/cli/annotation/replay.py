"""``titian annotation replay``: what would adaptive redundancy have saved on stored labels?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.annotation.tables import step
from titian.cli.output import console, reserved_output, write_json

if TYPE_CHECKING:
    from titian.annotation import Replay
    from titian.annotation.adaptive import Order
    from titian.statistics import Estimate


def replay(
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="CSV or Parquet: task, worker, label.")
    ],
    gold: Annotated[
        Path, typer.Option(metavar="GOLD", help="Known labels: task, label; for the report.")
    ],
    confidence: Annotated[
        float,
        typer.Option(metavar="C", help="Accept a task from this confidence, in (0.5, 1)."),
    ],
    orders: Annotated[int, typer.Option(help="Random orders of each task's labels.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the orders.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Ask stored labels again one at a time, and count what could be left out.

    Each task first gets its least labels in a random order; then the policy accepts it or
    asks, of those who labelled it, whoever would tell most. Saved is 1 - asked / stored over
    all tasks; accuracy is over gold tasks; fixed is auto on all stored labels. Nothing
    escalates here, and the policy never reads gold.

    \b
    Example:
      titian annotation replay labels.csv --gold gold.csv --confidence 0.98
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.cli.progress import open_reporter

    with reserved_output(wanted=json), open_reporter(plain=json) as reporter:
        import numpy as np

        from titian.annotation import Policy, read_crowd, read_gold
        from titian.annotation import replay as ask_again

        policy = Policy(confidence=confidence)
        with step(reporter, "read", 1, 2):
            crowd = read_crowd(labels)
            known = read_gold(gold, crowd)
        with step(reporter, "replay", 2, 2) as tell:
            rng = np.random.default_rng(seed)
            found = ask_again(
                crowd.votes(), known.code, policy, rng=rng, orders=orders, progress=tell
            )
    document = replay_document(found) | {
        "seed": seed,
        "tasks": len(crowd.task.names),
        "gold_tasks": int((known.code >= 0).sum()),
        "notes": [*crowd.notes, *known.notes],
    }
    if json:
        write_json(document)
    else:
        _print(document)


def replay_document(found: Replay) -> dict[str, Any]:
    """Return the mean over orders and each order, as fractions."""
    return {
        "confidence": found.confidence,
        "mean": {"saved": found.saved, **_accuracies(found)},
        "orders": [
            {
                "saved": order.saved,
                "asked": order.asked,
                "stored": order.stored,
                **_accuracies(order),
            }
            for order in found.orders
        ],
    }


def _accuracies(found: Replay | Order) -> dict[str, Any]:
    return {
        **_numbers("fixed_accuracy", found.fixed_accuracy),
        **_numbers("adaptive_accuracy", found.adaptive_accuracy),
        **_numbers("loss", found.loss),
    }


def _numbers(name: str, estimate: Estimate) -> dict[str, Any]:
    interval = estimate.intervals[0]
    return {name: estimate.value, f"{name}_interval": [interval.low, interval.high]}


def _print(document: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("order")
    for heading in ("asked", "saved", "fixed", "", "adaptive", "", "loss", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = [(str(n), row) for n, row in enumerate(document["orders"], start=1)]
    for name, row in [*rows, ("mean", document["mean"])]:
        table.add_row(
            name,
            f"{row['asked']:,}" if "asked" in row else "",
            f"{row['saved']:.1%}",
            *(
                text
                for key in ("fixed_accuracy", "adaptive_accuracy", "loss")
                for text in (f"{row[key]:.4f}", _span(row[f"{key}_interval"]))
            ),
        )
    out = console()
    out.print(
        f"{document['orders'][0]['stored']:,} stored labels of {document['tasks']:,} tasks, "
        f"{document['gold_tasks']:,} with gold; confidence {document['confidence']:g}."
    )
    out.print(table)
    for note in document["notes"]:
        out.print(f"Note: {note}", markup=False, soft_wrap=True)


def _span(bounds: list[float]) -> str:
    return f"{bounds[0]:.4f} to {bounds[1]:.4f}"
