"""One file under examination: its parts still to be looked at, and what was found."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from titian.validation.scan.policy import Policy
from titian.validation.scan.reason import REMEDIES, SHOWN, Reason, Refused
from titian.validation.scan.source import Source, Spool

_GROWTH: Final = 20  # times a file's size that it may unpack to, beyond the policy's limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Bytes that are a file of their own: the file given, or a member of an archive.

    Attributes:
        source: its bytes.
        name: its file name, or path within the archive.
        place: path of members down to it, for reasons; empty for the file given.
        depth: archives around it.
    """

    source: Source
    name: str
    place: str = ""
    depth: int = 0

    @property
    def prefix(self) -> str:
        """Return the place, ready to stand before an offset."""
        return f"{self.place}: " if self.place else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Bytes of another file that a model names as its own.

    Attributes:
        location: path relative to the model's folder.
        offset: first byte.
        length: bytes, or None for all.
        where: the place that names it.
    """

    location: str
    offset: int
    length: int | None
    where: str


@dataclass(slots=True)
class Examination:
    """What is known of one file so far."""

    policy: Policy
    queue: deque[Part] = field(default_factory=deque)
    reasons: list[Reason] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)
    size: int = 0
    unpacked: int = 0
    members: int = 0
    format: str = ""
    spools: list[Spool] = field(default_factory=list)

    def refuse(self, code: str, where: str) -> None:
        """Note a reason."""
        if len(self.reasons) < SHOWN:
            self.reasons.append(Reason(code=code, where=where, remedy=REMEDIES[code]))

    def name_format(self, name: str, part: Part) -> None:
        """Note what a part was recognised as; the file's format names the outermost ones."""
        if not part.place:
            self.format = name

    def spool(self, part: Part, what: str) -> Spool:
        """Return a place for unpacked bytes, limited by what the file may still come to."""
        limit = max(self.policy.unpacked_bytes, _GROWTH * self.size)
        spool = Spool(max(limit - self.unpacked, 0), f"{part.prefix}{what}")
        self.spools.append(spool)
        return spool

    def descend(self, part: Part, source: Source, name: str) -> None:
        """Queue a member of an archive.

        Raises:
            Refused: too many archives lie within each other, or too many members.
        """
        place = f"{part.place}/{name}" if part.place else name
        self.members += 1
        if part.depth >= self.policy.depth:
            raise Refused(
                "T-S004", f"{place}: more than {self.policy.depth} archives within another"
            )
        if self.members > self.policy.members:
            raise Refused("T-S004", f"{place}: more than {self.policy.members} members")
        self.queue.append(Part(source=source, name=name, place=place, depth=part.depth + 1))
