"""Drive the accelerator through its port, with nothing but numpy.

This file stands alone: a copy of it lies beside the memory images of a built design. Give
`Driver` two functions that write and read a 32-bit word at an address of the port, whatever
bus carries them.

    driver = Driver(folder, write, read)
    driver.load()
    scores = driver.run(image)        # int8 (channels, height, width) in, int8 out
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CONTROL, DESCRIPTORS, WEIGHTS, PARAMETERS, ACTIVATIONS, CYCLES = range(6)
REGION_SHIFT = 28


class Driver:
    """One accelerator behind a port.

    Args:
        folder: of the build: ``program.json`` and the ``.bin`` images.
        write: stores a word at an address.
        read: returns the word at an address.
    """

    def __init__(
        self,
        folder: Path,
        write: Callable[[int, int], None],
        read: Callable[[int], int],
    ) -> None:
        self.folder, self.write, self.read = folder, write, read
        self.program: dict[str, Any] = json.loads((folder / "program.json").read_text())

    def load(self) -> None:
        """Write descriptors, weights and parameters; once, before the first run."""
        for region, name in (
            (DESCRIPTORS, "descriptors"),
            (WEIGHTS, "weights"),
            (PARAMETERS, "parameters"),
        ):
            image = np.fromfile(self.folder / f"{name}.bin", "<u4")
            self._write_words(region, 0, image)

    def run(self, values: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Run the network on one input and return its output."""
        program = self.program
        cols, chunks = program["cols"], program["chunks"]
        entry, exit_place = program["entry"], program["exit"]
        channels, height, width = entry["shape"]
        padded = np.zeros((height * width, entry["groups"] * cols), np.int8)
        padded[:, :channels] = values.reshape(channels, -1).T
        words = np.zeros((padded.size // cols, 4 * chunks), np.int8)
        words[:, :cols] = padded.reshape(-1, cols)
        self._write_words(ACTIVATIONS, entry["address"] * chunks, words.view("<u4").reshape(-1))
        self.write(CONTROL << REGION_SHIFT, 1)
        while self.read(CONTROL << REGION_SHIFT) & 1:
            pass
        first = exit_place["address"] * chunks
        count = exit_place["words"] * chunks
        read = [self.read((ACTIVATIONS << REGION_SHIFT) | (first + i)) for i in range(count)]
        lanes = np.asarray(read, "<u4").view(np.int8).reshape(-1, 4 * chunks)[:, :cols]
        channels, height, width = exit_place["shape"]
        pixels = lanes.reshape(height * width, -1)[:, :channels]
        return np.ascontiguousarray(pixels.T).reshape(channels, height, width)

    def cycles(self) -> list[int]:
        """Return what each layer of the last run took."""
        return [
            self.read((CYCLES << REGION_SHIFT) | layer)
            for layer in range(len(self.program["layers"]))
        ]

    def _write_words(self, region: int, first: int, words: npt.NDArray[np.uint32]) -> None:
        for place, word in enumerate(words):
            self.write((region << REGION_SHIFT) | (first + place), int(word))
