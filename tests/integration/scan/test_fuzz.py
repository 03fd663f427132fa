"""Mutated files of every format: a report always, never an exception, never slow."""

import pickle  # noqa: TID251 - writes what is scanned
import random
import time

import numpy as np
import pytest
from tests.unit.validation.scan.test_formats import HOSTILE, PACKERS, SAFE

from titian.validation.scan.scanner import scan

BOX_S = 20
SLOWEST_S = 5  # for files of a few kilobytes


def seeds():
    rows = [{"id": i, "w": np.arange(i), "t": (i, "x")} for i in range(20)]
    yield from SAFE.values()
    yield from (content for content, _ in HOSTILE.values() if len(content) < 50_000)
    yield from (pickle.dumps(rows, protocol=protocol) for protocol in range(6))
    yield from (pack(SAFE["npy"]) for pack in PACKERS.values())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_every_mutation_gets_a_report(tmp_path, seed):
    rng = random.Random(seed)
    files = list(seeds())
    path = tmp_path / "mutated"
    start = time.monotonic()
    while time.monotonic() - start < BOX_S:
        content = bytearray(rng.choice(files))
        for _ in range(rng.choice((1, 1, 2, 8))):
            at = rng.randrange(len(content) + 1)
            match rng.randrange(4):
                case 0:
                    content[at : at + 1] = bytes([rng.choice((0, 255, rng.randrange(256)))])
                case 1:
                    del content[at : at + rng.randrange(1, 20)]
                case 2:
                    content[at:at] = rng.randbytes(rng.randrange(1, 9))
                case _:
                    del content[at:]
        path.write_bytes(content)
        begin = time.monotonic()
        (report,) = scan([path])
        assert report.allowed == (not report.reasons)
        assert time.monotonic() - begin < SLOWEST_S, content.hex()
