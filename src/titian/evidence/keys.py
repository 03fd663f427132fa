"""Ed25519 signing keys in PEM files that only their owner can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from titian.errors import InputError, Problem
from titian.evidence.verify import key_id

DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A private key; it shows nothing of itself but its id."""

    private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        """SHA-256 of the raw public key in hex."""
        return key_id(self.public_key)

    def public_pem(self) -> str:
        """Return the public key as PEM: what an auditor passes to ``titian verify --key``."""
        return public_pem(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of `message`, 64 bytes."""
        return self.private.sign(message)


def public_pem(public_key: bytes) -> str:
    """Return a raw public key as PEM."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def make_key() -> SigningKey:
    """Return a new random key."""
    return SigningKey(private=Ed25519PrivateKey.generate())


def default_key_folder(
    environment: Mapping[str, str] = os.environ, home: Path | None = None
) -> Path:
    """Return ``$XDG_CONFIG_HOME/titian``, or ``~/.config/titian`` where that is not set."""
    configured = Path(environment.get("XDG_CONFIG_HOME", ""))
    base = configured if configured.is_absolute() else (home or Path.home()) / ".config"
    return base / "titian"


def load_or_make_key(named: str | None, *, folder: Path) -> tuple[SigningKey, bool]:
    """Return the signing key and whether it was made just now.

    Args:
        named: a name in `folder`, or a path (with a separator or ending in ``.pem``), of a
            key that must exist; None takes the default key and makes it if need be.
        folder: the user's key folder.

    Raises:
        InputError: T-E001 the key is missing or unreadable, T-E002 others can read it,
            T-E003 it is not an unencrypted Ed25519 private key in PEM.
    """
    if named is not None:
        is_path = os.sep in named or "/" in named or named.endswith(".pem")
        return load_key(Path(named).expanduser() if is_path else folder / f"{named}.pem"), False
    path = folder / f"{DEFAULT_NAME}.pem"
    if path.exists() or path.is_symlink():
        return load_key(path), False
    key = make_key()
    return (key, True) if save_key(key, path) else (load_key(path), False)


def load_key(path: Path) -> SigningKey:
    """Read a private key that only its owner may read."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()
    except OSError as error:
        raise _refusal(
            "T-E001",
            f"signing key {path} cannot be read ({error.strerror}); a named key must exist.",
            "Put the key there, or leave `key` out of the project to have one made.",
        ) from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise _refusal(
            "T-E002",
            f"signing key {path} has mode {stat.S_IMODE(mode):04o}; nobody but its owner may"
            " read it.",
            f"Make a new key if others could have copied it, or run: chmod 600 {path}",
        )
    try:
        private = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise _refusal(
            "T-E003",
            f"signing key {path} is not an unencrypted Ed25519 private key in PEM form.",
            "Make one with: openssl genpkey -algorithm ed25519 -out KEY.pem",
        )
    return SigningKey(private=private)


def save_key(key: SigningKey, path: Path) -> bool:
    """Write a key with mode 0600, whole or not at all; False if `path` exists already."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    aside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        return _take_name(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _take_name(aside: Path, path: Path) -> bool:
    try:
        os.link(aside, path)  # unlike a rename, fails if another run was first
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        aside.replace(path)
    return True


def _refusal(code: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(code=code, message=message, remedy=remedy))
