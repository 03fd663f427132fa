"""The pickle machine's memo: what stands where, and what only data stand at."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from titian.validation.scan.pickle_values import (
    DATA,
    MIXED,
    Box,
    Global,
    Made,
    Place,
    Row,
    Value,
    is_data,
)
from titian.validation.scan.reason import Refused
from titian.validation.scan.runs import flat_pattern, writes_pattern
from titian.validation.scan.source import CHUNK, Source

MOST_KEPT: Final = 200_000  # values; beyond, a place is known to hold data and no more
MOST_PENDING: Final = 10_000
MOST_ASKED: Final = 500  # texts that are looked for in runs; each costs up to a chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A run whose writes are not counted yet, or a write behind such a run."""

    start: int = 0
    end: int = 0
    value: Value = None
    place: int = -1
    where: str = ""


class Memo:
    """Every place is written once, in rising order, as every pickler does it.

    Runs of plain data are not counted when they are met but when a later opcode asks for
    a place behind them: `settle` does it.
    """

    def __init__(self, source: Source, modern: bool) -> None:
        self.source = source
        self.modern = modern
        self.next = 0  # the next place; a lower bound while runs are pending
        self.kept: dict[int, Value] = {}
        self.special: set[int] = set()
        self.pending: list[Pending] = []
        self.settled: list[tuple[int, int, int]] = []  # first place, start and end of a run
        self.asked = 0

    def run(self, start: int, end: int) -> None:
        """Note a run of plain data between two offsets that may write to the memo."""
        last = self.pending[-1] if self.pending else None
        if last and last.end == start and end - last.start < CHUNK:
            self.pending[-1] = Pending(start=last.start, end=end)
        else:
            self.pending.append(Pending(start=start, end=end))

    def append(self, value: Value) -> None:
        """Write to the next place (MEMOIZE)."""
        self._write(value, -1, "")

    def put(self, place: int, value: Value, where: str) -> None:
        """Write to a named place (PUT)."""
        self._write(value, place, where)

    def _write(self, value: Value, place: int, where: str) -> None:
        if self.pending and len(self.pending) < MOST_PENDING and not _is_special(value):
            self.pending.append(Pending(value=value, place=place, where=where))
            return
        if self.pending:
            self.settle()
        self._place(value, place, where)

    def _place(self, value: Value, place: int, where: str) -> None:
        if place < 0:
            place = self.next
        elif place < self.next:
            raise Refused(
                "T-S013", f"{where}: memo place {place} is written again or out of order"
            )
        self._keep(place, value)
        self.next = place + 1

    def get(self, place: int, where: str) -> Value:
        """Return what stands at a place; what is being filled comes back as mere data."""
        if self.pending and place >= self.next:
            self.settle()
        if place >= self.next:
            raise Refused("T-S019", f"{where}: memo place {place} was never written")
        value = self.kept.get(place, DATA)
        if value is DATA and self.modern:
            return Place(place)
        if isinstance(value, Box):
            return MIXED if value.mixed else DATA
        if isinstance(value, Made):
            if value.rule in {"data", "array", "estimator", "mapping"}:
                return MIXED if value.mixed else DATA
            value.closed = True
        return value

    def text(self, place: Place) -> str | None:
        """Return the text at a place that was written within a run, or None."""
        at = bisect_right(self.settled, (place.number, self.source.size, 0)) - 1
        self.asked += 1
        if at < 0 or self.asked > MOST_ASKED:
            return None
        first, start, end = self.settled[at]
        before = b""
        for token in flat_pattern(self.modern).finditer(self.source.read(start, end - start)):
            if not token[1]:
                before = token[0]
            elif first == place.number:
                return _text(before)
            else:
                first += 1
        return None

    def spoil(self, target: Box | Made) -> None:
        """Note that a callable was put into what may stand in the memo."""
        place = target.place
        if place < 0 and self.pending:
            self.settle()
            place = target.place
        if place >= 0:
            self.kept[place] = MIXED
            self.special.add(place)

    def _keep(self, place: int, value: Value) -> None:
        if isinstance(value, Box | Made):
            value.place = place
        if _is_special(value):
            self.special.add(place)
            if len(self.special) > MOST_KEPT:
                raise Refused("T-S004", f"more than {MOST_KEPT} callables are remembered")
            self.kept[place] = value
        elif isinstance(value, str | bytes | Row) and len(self.kept) < MOST_KEPT:
            self.kept[place] = value

    def settle(self) -> None:
        """Count what the pending runs wrote, and check that they wrote it in order."""
        pending, self.pending = self.pending, []
        pattern = writes_pattern(self.modern)
        for run in pending:
            if not run.end:
                self._place(run.value, run.place, run.where)
                continue
            self.settled.append((self.next, run.start, run.end))
            found = pattern.findall(self.source.read(run.start, run.end - run.start))
            while found and not found[-1]:
                found.pop()
            if self.modern:
                self.next += len(found)
            else:
                self._in_order(found, run.start)

    def _in_order(self, found: list[bytes], start: int) -> None:
        """Check the places that a run names; picklers number them one by one."""
        if found and len(found[0]) == 4:
            expected = array("I", range(self.next, self.next + len(found)))
            if sys.byteorder == "big":
                expected.byteswap()
            if expected.tobytes() == b"".join(found):
                self.next += len(found)
                return
        for token in found:
            place = int.from_bytes(token, "little")
            if place < self.next:
                raise Refused(
                    "T-S013",
                    f"behind byte {start}: memo place {place} is written again or out of order",
                )
            self.next = place + 1


def _text(token: bytes) -> str | None:
    skip = {0x8C: 2, 0x58: 5}.get(token[0]) if token else None
    if skip is None:
        return None
    try:
        return token[skip:].decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_special(value: Value) -> bool:
    return isinstance(value, Global) or not is_data(value)
