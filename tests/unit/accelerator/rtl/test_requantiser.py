"""The requantiser's circuit answers what ONNX Runtime does, both ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("amaranth", reason="pip install 'titian[accelerator]'")

from amaranth.sim import Simulator

from titian.accelerator.quantization.certificates import certify, thresholds
from titian.accelerator.quantization.requantisation import mantissas, requantise
from titian.accelerator.rtl.requantiser import STAGES, Requantiser

CASES = 600


def answers(words: list[dict[str, int]], sums: list[int], zero: int) -> np.ndarray:
    """Run sums through the circuit, one a cycle."""
    circuit = Requantiser()
    found: list[int] = []

    async def bench(context: Any) -> None:
        context.set(circuit.zero, zero)
        for place in range(len(sums) + STAGES):
            if place < len(sums):
                context.set(circuit.acc, sums[place])
                context.set(circuit.parameters, words[place])
            await context.tick()
            found.append(context.get(circuit.result))

    simulator = Simulator(circuit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return np.asarray(found[STAGES - 1 : STAGES - 1 + len(sums)])


@pytest.mark.parametrize("zero", [-128, 0, 90])
def test_maps_and_exact_unit_equal_the_reference_around_thresholds(zero: int) -> None:
    rng = np.random.default_rng(11)
    scales = np.exp(rng.uniform(np.log(2.0**-40), np.log(2.0**8), CASES)).astype(np.float32)
    near = thresholds(scales, zero)[np.arange(CASES), rng.integers(0, 255, CASES)]
    near += rng.integers(-1, 2, CASES)
    far = rng.integers(-(2**31), 2**31, CASES) >> rng.integers(0, 31, CASES)
    sums = np.clip(np.where(rng.random(CASES) < 0.7, near, far), -(2**31), 2**31 - 1)
    bias = np.where(np.abs(sums) < 2**30, rng.integers(-1000, 1000, CASES), 0)
    mantissa, exponent = mantissas(scales)
    words = []
    for place, certificate in enumerate(certify(scales, zero)):
        affine = certificate.affine
        word = {"bias": int(bias[place]), "exact": int(affine is None or place % 3 == 0)}
        if affine is None or place % 3 == 0:
            word |= {"multiplier": int(mantissa[place]), "shift": int(exponent[place])}
        else:
            word |= {
                "multiplier": affine.multiplier,
                "offset": affine.offset,
                "shift": affine.shift,
            }
        words.append(word)
    assert 100 < sum(word["exact"] for word in words) < CASES - 100
    got = answers(words, [int(x) for x in sums - bias], zero)
    assert np.array_equal(got, requantise(sums.astype(np.int32), scales, zero))


def test_the_sum_with_its_bias_wraps_at_32_bits() -> None:
    word = {"bias": 1, "multiplier": 1 << 15, "shift": 15, "exact": 0, "offset": 0}
    assert answers([word], [2**31 - 1], 0).tolist() == [-128]
