"""Encryption of personal data in events and in the database, and blind indexes to find it."""

import base64
import hashlib
import hmac
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kit.secret_values import Key, weaknesses
from services.kit.settings import SettingsError, is_production, read_settings, settings_class

log = structlog.get_logger()

CHECK_INTERVAL_SECONDS = 1.0
"""How often a process that uses keys checks whether their file has changed."""

_NONCE = 12
_VERSION = b"\x01"


class CannotDecrypt(ValueError):
    """The value is not an encrypted one, was changed, or was encrypted with a key that this process does not have."""


class Keyring:
    """AES-GCM keys by their ids: the first one encrypts, each decrypts what was encrypted with it."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}

    @classmethod
    def from_text(cls, text: str) -> "Keyring":
        """Reads `k2:base64,k1:base64`, or one key a line; the current key first, each of 16, 24 or 32 bytes."""
        return cls(_read_keys(text))

    def key_ids(self) -> list[str]:
        """The ids of all keys, first that of the one which encrypts."""
        return list(self._ciphers)

    def prefix(self) -> bytes:
        """The first bytes of all that `encrypt` returns now; they name the key."""
        return encrypted_prefix(next(iter(self._ciphers)))

    def encrypt_token(self, plain: str | bytes) -> str:
        """Encrypts to a token `v1.<key id>.<base64url>`, which only holders of the key can decrypt."""
        key_id, encrypted = self._encrypt(plain)
        return f"{token_prefix(key_id)}{base64.urlsafe_b64encode(encrypted).rstrip(b'=').decode()}"

    def decrypt_token(self, token: str) -> bytes:
        """Decrypts a token of `encrypt_token`; raises CannotDecrypt."""
        try:
            version, key_id, encoded = token.split(".")
            encrypted = _unbase64(encoded)
        except ValueError as error:
            raise CannotDecrypt("This is not an encrypted value.") from error
        if version != "v1":
            raise CannotDecrypt(f"Encrypted values of version {version} are not known.")
        return self._decrypt(key_id, encrypted)

    def encrypt(self, plain: str | bytes) -> bytes:
        """Encrypts to the bytes that the database keeps: version, length of the key id, key id, nonce, ciphertext."""
        key_id, encrypted = self._encrypt(plain)
        return encrypted_prefix(key_id) + encrypted

    def decrypt(self, stored: bytes) -> bytes:
        """Decrypts bytes of `encrypt`; raises CannotDecrypt."""
        if len(stored) < 2 or stored[:1] != _VERSION:
            raise CannotDecrypt("This is not an encrypted value.")
        end = 2 + stored[1]
        return self._decrypt(stored[2:end].decode(), stored[end:])

    def _encrypt(self, plain: str | bytes) -> tuple[str, bytes]:
        """The id of the current key, and the nonce and ciphertext."""
        nonce = os.urandom(_NONCE)
        key_id, cipher = next(iter(self._ciphers.items()))
        return key_id, nonce + cipher.encrypt(nonce, _to_bytes(plain), key_id.encode())

    def _decrypt(self, key_id: str, encrypted: bytes) -> bytes:
        cipher = self._cipher(key_id)
        if cipher is None:
            raise CannotDecrypt(f"There is no key {key_id}.")
        try:
            return cipher.decrypt(encrypted[:_NONCE], encrypted[_NONCE:], key_id.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotDecrypt("The encrypted value was changed.") from error

    def _cipher(self, key_id: str) -> AESGCM | None:
        return self._ciphers.get(key_id)


class FileKeyring(Keyring):
    """The keys of a file that may change while the process runs.

    In use, it checks the file every CHECK_INTERVAL_SECONDS, and at once for an unknown key. A file that cannot be read
    or holds no keys is ignored: the known keys stay in use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = _identity(path)
        self._looked_at = time.monotonic()
        super().__init__(_read_keys(path.read_text()))

    def key_ids(self) -> list[str]:
        """The ids of the keys that are in the file now."""
        self._reload_if_changed()
        return super().key_ids()

    def prefix(self) -> bytes:
        """As `Keyring.prefix`, for the keys that are in the file now."""
        self._reload_periodically()
        return super().prefix()

    def _encrypt(self, plain: str | bytes) -> tuple[str, bytes]:
        self._reload_periodically()
        return super()._encrypt(plain)

    def _cipher(self, key_id: str) -> AESGCM | None:
        if key_id not in self._ciphers:
            self._reload_if_changed()
        return super()._cipher(key_id)

    def _reload_periodically(self) -> None:
        if time.monotonic() - self._looked_at >= CHECK_INTERVAL_SECONDS:
            self._reload_if_changed()

    def _reload_if_changed(self) -> None:
        self._looked_at = time.monotonic()
        try:
            found = _identity(self._path)
            if found == self._seen:
                return
            text = self._path.read_text()
            keys = _read_keys(text)
            _refuse_unfit_keys(text)
        except (OSError, SettingsError) as error:
            log.error("keys_file_invalid", error=type(error).__name__)
            return
        self._seen = found
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        log.info("keys_read", key_ids=list(keys))


