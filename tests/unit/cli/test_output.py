"""JSON stands alone on standard output."""

from __future__ import annotations

import json
import math
import subprocess
import sys

from titian.cli.output import write_json

NOISY = """
import os, subprocess, sys
from titian.cli.output import reserved_output, write_json
with reserved_output(wanted=True):
    print("a library prints")
    os.write(1, b"a native library prints\\n")
    subprocess.run([sys.executable, "-c", "print('a worker prints')"], check=True)
write_json({"a": 1})
"""


def test_what_is_not_a_finite_number_is_null(capsys):
    write_json({"a": math.nan, "b": [math.inf, 1.5], "c": {"d": -math.inf}, "e": (1, None)})
    assert json.loads(capsys.readouterr().out) == {
        "a": None,
        "b": [None, 1.5],
        "c": {"d": None},
        "e": [1, None],
    }


def test_what_others_print_goes_to_standard_error():
    done = subprocess.run(
        [sys.executable, "-c", NOISY], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == {"a": 1}
    for who in ("a library", "a native library", "a worker"):
        assert f"{who} prints" in done.stderr
