"""Keys: made once and privately; a named key that is not as it must be is refused."""

import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from titian.errors import InputError
from titian.evidence.keys import (
    default_key_folder,
    load_or_make_key,
    make_key,
    save_key,
)
from titian.evidence.verify import Fault, key_id, read_public_key

PEM = (Encoding.PEM, PrivateFormat.PKCS8)


def write_private(path, key, encryption=None):
    path.write_bytes(key.private_bytes(*PEM, encryption or NoEncryption()))
    path.chmod(0o600)


def test_the_key_folder_follows_the_environment(tmp_path):
    assert default_key_folder({"XDG_CONFIG_HOME": "/c"}, tmp_path).as_posix() == "/c/titian"
    assert default_key_folder({}, tmp_path) == tmp_path / ".config" / "titian"
    assert default_key_folder({"XDG_CONFIG_HOME": ""}, tmp_path) == tmp_path / ".config/titian"


def test_without_a_name_a_key_is_made_once_for_its_owner_alone(tmp_path):
    folder = tmp_path / "config" / "titian"
    key, made = load_or_make_key(None, folder=folder)
    again, made_again = load_or_make_key(None, folder=folder)
    assert (made, made_again) == (True, False)
    assert again.key_id == key.key_id == key_id(key.public_key)
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_of_two_runs_that_make_a_key_at_once_the_first_wins(tmp_path):
    path = tmp_path / "default.pem"
    first, second = make_key(), make_key()
    assert save_key(first, path)
    assert not save_key(second, path)
    assert load_or_make_key(None, folder=tmp_path)[0].key_id == first.key_id
    assert [p.name for p in tmp_path.iterdir()] == ["default.pem"]


def test_a_key_is_named_by_name_or_by_path(tmp_path):
    key = make_key()
    save_key(key, tmp_path / "site.pem")
    for name in ("site", str(tmp_path / "site.pem")):
        assert load_or_make_key(name, folder=tmp_path)[0].key_id == key.key_id


def test_a_named_key_that_is_missing_is_refused_and_none_is_made(tmp_path):
    with pytest.raises(InputError) as caught:
        load_or_make_key("site", folder=tmp_path)
    assert str(caught.value) == (
        f"T-E001: signing key {tmp_path}/site.pem cannot be read (No such file or directory);"
        " a named key must exist. Put the key there, or leave `key` out of the project to have"
        " one made."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_key_that_others_can_touch_is_refused(tmp_path, mode):
    path = tmp_path / "site.pem"
    save_key(make_key(), path)
    path.chmod(mode)
    with pytest.raises(InputError) as caught:
        load_or_make_key("site", folder=tmp_path)
    assert str(caught.value) == (
        f"T-E002: signing key {path} has mode {mode:04o}; nobody but its owner may read it."
        f" Make a new key if others could have copied it, or run: chmod 600 {path}"
    )


@pytest.mark.parametrize("kind", ["text", "encrypted", "x25519", "public", "empty"])
def test_what_is_no_plain_ed25519_key_is_refused(tmp_path, kind):
    path = tmp_path / "site.pem"
    private = ed25519.Ed25519PrivateKey.generate()
    if kind == "encrypted":
        write_private(path, private, BestAvailableEncryption(b"secret"))
    elif kind == "x25519":
        write_private(path, x25519.X25519PrivateKey.generate())
    else:
        text = {"text": "no key", "public": make_key().public_pem(), "empty": ""}[kind]
        path.write_text(text)
        path.chmod(0o600)
    with pytest.raises(InputError) as caught:
        load_or_make_key("site", folder=tmp_path)
    assert str(caught.value) == (
        f"T-E003: signing key {path} is not an unencrypted Ed25519 private key in PEM form."
        " Make one with: openssl genpkey -algorithm ed25519 -out KEY.pem"
    )


def test_an_auditors_key_file_may_be_public_or_private(tmp_path):
    key = make_key()
    save_key(key, tmp_path / "private.pem")
    (tmp_path / "public.pem").write_text(key.public_pem())
    for name in ("private.pem", "public.pem"):
        assert read_public_key(tmp_path / name) == key.public_key


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----", b"\xff" * 99, None])
def test_an_auditors_wrong_key_file_is_a_fault(tmp_path, content):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Fault, match=r"key\.pem: not an unencrypted Ed25519 key in PEM form"):
        read_public_key(path)


def test_a_key_shows_nothing_of_itself():
    key = make_key()
    assert repr(key) == f"SigningKey({key.key_id})"


def test_a_file_system_without_hard_links_will_do(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    key, made = load_or_make_key(None, folder=tmp_path)
    assert made
    assert load_or_make_key(None, folder=tmp_path)[0].key_id == key.key_id
    assert [p.name for p in tmp_path.iterdir()] == ["default.pem"]


def test_a_key_that_was_not_finished_is_not_left_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        save_key(make_key(), tmp_path / "site.pem")
    assert list(tmp_path.iterdir()) == []
