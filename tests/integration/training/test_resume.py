"""A training process is killed, again and again, and ends where an undisturbed one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, signal, sys
from pathlib import Path
import numpy as np
from titian.training import checkpoint
from titian.training.loop import Part, Plan, train_network
from titian.training.network import reproducible

folder, kill_at, where = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def progress(done, total):
    if done == kill_at and where == "after":
        kill()

if where == "rename":
    written = 0
    replace = Path.replace

    def killed_before(self, target):
        global written
        written += 1
        if written == kill_at:
            kill()
        return replace(self, target)

    Path.replace = killed_before

rng = np.random.default_rng(1)
codes = np.arange(64) % 2
inputs = rng.standard_normal((64, 1, 16, 16), dtype=np.float32)
inputs[codes == 1, :, 4:9, 4:9] += 1
train = Part(inputs=inputs[:48], codes=codes[:48])
tune = Part(inputs=inputs[48:], codes=codes[48:])
with reproducible():
    trained = train_network(
        train, tune, classes=2, plan=Plan(seed=5, epochs=6, batch=16),
        folder=folder, progress=progress,
    )
losses = np.asarray([trained.train_losses, trained.tune_losses])
np.savez(folder / "result.npz", losses=losses, best=trained.best_epoch, **trained.weights)
"""


def run(folder: Path, kill_at: int, where: str) -> int:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", SCRIPT, str(folder), str(kill_at), where]
    # Two threads are offered, and must make no difference.
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this platform")
def test_a_killed_training_ends_with_the_same_bytes(tmp_path):
    assert run(tmp_path / "whole", 0, "never") == 0
    killed = tmp_path / "killed"
    # After the second epoch; before the rename of the next checkpoint; after the fifth.
    assert run(killed, 2, "after") == -signal.SIGKILL
    assert run(killed, 1, "rename") == -signal.SIGKILL
    assert run(killed, 5, "after") == -signal.SIGKILL
    assert run(killed, 0, "never") == 0
    whole = (tmp_path / "whole" / "result.npz").read_bytes()
    assert (killed / "result.npz").read_bytes() == whole
