"""``titian annotation qualify``: who passes on gold, who is stopped, how much gold to plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from titian.cli.annotation.qualify_report import print_qualified
from titian.cli.annotation.tables import require_targets, step, write_columns
from titian.cli.output import reserved_output, write_json
from titian.errors import InputError, Problem

if TYPE_CHECKING:
    import numpy as np

    from titian.annotation import Crowd, Gold
    from titian.annotation.gold_answers import GoldAnswers
    from titian.annotation.qualification import Entry, EntryTest, Watch

FIRST = 3  # stretches of a queue that hold gold twice as thick
ALPHA = 0.05
"""One minus the coverage of the intervals."""
SIMULATED = 200  # guessers and good workers of the control
ENOUGH_STOPPED = 0.8  # of the guessers, for the control to hold


def qualify(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS", help="CSV or Parquet: task, worker, label; optional: time."
        ),
    ],
    gold: Annotated[
        Path,
        typer.Option(
            metavar="GOLD", help="Known labels: task, label; optional: skill, language."
        ),
    ],
    good: Annotated[
        float, typer.Option(metavar="P", help="Accuracy of a worker who must pass.")
    ] = 0.8,
    bad: Annotated[
        float, typer.Option(metavar="P", help="Accuracy of a worker who must fail.")
    ] = 0.6,
    false_refusal: Annotated[
        float, typer.Option(metavar="P", help="Most probability that a good one fails.")
    ] = 0.05,
    false_pass: Annotated[
        float, typer.Option(metavar="P", help="Most probability that a bad one passes.")
    ] = 0.05,
    false_alarm: Annotated[
        float,
        typer.Option(metavar="P", help="Most probability that a good one is ever stopped."),
    ] = 0.01,
    every: Annotated[
        int, typer.Option(metavar="N", help="One gold task in so many tasks of a queue.")
    ] = 20,
    queue: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Length of a worker's queue.")
    ] = None,
    hide_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where gold stands in the queue: place, task."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of places and simulations.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Judge workers by tasks whose label is known, and plan how much gold to hide.

    An entry test per skill and language (columns of GOLD): a worker's first answers to gold,
    as many as it takes to tell a good worker from a bad one. All answers to gold, in the
    order of time where LABELS tells it, are also watched by a sequential test: it says after
    which answer a worker would have been stopped, and however long it watches, it stops a
    good worker with at most the stated probability.

    With --queue, the gold that a queue of that length needs; with --hide-out, the places.
    A control simulates guessers with as many gold answers as your workers gave.

    \b
    Examples:
      titian annotation qualify labels.csv --gold gold.csv
      titian annotation qualify labels.csv --gold gold.csv --good 0.9 --bad 0.7 \\
        --queue 400 --hide-out places.csv --json
    """  # noqa: D301 - \b keeps the help from being rewrapped
    from titian.cli.progress import open_reporter

    if hide_out is not None and queue is None:
        raise InputError(
            Problem(
                code="T-A410",
                message="--hide-out is given without --queue; places are those of a queue.",
                remedy="Say how long a worker's queue is, for example --queue 400.",
            )
        )
    require_targets({"--hide-out": hide_out}, [labels, gold])
    with reserved_output(wanted=json), open_reporter(plain=json) as reporter:
        import numpy as np

        from titian.annotation import read_crowd, read_gold
        from titian.annotation.gold_answers import answers_to_gold
        from titian.annotation.qualification import plan_entry_test, watch
        from titian.annotation.readings import moments

        test = plan_entry_test(good, bad, false_refusal=false_refusal, false_pass=false_pass)
        with step(reporter, "read", 1, 2):
            crowd = read_crowd(labels)
            known = read_gold(gold, crowd)
            problems: list[Problem] = []
            moment = moments(crowd, problems)
            if problems:
                raise InputError(*problems)
        with step(reporter, "judge", 2, 2):
            answers = answers_to_gold(
                crowd.task.code,
                crowd.worker.code,
                crowd.label.code,
                gold=known.code,
                moment=moment,
            )
            seen = watch(
                answers.worker,
                answers.right,
                good=good,
                false_alarm=false_alarm,
                workers=len(crowd.worker.names),
            )
            hiding, checking = np.random.default_rng(seed).spawn(2)
            plan = _plan(
                known, test, every, good=good, bad=bad, alarm=false_alarm, rng=checking
            )
            if queue is not None:
                plan["queue"] = _hide(crowd, known, queue, every, hide_out, rng=hiding)
            control = _control(
                seen.answers, len(crowd.label.names), good, false_alarm, rng=checking
            )
    document = {
        "good": good,
        "bad": bad,
        "false_refusal": false_refusal,
        "false_pass": false_pass,
        "false_alarm": false_alarm,
        "gold_tasks": int((known.code >= 0).sum()),
        "answers": len(answers.right),
        "order": "time" if answers.timed else "rows",
        "plan": plan,
        "workers": _workers(crowd, seen, false_alarm),
        "entries": [
            {
                "worker": entry.worker,
                "skill": entry.skill,
                "language": entry.language,
                "right": entry.right,
                "tasks": entry.tasks,
                "passed": entry.passed,
                "low": entry.low,
                "high": entry.high,
            }
            for entry in _entries(crowd, known, answers, test)
        ],
        "control": control,
        "notes": [*crowd.notes, *known.notes, *_notes(answers)],
    }
    if json:
        write_json(document)
    else:
        print_qualified(document)


