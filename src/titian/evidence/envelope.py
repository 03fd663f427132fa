"""Signed envelopes (DSSE v1) in canonical JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from titian.errors import CheckFailed, Problem
from titian.evidence import verify
from titian.evidence.keys import SigningKey
from titian.values import JsonValue


def seal_statement(statement: JsonValue, key: SigningKey) -> bytes:
    """Return a statement in a signed envelope, as canonical JSON."""
    return seal_payload(statement, verify.STATEMENT_TYPE, key)


def seal_payload(payload: JsonValue, payload_type: str, key: SigningKey) -> bytes:
    """Return any JSON value in a signed envelope of the given payload type."""
    content = verify.canonical(payload)
    signature = key.sign(verify.pre_authentication(payload_type, content))
    return verify.canonical(
        {
            "payload": base64.b64encode(content).decode(),
            "payloadType": payload_type,
            "signatures": [{"keyid": key.key_id, "sig": base64.b64encode(signature).decode()}],
        }
    )


def open_envelope(data: bytes, keys: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the statement in an envelope whose signature checks.

    Args:
        data: canonical envelope.
        keys: raw public keys by key id.

    Raises:
        CheckFailed: T-E010 form, canonical encoding or signature do not check.
    """
    try:
        envelope = verify.parse(data, "envelope", exact=True)
        payload, _ = verify.open_envelope(envelope, verify.STATEMENT_TYPE, keys, "envelope")
        statement: dict[str, Any] = verify.parse(payload, "payload", exact=True)
    except verify.Fault as fault:
        raise CheckFailed(
            Problem(
                code="T-E010",
                message=f"{fault}.",
                remedy="Ask its signer for the original; do not use this copy.",
            )
        ) from None
    return statement


def peek(data: bytes) -> tuple[bytes, str]:
    """Return payload and named key id of an envelope *without* checking its signature."""
    envelope = verify.parse(data)
    return base64.b64decode(envelope["payload"]), envelope["signatures"][0]["keyid"]
