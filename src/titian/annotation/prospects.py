"""What votes that were not yet cast can be expected to tell, per worker and per task.

Two questions: whom to ask next (the mutual information of a worker's label and a task's class)
and whether asking pays at all (how often the votes to come would turn a task's label from a
wrong class to the right one). Both rest on the workers' tables of confusions, which come with
the consensus, and on what one more vote is worth to `auto` (`Blend.evidence`), whatever rules
`auto` has for that.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from titian.annotation.consensus.auto import Blend
from titian.annotation.consensus.votes import Codes, Floats, Ints

TINY = 1e-12
LEAST_SHARE = 1e-6  # of a label in a table, so that no single vote is taken for proof
VOTES_ENOUGH = 1e6  # stands for votes without end
BLOCK_VOTES = 65_536  # votes whose tables are looked up at once


def information(known: Floats, tables: Floats) -> Floats:
    """Return the mutual information of a vote and the class, in nats, shape (n,).

    Args:
        known: shape (n, classes) or (1, classes), what is known of the class; rows sum to 1.
        tables: shape (n, true, given), the confusions of who votes; rows sum to 1.
    """
    named = np.einsum("nk,nkl->nl", np.broadcast_to(known, tables.shape[:2]), tables)
    doubt = np.einsum("nkl,nkl->nk", tables, np.log(np.maximum(tables, TINY)))
    told = (known * doubt).sum(axis=1) - (named * np.log(np.maximum(named, TINY))).sum(axis=1)
    return np.asarray(np.maximum(told, 0.0), dtype=np.float64)


def information_for(
    posterior: Floats, confusions: Floats, task: Codes, worker: Codes
) -> Floats:
    """Return what a worker's vote would tell of a task's class, in nats, shape (n,).

    Args:
        posterior: shape (tasks, classes), what is known of each task.
        confusions: shape (workers, true, given), rows sum to 1.
        task: shape (n,).
        worker: shape (n,), whose vote on that task is looked at.
    """
    found = np.empty(len(task))
    for start in range(0, len(task), BLOCK_VOTES):
        block = slice(start, start + BLOCK_VOTES)
        found[block] = information(posterior[task[block]], confusions[worker[block]])
    return found


def leaders(posterior: Floats) -> tuple[Ints, Ints]:
    """Return each task's most and second most probable class, shape (tasks,) each."""
    rows = np.arange(len(posterior))
    pair = np.argpartition(-posterior, 1, axis=1)[:, :2]
    ahead = posterior[rows, pair[:, 0]] >= posterior[rows, pair[:, 1]]
    first: Ints = np.where(ahead, pair[:, 0], pair[:, 1])
    second: Ints = pair.sum(axis=1) - first
    return first, second


def usual_evidence(found: Blend, left: Floats) -> Floats:
    """Return the log-odds that average votes will bring between a task's leaders.

    Args:
        found: the consensus so far.
        left: shape (tasks,), how many votes each task may still get; may be infinite.

    Returns:
        Shape (tasks,): the expected log-odds for whichever of the two is the class.
    """
    first, second = leaders(found.fit.posterior)
    step = (found.evidence[first, second] + found.evidence[second, first]) / 2.0
    return np.asarray(np.minimum(left, VOTES_ENOUGH) * np.maximum(step, TINY))


def evidence_of(
    found: Blend, confusions: Floats, cast: Floats, task: Codes, worker: Codes
) -> Floats:
    """Return the log-odds that each vote can be expected to bring between a task's leaders.

    A worker's part is the divergence of the two classes in the worker's table; all are scaled
    so that a vote of the votes cast so far brings what `auto` says that it does.

    Args:
        found: the consensus so far.
        confusions: shape (workers, true, given), rows sum to 1.
        cast: shape (workers,), how many votes each worker has cast.
        task: shape (n,).
        worker: shape (n,), whose vote on that task is looked at.
    """
    tables = np.maximum(confusions, LEAST_SHARE)
    logs = np.log(tables)
    own = np.einsum("wal,wal->wa", tables, logs)
    apart = own[:, :, None] - np.einsum("wal,wbl->wab", tables, logs)
    apart += apart.transpose(0, 2, 1).copy()
    usual = np.einsum("w,wab->ab", cast / cast.sum(), apart)
    stated = found.evidence + found.evidence.T
    apart *= np.where(usual > TINY, stated / np.maximum(usual, TINY), 0.0) / 2.0
    first, second = leaders(found.fit.posterior)
    brought: Floats = apart[worker, first[task], second[task]]
    return brought


def expected_gain(posterior: Floats, coming: Floats) -> Floats:
    """Return how much accuracy the votes still to come are expected to add, shape (tasks,).

    Between a task's two most probable classes, with log-odds L = log p / (1 - p), the votes
    to come bring log-odds that are normal with mean m under the first class, -m under the
    second, and variance 2 m (the only normal law under which a posterior stays calibrated).
    The gain is the expected rise of the larger posterior; it is at most 1 - p.

    Args:
        posterior: shape (tasks, classes).
        coming: shape (tasks,), the expected log-odds m of all votes to come.
    """
    rows = np.arange(len(posterior))
    first, second = leaders(posterior)
    top, next_ = posterior[rows, first], np.maximum(posterior[rows, second], TINY)
    odds = np.log(np.maximum(top, TINY)) - np.log(next_)
    spread = np.sqrt(2.0 * coming + TINY)
    gain: Floats = next_ * ndtr((coming - odds) / spread) - top * ndtr(
        (-coming - odds) / spread
    )
    return np.where(coming > 0, np.maximum(gain, 0.0), 0.0)
