"""What ``titian annotation qualify`` prints for people."""

from __future__ import annotations

from typing import Any

from titian.cli.output import console

SHOWN = 20  # entries printed; all are in the JSON


def print_qualified(document: dict[str, Any]) -> None:
    """Print the plan, the workers, those stopped first, and the control."""
    out = console()

    def say(line: str) -> None:
        out.print(line, markup=False, soft_wrap=True)

    plan, control = document["plan"], document["control"]
    say(
        f"{document['answers']:,} answers to {document['gold_tasks']:,} gold tasks by "
        f"{len(document['workers']):,} workers; good is {document['good']:g}, bad "
        f"{document['bad']:g}."
    )
    say(
        f"Entry test: {plan['entry_tasks']} gold tasks, {plan['entry_needed']} right to pass; "
        f"fails {plan['entry_false_refusal']:.1%} of good and passes "
        f"{plan['entry_false_pass']:.1%} of bad workers."
    )
    say(_say_watch(document))
    if plan["queue"] is not None:
        say(
            f"A queue of {plan['queue']['length']:,} tasks takes "
            f"{plan['queue']['gold_tasks']:,} gold tasks ({plan['queue']['share']:.1%})."
        )
    _print_workers(document)
    say(
        f"Control: of {control['fault']}, {control['guessers_stopped']:.0%} would have been "
        f"stopped, and {control['good_stopped']:.1%} of as many good workers."
        + ("" if control["found"] else " That is too little gold to stop a guesser: hide more.")
    )
    for note in document["notes"]:
        say(f"Note: {note}")
    if plan["queue"] is not None and plan["queue"]["out"] is not None:
        say(f"Places: {plan['queue']['out']}")


def _say_watch(document: dict[str, Any]) -> str:
    plan = document["plan"]
    half, most = plan["bad_stopped_after_median"], plan["bad_stopped_after_90_percent"]
    if half is None or most is None:
        return "Watch: a bad worker is too like a good one to be stopped in 1,000 gold answers."
    return (
        f"Watch: stops a good worker with probability {document['false_alarm']:g} at most; a "
        f"bad one after {half} gold answers in half of cases, after {most} in nine of ten. At "
        f"one gold task in {plan['every']} that is {half * plan['every']:,} and "
        f"{most * plan['every']:,} tasks."
    )


def _print_workers(document: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    workers = document["workers"]
    stopped = [row for row in workers if row["stopped_at"] is not None]
    entries = document["entries"]
    skilled = any(row["skill"] or row["language"] for row in entries)
    counts = {word: sum(_word(row) == word for row in entries) for word in ("passed", "failed")}
    out = console()
    out.print(
        f"{counts['passed']} entry tests passed, {counts['failed']} failed, "
        f"{len(entries) - sum(counts.values())} not finished; {len(stopped)} "
        f"worker{'s' if len(stopped) != 1 else ''} would have been stopped.",
        soft_wrap=True,
    )
    at = {row["worker"]: row for row in workers}
    order = {row["worker"]: place for place, row in enumerate(workers)}
    shown = sorted(entries, key=lambda row: (order[row["worker"]], row["skill"]))
    table = Table(box=None, pad_edge=False)
    headings = ["worker", *(["skill", "language"] if skilled else [])]
    for name in (*headings, "entry test", "right", "accuracy on gold", "stopped after"):
        table.add_column(name, no_wrap=True)
    for row in shown[:SHOWN]:
        mine = at[row["worker"]]
        cells = [row["worker"], *([row["skill"], row["language"]] if skilled else [])]
        table.add_row(
            *map(Text, cells),
            _word(row),
            f"{row['right']} of {row['tasks']}",
            f"{mine['accuracy']:.3f} ({mine['low']:.3f} to {mine['high']:.3f})",
            "-" if mine["stopped_at"] is None else f"{mine['stopped_at']} gold answers",
        )
    out.print(table)
    if len(shown) > SHOWN:
        out.print(f"and {len(shown) - SHOWN} more (all with --json)")


def _word(row: dict[str, Any]) -> str:
    return {True: "passed", False: "failed", None: "not finished"}[row["passed"]]