def _entries(
    crowd: Crowd, gold: Gold, answers: GoldAnswers, test: EntryTest
) -> tuple[Entry, ...]:
    from titian.annotation.qualification import judge_entries

    given: dict[tuple[str, str, str], list[bool]] = {}
    for worker, task, right in zip(
        answers.worker.tolist(), answers.task.tolist(), answers.right.tolist(), strict=True
    ):
        key = (crowd.worker.names[worker], *gold.skills[gold.skill[task]])
        given.setdefault(key, []).append(right)
    return judge_entries(given, dict.fromkeys(gold.skills, test))


def _workers(crowd: Crowd, seen: Watch, false_alarm: float) -> list[dict[str, Any]]:
    """Return a row per worker who answered gold, those stopped first."""
    from titian.statistics import wilson

    rows = []
    for code, name in enumerate(crowd.worker.names):
        n, right = int(seen.answers[code]), int(seen.right[code])
        if not n:
            continue
        low, high = wilson(right / n, n, (ALPHA,))
        rows.append(
            {
                "worker": name,
                "answers": n,
                "right": right,
                "accuracy": right / n,
                "low": float(low[0]),
                "high": float(high[0]),
                "stopped_at": int(seen.stopped_at[code]) or None,
                "evidence": float(seen.evidence[code]),
                "stops_at_evidence": 1.0 / false_alarm,
            }
        )
    return sorted(rows, key=lambda row: (row["stopped_at"] is None, row["accuracy"]))


def _plan(
    gold: Gold,
    test: EntryTest,
    every: int,
    *,
    good: float,
    bad: float,
    alarm: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return how much gold an entry test and the watch take."""
    import numpy as np

    from titian.annotation.qualification import LONGEST_WATCH, answers_to_stop

    stops = answers_to_stop(bad, good=good, false_alarm=alarm, rng=rng)

    def share(part: float) -> int | None:
        found = int(stops[int(np.ceil(part * len(stops))) - 1])
        return found if found <= LONGEST_WATCH else None

    at = np.bincount(gold.skill[gold.skill >= 0], minlength=len(gold.skills))
    return {
        "entry_tasks": test.tasks,
        "entry_needed": test.needed,
        "entry_false_refusal": test.false_refusal,
        "entry_false_pass": test.false_pass,
        "skills": [
            {"skill": skill, "language": language, "gold_tasks": int(n)}
            for (skill, language), n in zip(gold.skills, at.tolist(), strict=True)
        ],
        "bad_stopped_after_median": share(0.5),
        "bad_stopped_after_90_percent": share(0.9),
        "every": every,
        "queue": None,
    }


def _hide(
    crowd: Crowd,
    gold: Gold,
    queue: int,
    every: int,
    out: Path | None,
    *,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Choose where gold stands in a queue, and write the places where a file is named."""
    import numpy as np

    from titian.annotation.qualification import hide_gold

    tasks = np.flatnonzero(gold.code >= 0)
    places, which = hide_gold(queue, gold.code[tasks], every=every, first=FIRST, rng=rng)
    names = [crowd.task.names[tasks[i]] for i in which.tolist()]
    if out is not None:
        write_columns({"place": (places + 1).tolist(), "task": names}, out)
    return {
        "length": queue,
        "gold_tasks": len(places),
        "share": len(places) / queue,
        "out": None if out is None else str(out),
    }


def _control(
    answers: np.ndarray,
    classes: int,
    good: float,
    false_alarm: float,
    *,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Watch simulated guessers and good workers through as many answers as workers gave."""
    import numpy as np

    from titian.annotation.qualification import watch

    each = int(np.median(answers[answers > 0]))
    worker = np.repeat(np.arange(SIMULATED), each)
    stopped = {}
    for name, accuracy in (("guessers", 1.0 / max(classes, 2)), ("good", good)):
        right = rng.random(len(worker)) < accuracy
        seen = watch(worker, right, good=good, false_alarm=false_alarm)
        stopped[name] = float((seen.stopped_at > 0).mean())
    return {
        "fault": f"{SIMULATED} simulated guessers, {each} gold answers each",
        "guessers_stopped": stopped["guessers"],
        "good_stopped": stopped["good"],
        "answers_each": each,
        "found": stopped["guessers"] >= ENOUGH_STOPPED,
        "false_alarm_rate": false_alarm,
    }


def _notes(answers: GoldAnswers) -> list[str]:
    notes = []
    if not answers.timed:
        notes.append("The order of the rows counts as the order of time.")
    if answers.repeated:
        notes.append(
            f"{answers.repeated} answers to gold that a worker had seen before do not count."
        )
    return notes
