"""Annotation: the right label at the lowest cost, with its quality shown."""

from titian.annotation.adaptive import (
    Action,
    Decisions,
    Policy,
    Replay,
    decide_next,
    information,
    replay,
)
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
    "Action",
    "Consensus",
    "Crowd",
    "Decisions",
    "Gold",
    "Policy",
    "Probabilities",
    "Replay",
    "Votes",
    "consensus",
    "consensus_of",
    "decide_next",
    "encode_labels",
    "gather",
    "information",
    "read_crowd",
    "read_gold",
    "read_probabilities",
    "replay",
]
