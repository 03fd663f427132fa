"""The command as a terminal, a pipe and an impatient user meet it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.acceptance.studies import write_table_study

TITIAN = [sys.executable, "-m", "titian"]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return write_table_study(tmp_path / "study")


def test_a_terminal_gets_bars_and_a_pipe_gets_the_table(study):
    ours, theirs = pty.openpty()
    seen = bytearray()

    def listen() -> None:
        try:
            while chunk := os.read(ours, 65536):
                seen.extend(chunk)
        except OSError:  # Linux reports the other end's closing so
            pass

    listener = threading.Thread(target=listen)
    listener.start()
    done = subprocess.run(
        [*TITIAN, "run", str(study)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        timeout=300,
        check=False,
    )
    os.close(theirs)
    listener.join(timeout=30)
    os.close(ours)
    assert done.returncode in (0, 1), seen.decode()
    assert b"\x1b[" in seen, "a terminal is drawn on"
    assert b"train: done in" in seen
    assert "Verdicts" in done.stdout
    assert "\x1b[" not in done.stdout, "a pipe gets no colours"
    assert done.stdout.splitlines()[-1] == f"Check it: titian verify {study / 'dossier'}"


def test_an_interrupted_run_says_so_and_the_next_one_carries_on(study):
    with subprocess.Popen(
        [*TITIAN, "run", str(study)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("[3/"):
                running.send_signal(signal.SIGINT)
                break
        said = running.stderr.read()
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert said.rstrip().endswith(
        "Interrupted. Nothing is lost: the next `titian run` carries on after the last "
        "finished stage."
    )
    again = subprocess.run(
        [*TITIAN, "run", str(study)], capture_output=True, text=True, timeout=300, check=False
    )
    assert again.returncode in (0, 1), again.stderr
    assert "[1/6] ingest: taken from an earlier run" in again.stderr


def test_a_reader_that_goes_away_is_no_fault(study):
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [*TITIAN, "status", str(study)],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(write_end)
    assert done.returncode == 141
    assert done.stderr == ""


def test_an_old_locale_gets_the_table_too(study):
    done = subprocess.run(
        [*TITIAN, "status", str(study)],
        capture_output=True,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"ingest" in done.stdout
