"""What one run saw: when each query was due, sent and answered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from titian.statistics.estimate import Bools, Floats, Ints
from titian.validation.speed.scenario import Load, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Queries that were not answered, for one reason.

    Attributes:
        reason: the first line of what went wrong.
        count: how many.
    """

    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The instants of one run, in nanoseconds from its start, in order of schedule.

    Attributes:
        load: what was asked for.
        scheduled_ns: shape (n,), when each query was due; in a closed loop, when it was sent.
        issued_ns: shape (n,), when it was handed to the system.
        done_ns: shape (n,), when it was answered; meaningless where `answered` is False.
        answered: shape (n,); False where the query failed or was never reached.
        samples: shape (n,), samples of each query.
        wall_s: from the start to the last answer.
        cpu_s: processor time of this process in the meantime, the generator's included.
        waited_s: how long the generator's thread was ready and got no processor; None where
            the system does not tell.
        cut: why the run ended before its time; empty when it did not.
        failures: what went wrong, most frequent first.
    """

    load: Load
    scheduled_ns: Ints
    issued_ns: Ints
    done_ns: Ints
    answered: Bools
    samples: Ints
    wall_s: float
    cpu_s: float
    waited_s: float | None = None
    cut: str = ""
    failures: tuple[Failure, ...] = ()

    def __len__(self) -> int:
        return len(self.scheduled_ns)

    @property
    def latency_ns(self) -> Floats:
        """From the instant a query was *due*, so that a late start is not left out.

        Infinite where there was no answer.
        """
        held = (self.done_ns - self.scheduled_ns).astype(np.float64)
        return np.where(self.answered, held, np.inf)

    @property
    def delay_ns(self) -> Floats:
        """The generator's own lateness: from due to handed over."""
        return (self.issued_ns - self.scheduled_ns).astype(np.float64)

    @property
    def min_duration_met(self) -> bool:
        """As LoadGen counts: by the last query due (server), sent, or answered (offline)."""
        if not len(self):
            return False
        if self.load.scenario is Scenario.OFFLINE:
            last = float(self.done_ns[self.answered].max(initial=0))
        else:
            last = float(self.scheduled_ns[-1])
        return last >= self.load.min_duration_s * 1e9

    @property
    def min_queries_met(self) -> bool:
        """Whether enough queries were sent; offline counts samples, being a single query."""
        n = int(self.samples.sum()) if self.load.scenario is Scenario.OFFLINE else len(self)
        return n >= self.load.min_queries
