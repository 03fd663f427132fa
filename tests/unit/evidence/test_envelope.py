"""Envelopes: DSSE as others read it, and no change goes unseen."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from titian.errors import CheckFailed
from titian.evidence.envelope import open_envelope, seal_statement
from titian.evidence.keys import make_key
from titian.evidence.verify import canonical, pre_authentication


def test_the_signed_bytes_are_those_of_the_dsse_standard():
    message = pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert message == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_a_sealed_statement_opens_with_its_signers_key(key, make_statement):
    statement = make_statement()
    data = seal_statement(statement, key)
    assert open_envelope(data, {key.key_id: key.public_key}) == statement
    envelope = json.loads(data)
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert [s["keyid"] for s in envelope["signatures"]] == [key.key_id]
    payload = base64.b64decode(envelope["payload"])
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(
        base64.b64decode(envelope["signatures"][0]["sig"]),
        pre_authentication(envelope["payloadType"], payload),
    )
    assert payload == canonical(statement)


def test_every_bit_of_an_envelope_matters(key, make_statement):
    data = seal_statement(make_statement(), key)
    keys = {key.key_id: key.public_key}
    for bit in range(0, 8 * len(data), 7):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CheckFailed, match=r"^T-E010: "):
            open_envelope(bytes(changed), keys)


def test_a_signer_who_is_not_known_is_refused(key, make_statement):
    other = make_key()
    with pytest.raises(CheckFailed) as caught:
        open_envelope(seal_statement(make_statement(), key), {other.key_id: other.public_key})
    assert str(caught.value) == (
        f"T-E010: envelope: there is no public key of its signer {key.key_id}."
        " Ask its signer for the original; do not use this copy."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e | {"payloadType": "text/plain"}, "expected one signature over"),
        (lambda e: e | {"signatures": e["signatures"] * 2}, "expected one signature over"),
        (lambda e: e | {"more": 1}, "expected an object of payload"),
        (lambda e: e | {"payload": e["payload"] + "="}, "not canonical base64"),
        (lambda e: e | {"payload": e["payload"][:8] + "\n" + e["payload"][8:]}, "base64"),
        (lambda e: e | {"payload": "é"}, "not canonical base64"),
        (lambda e: e | {"payload": 3}, "expected an object of payload"),
    ],
)
def test_other_forms_are_refused(key, make_statement, change, message):
    envelope = json.loads(seal_statement(make_statement(), key))
    with pytest.raises(CheckFailed, match=message):
        open_envelope(canonical(change(envelope)), {key.key_id: key.public_key})


def test_an_envelope_in_another_form_of_json_is_refused(key, make_statement):
    envelope = json.loads(seal_statement(make_statement(), key))
    with pytest.raises(CheckFailed, match=r"not canonical JSON \(RFC 8785\)"):
        open_envelope(json.dumps(envelope).encode(), {key.key_id: key.public_key})
