"""Progress: lines for pipes, bars for terminals, rates and times that are right."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from titian.cli.progress import BarReporter, Pace, PlainReporter, duration, open_reporter


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (4.25, "4.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (125.0, "2 min 5 s"),
        (3780.0, "1 h 3 min"),
    ],
)
def test_durations_read_as_a_person_says_them(seconds, words):
    assert duration(seconds) == words


def test_rate_and_time_left_count_only_this_runs_work():
    pace = Pace(first_done=100, first_s=10.0)
    assert pace.words(100, 200, 10.0) == ""
    assert pace.words(150, 200, 15.0) == "10.0/s, 5.0 s left"
    assert pace.words(101, 200, 14.0) == "4.0 s each, 6 min 36 s left"
    assert pace.words(200, 200, 20.0) == "10.0/s"


def test_plain_lines_come_at_most_once_a_second_per_step():
    stream, clock = io.StringIO(), Clock()
    reporter = PlainReporter(stream, clock)
    reporter.stage_started("train", 3, 7)
    for done in range(41):
        clock.now_s = done / 10
        reporter.step("train", "epoch", done, 100)
    reporter.note("Made a signing key.")
    reporter.stage_finished("train", seconds=4.0, cached=False)
    assert stream.getvalue().splitlines() == [
        "[3/7] train",
        "[3/7] train: epoch 10 of 100 (10.0/s, 9.0 s left)",
        "[3/7] train: epoch 20 of 100 (10.0/s, 8.0 s left)",
        "[3/7] train: epoch 30 of 100 (10.0/s, 7.0 s left)",
        "[3/7] train: epoch 40 of 100 (10.0/s, 6.0 s left)",
        "Made a signing key.",
        "[3/7] train: done in 4.0 s",
    ]


def test_plain_lines_for_a_survey_without_place_and_a_cached_stage():
    stream, clock = io.StringIO(), Clock()
    reporter = PlainReporter(stream, clock)
    reporter.stage_started("survey", 0, 0)
    reporter.step("survey", "files", 0, 0)
    clock.now_s = 2.0
    reporter.step("survey", "files", 3000, 0)
    reporter.stage_finished("survey", seconds=2.0, cached=False)
    reporter.stage_started("ingest", 1, 2)
    reporter.stage_finished("ingest", seconds=0.1, cached=True)
    assert stream.getvalue().splitlines() == [
        "survey",
        "survey: files 3,000 (1500.0/s)",
        "survey: done in 2.0 s",
        "[1/2] ingest",
        "[1/2] ingest: taken from an earlier run",
    ]


def test_a_log_that_is_closed_does_not_stop_the_run():
    stream = io.StringIO()
    reporter = PlainReporter(stream)
    stream.close()
    reporter.note("still here")


def terminal() -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=100,
        color_system=None,
        legacy_windows=False,
    )


def test_bars_show_stage_step_rate_and_time_left():
    console, clock = terminal(), Clock()
    with BarReporter(console, clock) as reporter:
        reporter.stage_started("train", 3, 7)
        reporter.step("train", "epoch", 0, 40)
        clock.now_s = 5.0
        reporter.step("train", "epoch", 10, 40)
        reporter._progress.refresh()
        reporter.note("A note [in brackets].")
        reporter.stage_finished("train", seconds=12.0, cached=False)
    text = console.file.getvalue()
    assert "[3/7] train: epoch" in text
    assert "10/40" in text
    assert "2.0/s, 15 s left" in text
    assert "A note [in brackets]." in text
    assert "[3/7] train: done in 12 s" in text


def test_a_pipe_gets_lines_also_where_bars_are_possible(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with open_reporter(plain=False) as reporter:
        assert isinstance(reporter, PlainReporter)


def test_a_terminal_gets_bars_unless_json_is_wanted(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", Terminal())
    with open_reporter(plain=False) as reporter:
        assert isinstance(reporter, BarReporter)
    with open_reporter(plain=True) as reporter:
        assert isinstance(reporter, PlainReporter)
