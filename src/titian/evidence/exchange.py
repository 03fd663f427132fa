"""Admitting another site's statements into a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from titian.errors import CheckFailed, Problem
from titian.evidence import verify
from titian.evidence.ledger import Ledger

_ASK = "Ask the other site for a new export; nothing was imported."


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What an import came to.

    Attributes:
        admitted: indices of the new entries.
        known: how many statements the ledger had already.
        signers: key ids of everyone who signed the statements or the tree head.
        signer_checked: whether trusted keys were named.
    """

    admitted: range
    known: int
    signers: tuple[str, ...]
    signer_checked: bool


def admit(ledger: Ledger, data: bytes, *, trusted: Sequence[bytes] = ()) -> Admission:
    """Check an export and append its original envelopes, all that are new or none.

    Args:
        ledger: where they are admitted.
        data: what ``titian ledger export`` wrote.
        trusted: raw public keys; every signer must be one of them. Without any, signatures
            and proofs are checked against the keys in the export itself.

    Raises:
        CheckFailed: T-E011 form, signatures or proofs do not check; T-E012 somebody else
            signed; T-E013 the statements are of another project than the ledger's.
    """
    try:
        part = verify.read_ledger(data, "export")
    except verify.Fault as fault:
        raise CheckFailed(_problem("T-E011", f"{fault}.", _ASK)) from None
    signers = sorted({part.head_signer, *(entry.signer for entry in part.entries)})
    known_ids = {verify.key_id(key) for key in trusted}
    project = next((e.statement["predicate"]["project"] for e in ledger.statements()), None)
    problems = [_problem("T-E011", f"{fault}.", _ASK) for fault in part.faults]
    if trusted:
        problems += [
            _problem(
                "T-E012",
                f"the export is signed by {signer}, which is none of the given keys.",
                "Pass that site's public key with --key if you trust it.",
            )
            for signer in signers
            if signer not in known_ids
        ]
    if project not in (None, part.head["project"]):
        problems.append(
            _problem(
                "T-E013",
                f"the export is of project {part.head['project']!r}, this ledger of"
                f" {project!r}; a ledger holds one project.",
                "Import it into the ledger of its own project.",
            )
        )
    if problems:
        raise CheckFailed(*problems)
    present = set(map(verify.leaf_hash, ledger.envelopes()))
    new = [e.envelope for e in part.entries if verify.leaf_hash(e.envelope) not in present]
    admitted = ledger.append(new, public_keys=part.keys.values())
    return Admission(
        admitted=admitted,
        known=len(part.entries) - len(new),
        signers=tuple(signers),
        signer_checked=bool(trusted),
    )


def _problem(code: str, message: str, remedy: str) -> Problem:
    return Problem(code=code, message=message, remedy=remedy)
