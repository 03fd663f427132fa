"""Robustness: what is left of a model's accuracy against an adversary."""

from titian.validation.robustness.ladder import ATTACKS, Budget, Robustness, Rung, attack
from titian.validation.robustness.masking import Masking, look_for_masking
from titian.validation.robustness.samples import Samples, make_samples, read_samples
from titian.validation.robustness.victim import Victim, open_victim, victim_of

__all__ = [
    "ATTACKS",
    "Budget",
    "Masking",
    "Robustness",
    "Rung",
    "Samples",
    "Victim",
    "attack",
    "look_for_masking",
    "make_samples",
    "open_victim",
    "read_samples",
    "victim_of",
]
