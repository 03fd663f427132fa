"""Consensus of classes: from the votes of a crowd to a posterior per task.

Each module holds one family of models; `methods` is the one call. Sources and the reasoning
are in docs/explanation/consensus.md.
"""

from titian.annotation.consensus.methods import METHODS, consensus, consensus_of
from titian.annotation.consensus.result import Consensus, decide, spammer_scores
from titian.annotation.consensus.votes import Votes, gather

__all__ = [
    "METHODS",
    "Consensus",
    "Votes",
    "consensus",
    "consensus_of",
    "decide",
    "gather",
    "spammer_scores",
]
