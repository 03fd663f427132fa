"""A run killed at any instant leaves what the next run finishes as if undisturbed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.dossiers import essence
from tests.acceptance.studies import write_table_study
from titian.evidence.verify import verify

KILL_AT = Path(__file__).with_name("kill_at.py")


def run_and_kill(folder: Path, data: Path, at: int) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"XDG_CONFIG_HOME": str(data.parent / "config")}
    return subprocess.run(
        [sys.executable, str(KILL_AT), str(at), str(folder), str(data)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, list[object]]:
    base = tmp_path_factory.mktemp("undisturbed")
    project = write_table_study(base / "data")
    done = run_and_kill(project, project, 0)
    assert done.returncode == 0, done.stderr
    return project, int(done.stdout), essence(project / "dossier")


def killed_then_finished(undisturbed, tmp_path: Path, at: int) -> None:
    study, _, expected = undisturbed
    project = tmp_path / "data"
    shutil.copytree(
        study, project, ignore=shutil.ignore_patterns(".titian", "dossier", "dossier.zip")
    )
    killed = run_and_kill(project, project, at)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    finished = run_and_kill(project, project, 0)
    assert finished.returncode == 0, finished.stderr
    assert essence(project / "dossier") == expected
    assert verify(project / "dossier").ok
    assert verify(project / "dossier.zip").ok


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.97])
def test_a_killed_run_is_finished_as_if_undisturbed(undisturbed, tmp_path, share):
    killed_then_finished(undisturbed, tmp_path, max(1, round(share * undisturbed[1])))


@pytest.mark.slow
@pytest.mark.parametrize("place", range(60))
def test_a_run_killed_anywhere_is_finished_as_if_undisturbed(undisturbed, tmp_path, place):
    killed_then_finished(undisturbed, tmp_path, 1 + place * (undisturbed[1] - 1) // 59)
