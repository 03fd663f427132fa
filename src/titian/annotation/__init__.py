"""Annotation: the right label at the lowest cost, with its quality shown."""

from titian.annotation.consensus import METHODS, Consensus, Votes, consensus_of, gather
from titian.annotation.consensus.methods import consensus
from titian.annotation.crowds import (
    Crowd,
    Gold,
    Probabilities,
    encode_labels,
    read_crowd,
    read_gold,
    read_probabilities,
)

__all__ = [
    "METHODS",
    "Consensus",
    "Crowd",
    "Gold",
    "Probabilities",
    "Votes",
    "consensus",
    "consensus_of",
    "encode_labels",
    "gather",
    "read_crowd",
    "read_gold",
    "read_probabilities",
]
