"""Speed: latency and throughput under a stated load, and what they cost."""

from titian.validation.speed.early_stopping import (
    BoundCheck,
    LatencyEstimate,
    check_bound,
    estimate_latency,
    min_passing,
    min_queries,
    most_discarded,
)
from titian.validation.speed.generator import System, generate
from titian.validation.speed.latency import latency_percentile, throughput
from titian.validation.speed.scenario import Load, Scenario, make_load
from titian.validation.speed.schedule import poisson_arrivals
from titian.validation.speed.trace import Failure, Trace

__all__ = [
    "BoundCheck",
    "Failure",
    "LatencyEstimate",
    "Load",
    "Scenario",
    "System",
    "Trace",
    "check_bound",
    "estimate_latency",
    "generate",
    "latency_percentile",
    "make_load",
    "min_passing",
    "min_queries",
    "most_discarded",
    "poisson_arrivals",
    "throughput",
]
