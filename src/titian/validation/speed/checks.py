"""What a person should look at after a timing."""

from __future__ import annotations

from titian.validation.speed.measurement import Speed
from titian.values import Finding, Severity

BOUND_NOT_SHOWN = "speed.bound_not_shown"
UNANSWERED = "speed.unanswered"
NOT_FINITE = "speed.not_finite"
GENERATOR_LATE = "speed.generator_late"
MACHINE_BUSY = "speed.machine_busy"

LATE_US = 1_000.0
LATE_SHARE = 0.1


def findings(found: Speed) -> tuple[Finding, ...]:
    """Say what stands out in a run."""
    return (*_bound(found), *_answers(found), *_circumstances(found))


def _bound(found: Speed) -> tuple[Finding, ...]:
    if found.verdict is None or found.verdict.status == "met":
        return ()
    return (
        Finding(
            code=BOUND_NOT_SHOWN,
            severity=Severity.WARNING,
            what=f"The latency bound is {found.verdict.status}: {found.verdict.detail}.",
            where=f"{len(found.trace)} queries, {found.trace.load.scenario}",
            remedy="Make the model smaller or the load lighter, or run longer where queries "
            "are lacking.",
        ),
    )


def _answers(found: Speed) -> tuple[Finding, ...]:
    told = []
    missing = int((~found.trace.answered).sum())
    if missing:
        first = found.trace.failures[0].reason if found.trace.failures else "no answer"
        told.append(
            Finding(
                code=UNANSWERED,
                severity=Severity.WARNING,
                what=f"{missing} of {len(found.trace)} queries had no answer (most often: "
                f"{first}); they count as over every bound.",
                where=f"{len(found.trace)} queries, {found.trace.load.scenario}",
                remedy="See why the system refuses or hangs under this load.",
            )
        )
    if found.finite is False:
        told.append(
            Finding(
                code=NOT_FINITE,
                severity=Severity.WARNING,
                what="The model answers NaN or infinity on the input it was timed with; it "
                "may compute less, or slower, than on real input.",
                where="the warm-up",
                remedy="Time it on real arrays, and look at what it answers to them.",
            )
        )
    return tuple(told)


def _circumstances(found: Speed) -> tuple[Finding, ...]:
    told = []
    delay, mean = found.overhead.delay_p99_us, found.mean_ms
    limit = LATE_US if mean is None else max(LATE_US, LATE_SHARE * mean * 1e3)
    if delay is not None and delay > limit:
        told.append(
            Finding(
                code=GENERATOR_LATE,
                severity=Severity.INFO,
                what=f"The load generator's own delay is {delay:.0f} us at p99; the latencies "
                "of the server scenario contain it.",
                where=f"{len(found.trace)} queries, {found.trace.load.scenario}",
                remedy="Leave it a processor of its own: fewer workers or threads, or a "
                "machine at rest.",
            )
        )
    if found.before.busy:
        told.append(
            Finding(
                code=MACHINE_BUSY,
                severity=Severity.INFO,
                what=f"The machine was busy before the run: load {found.before.load:.1f} on "
                f"{found.before.cores} processors.",
                where="the machine",
                remedy="Time on a machine at rest, or believe ratios of one run alone.",
            )
        )
    return tuple(told)
