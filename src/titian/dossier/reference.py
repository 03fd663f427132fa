"""References: the only way a number reaches a page.

A `Ref` names a statement by its digest and a place in it by a JSON pointer (RFC 6901). The
pages show what `Evidence` finds there, beside the reference itself, so that a reader (and
``verify.py``) can follow it. There is no way to hand a number to a page by its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from titian.errors import InputError, Problem
from titian.evidence.verify import number as canonical_number
from titian.evidence.verify import resolve

NOT_SHOWN = "not shown"
THOUSANDS = "\u202f"  # narrow no-break space, ISO 80000-1


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRef:
    """A statement of the ledger and its digest.

    Attributes:
        digest: SHA-256 of the statement's canonical bytes, 64 hex digits.
        statement: the in-toto statement as parsed JSON.
    """

    digest: str
    statement: Mapping[str, Any]

    @property
    def predicate(self) -> Mapping[str, Any]:
        """The stage's run."""
        predicate: Mapping[str, Any] = self.statement["predicate"]
        return predicate

    @property
    def stage(self) -> str:
        """Name of the stage that ran."""
        return str(self.predicate.get("stage", ""))

    def at(self, pointer: str, *, form: str = "auto", beside: float | None = None) -> Ref:
        """Return the reference to a place in this statement."""
        return Ref(statement=self.digest, pointer=pointer, form=form, beside=beside)

    def measurement(self, name: str) -> str | None:
        """Return the pointer of the measurement of all cases with this name, or None."""
        for pointer, item in self.items("measurements"):
            if item.get("name") == name and not item.get("subgroup"):
                return pointer
        return None

    def items(self, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield (pointer, item) of one of the predicate's lists."""
        for at, item in enumerate(self.predicate.get(name) or ()):
            yield f"/predicate/{name}/{at}", item


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """One place in one statement.

    Attributes:
        statement: the statement's digest.
        pointer: JSON pointer into it.
        form: how it is printed: ``auto``, ``count``, ``decimal`` (three decimals, though
            JSON has no point in a whole number), ``exact`` (every digit),
            ``level`` (two digits), ``mark`` (a verdict or a severity), ``caught`` (a
            control's outcome) or ``code``.
        beside: a bound that the number is read against; it is printed with as many
            decimals as it takes not to look equal to it.
    """

    statement: str
    pointer: str
    form: str = "auto"
    beside: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A reference looked up: what the page prints and what it stands for.

    Attributes:
        text: what a reader sees.
        value: canonical JSON of a number; the text itself for a text; None when missing.
    """

    text: str
    value: str | None


class Evidence:
    """The statements of one run, by digest."""

    def __init__(self, statements: Sequence[StatementRef]) -> None:
        self.statements = tuple(statements)
        self._by_digest = {item.digest: item for item in statements}

    def __contains__(self, digest: object) -> bool:
        return digest in self._by_digest

    def __getitem__(self, digest: str) -> StatementRef:
        return self._by_digest[digest]

    def value(self, ref: Ref) -> Any:  # noqa: ANN401 - any JSON value
        """Return what a reference leads to.

        Raises:
            InputError: T-R003, the statement or the place does not exist.
        """
        try:
            return resolve(self._by_digest[ref.statement].statement, ref.pointer)
        except KeyError:
            raise InputError(
                Problem(
                    code="T-R003",
                    message=f"reference {ref.pointer} into statement {ref.statement[:12]} "
                    "leads to nothing; every number of a dossier stands in a statement.",
                    remedy="Report this: the stage and the pages disagree about a place.",
                )
            ) from None

    def show(self, ref: Ref) -> Shown:
        """Return what a page prints for a reference; *not shown* where it is null."""
        value = self.value(ref)
        match value:
            case None:
                return Shown(text=NOT_SHOWN, value=None)
            case bool():
                words = ("caught", "missed") if ref.form == "caught" else ("yes", "no")
                return Shown(text=words[0 if value else 1], value="true" if value else "false")
            case int() | float():
                text = number_text(value, form=ref.form, beside=ref.beside)
                return Shown(text=text, value=canonical_number(float(value)))
            case str():
                return Shown(text=_words(value) if ref.form != "code" else value, value=value)
            case _:
                raise InputError(
                    Problem(
                        code="T-R003",
                        message=f"reference {ref.pointer} into statement {ref.statement[:12]} "
                        f"leads to a {type(value).__name__}; a page prints single values.",
                        remedy="Report this: the stage and the pages disagree about a place.",
                    )
                )


def token(key: str) -> str:
    """Return an object's key as a JSON pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")


def number_text(value: float, *, form: str = "auto", beside: float | None = None) -> str:
    """Write a number for readers: whole numbers grouped, others with three decimals.

    A small number keeps two significant digits, so that nothing but zero looks like zero.
    """
    if form == "count" or (isinstance(value, int) and form not in {"exact", "decimal"}):
        return _grouped(f"{value:,.0f}")
    if form == "level":
        return f"{value:.2g}"
    if form == "exact":
        return canonical_number(float(value)).replace("-", "\u2212")
    if abs(value) >= 1e7 or 0 < abs(value) < 1e-6:
        return f"{value:.2e}"
    decimals = 3 if abs(value) < 100 else 1
    while decimals < 12 and (
        (value != 0 and abs(value) < 5 * 10.0**-decimals)
        or (beside is not None and value != beside and round(value, decimals) == beside)
    ):
        decimals += 1
    return _grouped(f"{value:,.{decimals}f}")


def bound_number(bound: float) -> str:
    """Write a bound with two decimals where they say it all, else with every digit."""
    if float(bound).is_integer() and abs(bound) > 1:
        return str(int(bound))
    short = f"{bound:.2f}"
    return short if float(short) == bound else repr(float(bound))


def _grouped(text: str) -> str:
    return text.replace(",", THOUSANDS).replace("-", "\u2212")


def _words(value: str) -> str:
    for sign, symbol in ((">= ", "\u2265\u202f"), ("<= ", "\u2264\u202f")):
        if value.startswith(sign):
            return symbol + value.removeprefix(sign)
    return value
