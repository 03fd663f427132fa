"""`auto`: one answer without gold, and why."""

from __future__ import annotations

from titian.annotation.consensus.dawid_skene import pooled
from titian.annotation.consensus.result import Fit
from titian.annotation.consensus.votes import Votes


def blend(votes: Votes) -> tuple[Fit, str]:
    """Return the consensus of the crowd and one sentence on how it was found."""
    return pooled(votes), "Pooled Dawid-Skene."
