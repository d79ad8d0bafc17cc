"""The keys of a simulated outside party, for signing and verifying, encrypting and decrypting."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.contracts.external.protection import (
    SIGNATURE_HEADER,
    PublicOrPrivate,
    decrypt,
    encrypt,
    is_encrypted,
    is_signed,
    read_keys,
    sign,
)
from services.kit.settings import value_of, values_of
from services.kit.strict_json import read_json


@dataclass(frozen=True)
class OutgoingMessage:
    """What is sent to a service: its bytes as sent, and its headers."""

    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KeyVariables:
    """The environment variables with a party's keys; `second` and those for encryption may be missing."""

    shared: str
    second: str
    own: str
    unions: str


@dataclass(frozen=True)
class Keys:
    """The keys: `shared` verify, the first one signs; `own` decrypt; the first of `unions` encrypts."""

    shared: Sequence[bytes]
    own: Sequence[PublicOrPrivate] = ()
    unions: Sequence[PublicOrPrivate] = ()

    @classmethod
    def from_environment(cls, variables: KeyVariables) -> "Keys":
        """Reads the keys; raises SettingsError without the shared key, ValueError for an invalid JWK Set."""
        shared = [values_of(variables.shared)[variables.shared], value_of(variables.second)]
        own = read_keys(value_of(variables.own), private=True)
        unions = read_keys(value_of(variables.unions), private=False)
        return cls([key.encode() for key in shared if key], own, unions)

    def encrypted(self, body: bytes, message: str) -> bytes:
        """Encrypts a message of this name; returns it in clear text if there is no key of the union."""
        return encrypt(body, message, self.unions[0]) if self.unions else body

    def signed(self, body: bytes, *, upper_case: bool = False) -> OutgoingMessage:
        """Signs a body."""
        signature = sign(body, self.shared[0])
        return OutgoingMessage(body, {SIGNATURE_HEADER: signature.upper() if upper_case else signature})

    def decrypted(self, body: bytes, message: str, signature: object) -> dict[str, Any]:
        """Verifies and decrypts a message, which may be in clear text.

        Raises ValueError for a wrong signature or invalid JSON, and CannotDecrypt.
        """
        if not is_signed(body, signature, self.shared):
            raise ValueError("It is badly signed.")
        document: dict[str, Any] = read_json(decrypt(body, message, self.own) if is_encrypted(body) else body)
        return document
