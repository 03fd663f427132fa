"""Collecting all that is wrong with one file, each with its place, and raising it together."""

from __future__ import annotations

import math
import re

from titian.errors import InputError, Problem

SHOWN = 50  # problems raised from one file; the rest are counted

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


class Complaints:
    """The problems of one file or folder.

    Readers go on after a complaint with a stand-in value, so that all problems are found;
    `raise_if_any` comes before anything is returned, so that no stand-in ever gets out.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.more = 0

    def __len__(self) -> int:
        return len(self.problems) + self.more

    def add(self, code: str, place: str, what: str, remedy: str) -> None:
        """Note one problem; `place` is a line, an element or a path, ``""`` for the file."""
        if len(self.problems) >= SHOWN:
            self.more += 1
            return
        where = f"{self.file}, {place}" if place else self.file
        self.problems.append(Problem(code=code, message=f"{where}: {what}.", remedy=remedy))

    def take(self, other: Complaints) -> None:
        """Add the problems of a file in the folder."""
        room = SHOWN - len(self.problems)
        self.problems.extend(other.problems[:room])
        self.more += other.more + max(0, len(other.problems) - room)

    def raise_if_any(self) -> None:
        """Raise all problems.

        Raises:
            InputError: there are some.
        """
        if not self.problems:
            return
        problems = list(self.problems)
        if self.more:
            problems.append(
                Problem(
                    code="T-A199",
                    message=f"{self.file} has {self.more} more problems.",
                    remedy="Correct the ones above first.",
                )
            )
        raise InputError(*problems)


def refusal(code: str, file: str, what: str, remedy: str) -> InputError:
    """Build the error of a file that cannot be read any further."""
    return InputError(Problem(code=code, message=f"{file}: {what}.", remedy=remedy))


def shorten(text: object) -> str:
    """Quote a value for a message, at most 60 characters of it."""
    quoted = repr(text)
    return quoted if len(quoted) <= 60 else f"{quoted[:57]}..."


def number_of(text: str) -> float | None:
    """Read a finite decimal number, or return None."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def whole_of(text: str) -> int | None:
    """Read a whole number of at most 18 digits, or return None."""
    return int(text) if _WHOLE.fullmatch(text) else None


def plain(number: float) -> int | float:
    """Return a whole float as an int, so that files hold 10 and not 10.0."""
    number = float(number)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def shortest(number: float) -> str:
    """Write a number so that it reads back the same."""
    return str(plain(number))
