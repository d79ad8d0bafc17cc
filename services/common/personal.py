"""Personal data: sealed in events and in the database, found by blind indexes, masked where it is shown."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.common.settings import SettingsError, read_settings

_NONCE = 12
_VERSION = b"\x01"


class CannotOpen(ValueError):
    """The sealed value was changed, is none, or was sealed with a key that this process does not have."""


class Keyring:
    """AES-256-GCM keys by their ids: the first one seals, each of them opens what it sealed."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))

    @classmethod
    def from_text(cls, text: str) -> "Keyring":
        """Keys written as `k2:base64,k1:base64`, the current one first; each is 16, 24 or 32 bytes long."""
        keys = {}
        for part in text.split(","):
            key_id, _, encoded = part.strip().partition(":")
            key = _unbase64(encoded)
            if not key_id.isalnum() or len(key) not in (16, 24, 32):
                raise SettingsError("PERSONAL_DATA_KEYS is not of the form id:base64,id:base64 with AES keys.")
            keys[key_id] = key
        return cls(keys)

    def seal(self, plain: str | bytes) -> str:
        """A token `v1.<key id>.<base64url>` that only holders of the key can open."""
        sealed = self._encrypt(self._current, _to_bytes(plain))
        return f"v1.{self._current}.{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"

    def open(self, token: str) -> bytes:
        """What `seal` closed; raises CannotOpen."""
        try:
            version, key_id, encoded = token.split(".")
            sealed = _unbase64(encoded)
        except ValueError as error:
            raise CannotOpen("This is no sealed value.") from error
        if version != "v1":
            raise CannotOpen(f"Sealed values of version {version} are not known.")
        return self._decrypt(key_id, sealed)

    def encrypt(self, plain: str | bytes) -> bytes:
        """As `seal`, in the bytes that the database keeps: version, length of the key id, key id, nonce, text."""
        key_id = self._current.encode()
        return _VERSION + bytes([len(key_id)]) + key_id + self._encrypt(self._current, _to_bytes(plain))

    def decrypt(self, stored: bytes) -> bytes:
        """What `encrypt` closed; raises CannotOpen."""
        if len(stored) < 2 or stored[:1] != _VERSION:
            raise CannotOpen("This is no encrypted value.")
        end = 2 + stored[1]
        return self._decrypt(stored[2:end].decode(), stored[end:])

    def _encrypt(self, key_id: str, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._ciphers[key_id].encrypt(nonce, plain, key_id.encode())

    def _decrypt(self, key_id: str, sealed: bytes) -> bytes:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise CannotOpen(f"There is no key {key_id}.")
        try:
            return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], key_id.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("The sealed value was changed.") from error


@dataclass(frozen=True)
class PersonalDataSettings:
    """The keys of personal data; one environment has the same in all its services."""

    personal_data_keys: str
    blind_index_key: str


@cache
def keyring() -> Keyring:
    """The process-wide keyring, from PERSONAL_DATA_KEYS."""
    return Keyring.from_text(read_settings(PersonalDataSettings).personal_data_keys)


def blind_index(value: str, purpose: str) -> bytes:
    """16 bytes by which an encrypted value is found without being read; equal values of one purpose are equal."""
    key = read_settings(PersonalDataSettings).blind_index_key.encode()
    return hmac.digest(key, f"{purpose}\0{value}".encode(), hashlib.sha256)[:16]


def mask_document_in_list(number: str) -> str:
    """A document number as lists show it: the first and the last character."""
    return _mask(number, 1, 1)


def mask_document_in_detail(number: str) -> str:
    """A document number as details show it: the first six and the last two characters."""
    return _mask(number, 6, 2)


def mask_card(number: str) -> str:
    """A card number: the first six and the last four digits."""
    return _mask(number, 6, 4)


def mask_phone(number: str) -> str:
    """A telephone number: the first three and the last four digits."""
    return _mask(number, 3, 4)


def _mask(text: str, first: int, last: int) -> str:
    """Hides the middle; of a short text, where the middle would be less than half, all but the ends is hidden."""
    if len(text) < first + last + 4:
        first, last = min(first, 1), min(last, 1)
    hidden = max(len(text) - first - last, 0)
    return text[:first] + "*" * hidden + text[first + hidden :] if hidden else "*" * len(text)


def _to_bytes(plain: str | bytes) -> bytes:
    return plain.encode() if isinstance(plain, str) else plain


def _unbase64(text: str) -> bytes:
    """Standard or URL-safe base64, with or without padding; raises ValueError."""
    standard = text.replace("-", "+").replace("_", "/")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
