"""The simulated bank's keys: what it signs and encrypts by, and what it verifies and decrypts by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.contracts import bank as contract
from services.contracts.bank_encryption import PublicOrPrivate, decrypt, encrypt, is_encrypted, read_keys
from services.kit.strict_json import read_json


@dataclass(frozen=True)
class Outgoing:
    """A feedback: its bytes as they are, and its headers."""

    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Keys:
    """`shared` sign and verify, the first one signs; `own` decrypt; the first of the `unions` encrypts."""

    shared: Sequence[bytes]
    own: Sequence[PublicOrPrivate] = ()
    unions: Sequence[PublicOrPrivate] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Keys":
        """Raises KeyError without the key that is shared, ValueError for what is no JWK Set."""
        shared = [environment["BANK_HMAC_KEY"], environment.get("BANK_HMAC_SECOND_KEY", "")]
        own = read_keys(environment.get("BANK_PRIVATE_KEYS", ""), private=True)
        unions = read_keys(environment.get("UNION_PUBLIC_KEYS", ""), private=False)
        return cls([key.encode() for key in shared if key], own, unions)

    def encrypted(self, body: bytes) -> bytes:
        """A feedback as it goes out; in clear text where there is no key of the union's."""
        return encrypt(body, contract.FEEDBACK_QUEUE, self.unions[0]) if self.unions else body

    def signed(self, body: bytes, *, upper_case: bool = False) -> Outgoing:
        """A body with its signature."""
        signature = contract.sign(body, self.shared[0])
        return Outgoing(body, {contract.SIGNATURE_HEADER: signature.upper() if upper_case else signature})

    def opened(self, body: bytes, message: str, signature: object) -> dict[str, Any]:
        """What a message says, which may be in clear text. Raises ValueError for a wrong signature or what is no JSON,
        CannotDecrypt."""
        if not contract.is_signed(body, signature, self.shared):
            raise ValueError("It is badly signed.")
        document: dict[str, Any] = read_json(decrypt(body, message, self.own) if is_encrypted(body) else body)
        return document
