"""The simulated bank's keys, for signing and verifying, encrypting and decrypting."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.contracts import bank as contract
from services.contracts.external_messages import (
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
    """A feedback: its bytes as sent, and its headers."""

    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Keys:
    """The keys: `shared` verify, the first one signs; `own` decrypt; the first of `unions` encrypts."""

    shared: Sequence[bytes]
    own: Sequence[PublicOrPrivate] = ()
    unions: Sequence[PublicOrPrivate] = ()

    @classmethod
    def from_environment(cls) -> "Keys":
        """Reads the keys; raises SettingsError without the shared key, ValueError for an invalid JWK Set."""
        shared = [values_of("BANK_HMAC_KEY")["BANK_HMAC_KEY"], value_of("BANK_HMAC_SECOND_KEY")]
        own = read_keys(value_of("BANK_PRIVATE_KEYS"), private=True)
        unions = read_keys(value_of("UNION_PUBLIC_KEYS"), private=False)
        return cls([key.encode() for key in shared if key], own, unions)

    def encrypted(self, body: bytes) -> bytes:
        """Encrypts a feedback; returns it in clear text if there is no key of the union."""
        return encrypt(body, contract.FEEDBACK_QUEUE, self.unions[0]) if self.unions else body

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
