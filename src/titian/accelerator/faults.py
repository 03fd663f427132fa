"""Planted faults: what the proof of a design must catch, or it proves nothing."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from titian.accelerator.quantization.certificates import Affine, Certificate, holds
from titian.accelerator.rtl.program import Program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlantedFault:
    """A program with one fault.

    Attributes:
        name: of the fault.
        what: was changed, in words.
        program: the changed images.
    """

    name: str
    what: str
    program: Program


def plant_requantiser_off_by_one(program: Program) -> PlantedFault:
    """Make the requantiser answer one too high, in every channel.

    A certified map gets 2^sh more in its offset; the exact unit gets the bias of one answer.
    """
    parameters = program.parameters.copy()
    for channel in range(len(parameters)):
        whole = sum(int(word) << (32 * i) for i, word in enumerate(parameters[channel]))
        multiplier, shift = whole >> 32 & (2**24 - 1), whole >> 110 & 127
        if whole >> 117 & 1:
            bias = (whole & 0xFFFFFFFF) + round(2.0**shift / multiplier)
            whole = whole >> 32 << 32 | bias & 0xFFFFFFFF
        else:
            offset = (whole >> 56) + (1 << shift) & (2**54 - 1)
            whole = whole & ~((2**54 - 1) << 56) | offset << 56
        parameters[channel] = [whole >> (32 * i) & 0xFFFFFFFF for i in range(4)]
    return PlantedFault(
        name="requantiser_off_by_one",
        what="the requantiser answers one too high",
        program=dataclasses.replace(program, parameters=parameters),
    )


def plant_wrong_weight(program: Program) -> PlantedFault:
    """Flip the sign bit of the first fold's weight of largest magnitude."""
    weights = program.weights.copy()
    fold = weights[: max(len(weights) // 4, 1)]
    place = np.unravel_index(np.abs(fold.astype(np.int16)).argmax(), fold.shape)
    before = int(weights[place])
    weights[place] = np.int8(before ^ -128)
    word, column = (int(x) for x in place)
    return PlantedFault(
        name="wrong_weight",
        what=f"weight {column} of word {word} is {int(weights[place])} instead of {before}",
        program=dataclasses.replace(program, weights=weights),
    )


def certificate_catches_off_by_one(certificate: Certificate, zero_point: int) -> bool | None:
    """Return whether a map that steps up one sum early loses its certificate.

    Such a fault touches 255 of 2^32 sums, which no simulation may ever meet; the thresholds
    meet every one of them. None where the channel has no map.
    """
    affine = certificate.affine
    if affine is None:
        return None
    early = Affine(
        multiplier=affine.multiplier,
        offset=affine.offset + affine.multiplier,
        shift=affine.shift,
        bits=affine.bits,
    )
    return not holds(early, certificate.scale, zero_point)
