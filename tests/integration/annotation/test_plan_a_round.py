"""docs/howto/plan-an-annotation-round.md works as printed."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "howto" / "plan-an-annotation-round.md"
BLOCK = re.compile(
    r"^```(?P<kind>python|console)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


def test_every_block_of_the_page_runs(tmp_path):
    blocks = [(found["kind"], found["body"]) for found in BLOCK.finditer(PAGE.read_text())]
    code = "\n".join(body for kind, body in blocks if kind == "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "41 gold tasks, 34 right" in done.stdout
    assert "ann en True" in done.stdout
    assert "bob ms False" in done.stdout
    assert "per accepted label" in done.stdout
    commands = [
        line.removeprefix("$ ")
        for kind, body in blocks
        if kind == "console"
        for line in body.splitlines()
        if line.startswith("$ ")
    ]
    assert [line.split()[2] for line in commands] == ["agreement", "replay", "issues"]
    for line in commands:
        done = subprocess.run(
            [Path(sys.executable).parent / "titian", *line.split()[1:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
