"""Everything Titian refuses, in one tree.

    TitianError                  exit code, stable code, place, rule, next move
    ├── InputError       exit 2  what the user gave is wrong: project file, data, call
    ├── CheckFailed      exit 1  the checked thing is bad: a dossier, a signature
    └── EnvironmentFault exit 3  disk full, engine lost, lock held, internal error

Each raise names a stable code (``T-D014``: area letter, number), the bad value and its
place, the rule, and the next move. All problems of one input are raised together as
`Problems`. Letters: P project file, D data, T training, M model, V validation, E evidence,
R dossier, S security (scan, attacks), A annotation, C accelerator, X pipeline and engine.
``docs/reference/errors/`` documents every code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes:
        code: stable code such as ``T-D014``.
        message: the bad value, its place and the rule.
        remedy: the next move, an imperative sentence.
    """

    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.remedy}"


class TitianError(Exception):
    """Base of all errors that Titian raises on purpose."""

    exit_code: ClassVar[int] = 3

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    @classmethod
    def of(cls, code: str, message: str, remedy: str) -> TitianError:
        """Build an error of one problem."""
        return cls(Problem(code=code, message=message, remedy=remedy))


class InputError(TitianError):
    """What the user gave is wrong (exit 2)."""

    exit_code = 2


class CheckFailed(TitianError):
    """The checked thing failed: a changed dossier, a wrong signature (exit 1)."""

    exit_code = 1


class EnvironmentFault(TitianError):
    """The machine or Titian itself failed: disk full, engine lost (exit 3)."""

    exit_code = 3
