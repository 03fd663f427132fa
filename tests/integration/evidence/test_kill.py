"""A ledger whose process is killed at any instant keeps what it said it had appended."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from titian.evidence.ledger import Ledger

BATCH = 7
APPEND_FOREVER = f"""
import sys
from pathlib import Path
from titian.evidence.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]))
while True:
    start = len(ledger)
    ledger.append([b"entry %d " % n * 40 for n in range(start, start + {BATCH})])
    print(len(ledger), flush=True)
"""


def kill_once(folder, delay_s):
    process = subprocess.Popen(
        [sys.executable, "-c", APPEND_FOREVER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline()
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    told = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    return int(told[-1]) if told else 0


def check_after_kills(folder, kills, seed):
    rng = random.Random(seed)
    for _ in range(kills):
        told = kill_once(folder, rng.uniform(0, 0.1))
        ledger = Ledger.open(folder)
        assert len(ledger) >= told
        assert len(ledger) % BATCH == 0  # all of a batch or none
        ledger.check()
        assert ledger.envelope(len(ledger) - 1).startswith(b"entry %d " % (len(ledger) - 1))


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_killed_append_leaves_all_or_nothing(tmp_path):
    check_after_kills(tmp_path / "ledger", 4, seed=1)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_hundred_kills(tmp_path):
    check_after_kills(tmp_path / "ledger", 100, seed=2)


def test_two_processes_append_without_losing_an_entry(tmp_path):
    code = """
import sys
from pathlib import Path
from titian.evidence.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]))
for n in range(30):
    ledger.append([f"{sys.argv[2]} {n}".encode()])
"""
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name])
        for name in ("first", "second")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    ledger = Ledger.open(tmp_path)
    ledger.check()
    found = [ledger.envelope(index).decode() for index in range(len(ledger))]
    for name in ("first", "second"):
        assert [text for text in found if text.startswith(name)] == [
            f"{name} {n}" for n in range(30)
        ]