@settings_class
class PersonalDataSettings:
    """The keys of personal data, which are the same in all services of an environment."""

    personal_data_keys: Key
    blind_index_key: Key
    personal_data_keys_file: str = ""
    """The file of the keys, if they are in one; it is read again when it changes."""


@cache
def keyring() -> Keyring:
    """The process-wide keyring, from PERSONAL_DATA_KEYS_FILE or PERSONAL_DATA_KEYS; raises SettingsError."""
    settings = read_settings(PersonalDataSettings)
    if settings.personal_data_keys_file:
        return FileKeyring(Path(settings.personal_data_keys_file))
    return Keyring.from_text(settings.personal_data_keys)


def key_id_of(stored: bytes) -> str:
    """The id of the key under which bytes of `Keyring.encrypt` are; raises CannotDecrypt."""
    if not is_encrypted(stored):
        raise CannotDecrypt("This is not an encrypted value.")
    return stored[2 : 2 + stored[1]].decode()


def encrypted_prefix(key_id: str) -> bytes:
    """The first bytes of a database value that is encrypted with this key."""
    return _VERSION + bytes([len(key_id)]) + key_id.encode()


def is_encrypted(stored: bytes) -> bool:
    """Whether bytes have the form that `encrypt` gives them."""
    return stored[:1] == _VERSION


def token_prefix(key_id: str) -> str:
    """The beginning of a token that is encrypted with this key."""
    return f"v1.{key_id}."


def blind_index(value: str, purpose: str) -> bytes:
    """16 bytes to find an encrypted value by without decryption; equal values of one purpose have equal indexes."""
    key = read_settings(PersonalDataSettings).blind_index_key.encode()
    return hmac.digest(key, f"{purpose}\0{value}".encode(), hashlib.sha256)[:16]


def _read_keys(text: str) -> dict[str, bytes]:
    """The keys by their ids, in order; raises SettingsError."""
    keys = {}
    for part in text.replace(",", " ").split():
        key_id, _, encoded = part.partition(":")
        try:
            keys[key_id] = _unbase64(encoded)
        except ValueError as error:
            raise _no_keys() from error
        if not (key_id.isascii() and key_id.isalnum()) or len(keys[key_id]) not in (16, 24, 32):
            raise _no_keys()
    if not keys:
        raise _no_keys()
    return keys


def _refuse_unfit_keys(text: str) -> None:
    if is_production() and (wrong := weaknesses([("PERSONAL_DATA_KEYS_FILE", Key(text))])):
        raise SettingsError("; ".join(wrong))


def _no_keys() -> SettingsError:
    return SettingsError("The keys of personal data are not of the form id:base64,id:base64 with AES keys.")


def _identity(path: Path) -> tuple[int, int, int]:
    """Values that differ between two versions of a file."""
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _to_bytes(plain: str | bytes) -> bytes:
    return plain.encode() if isinstance(plain, str) else plain


def _unbase64(text: str) -> bytes:
    """Standard or URL-safe base64, with or without padding; raises ValueError."""
    standard = text.replace("-", "+").replace("_", "/")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
