"""The gateway's signature of a request, which proves that caller, operation and data come from the gateway.

It covers the bytes of the request (the caller's session, the request id, the data and the deadline), the name of the
operation, the id of the call, and the reply address. So a signature is valid for one request, and no longer than
somebody waits for the answer. The key is an Ed25519 key: a service that verifies signatures cannot make them.
"""

import base64
import hashlib
import time
from collections.abc import Mapping
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.kit.amqp.transport import Delivery
from services.kit.rpc.key_lists import DEMO_ID, key_ids, read_keys, write_keys
from services.kit.rpc.request import Request
from services.kit.secret_values import Key, Secret
from services.kit.settings import SettingsError, is_production, read_settings, settings_class

SIGNATURE = "x-signature"
LONGEST_SECONDS = 300
"""How many seconds ahead the deadline of a signed request may be."""

_CONTEXT = b"union card services, request 1"


@settings_class
class SigningSettings:
    """The gateway's keys, as `k2:base64,k1:base64` with 32 bytes each; the first one signs."""

    caller_signing_keys: Key = Key()


@settings_class
class VerifyingSettings:
    """The public parts of the gateway's keys, as `k2:base64,k1:base64`: `python -m services.kit.rpc.caller_keys`.

    They must be set in production; without any, signatures are not checked.
    """

    caller_public_keys: Secret = Secret()
    """No secret, but read as one: it may be in a file."""


class Signer:
    """Signs requests; without a key, which only non-production allows, it signs nothing."""

    def __init__(self, keys: str) -> None:
        private = read_keys("CALLER_SIGNING_KEYS", keys, Ed25519PrivateKey.from_private_bytes)
        self._key_id = next(iter(private), "")
        self._key = private.get(self._key_id)

    def headers(self, routing_key: str, call_id: str, reply_to: str, body: bytes) -> dict[str, str]:
        """The header with the signature of a request."""
        if self._key is None:
            return {}
        signature = self._key.sign(_signed(routing_key, call_id, reply_to, body))
        return {SIGNATURE: f"{self._key_id}.{base64.b64encode(signature).decode()}"}


class Verifier:
    """Verifies signatures by the public key whose id they name."""

    def __init__(self, keys: str) -> None:
        self._keys: Mapping[str, Ed25519PublicKey] = read_keys(
            "CALLER_PUBLIC_KEYS", keys, Ed25519PublicKey.from_public_bytes
        )
        self._seen: dict[str, float] = {}

    def refusal(self, message: Delivery, request: Request, *, accepts_former: bool) -> str | None:
        """Why a request is not accepted as the gateway's; None where it is.

        With `accepts_former`, unsigned requests are accepted, as the previous release sends them.
        """
        said = (message.headers or {}).get(SIGNATURE)
        if not self._keys or (said is None and accepts_former):
            return None
        if not isinstance(said, str) or not self._is_signed(message, said):
            return "not signed by the gateway"
        if not request.deadline <= time.time() + LONGEST_SECONDS:
            return "signed for longer than anybody waits"
        return None

    def is_repeated(self, message: Delivery, request: Request) -> bool:
        """Whether this process has received the call before, and the broker does not mark it as redelivered."""
        call_id = str(message.properties.get("correlation_id"))
        if not self._keys or message.delivery_info["redelivered"]:
            return False
        if call_id in self._seen:
            return True
        self._seen[call_id] = request.deadline
        self._forget_old()
        return False

    def _is_signed(self, message: Delivery, said: str) -> bool:
        key_id, _, encoded = said.partition(".")
        key = self._keys.get(key_id)
        try:
            if key is None:
                return False
            call_id, reply_to = (str(message.properties.get(name) or "") for name in ("correlation_id", "reply_to"))
            signed = _signed(message.delivery_info["routing_key"], call_id, reply_to, message.body)
            key.verify(base64.b64decode(encoded, validate=True), signed)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _forget_old(self) -> None:
        """Forgets calls whose deadlines have passed, oldest first; a later deadline delays those behind it."""
        now = time.time()
        while self._seen:
            oldest = next(iter(self._seen))
            if self._seen[oldest] + _GRACE > now:
                return
            del self._seen[oldest]


@cache
def signer() -> Signer:
    """The process's signer, by CALLER_SIGNING_KEYS; raises SettingsError, in production also where there is no key."""
    keys = read_settings(SigningSettings).caller_signing_keys
    if not keys and is_production():
        raise SettingsError("Settings in the environment: CALLER_SIGNING_KEYS is not set.")
    return Signer(keys)


@cache
def verifier() -> Verifier:
    """The process's verifier, by CALLER_PUBLIC_KEYS; raises SettingsError, in production also where there is none."""
    keys = read_settings(VerifyingSettings).caller_public_keys
    if is_production() and (not keys or any(key_id.startswith(DEMO_ID) for key_id in key_ids(keys))):
        raise SettingsError("Settings in the environment: CALLER_PUBLIC_KEYS is not set, or holds a key of the demo.")
    return Verifier(keys)


def public_keys(signing_keys: str) -> str:
    """The public parts of signing keys, in the same form."""
    private = read_keys("CALLER_SIGNING_KEYS", signing_keys, Ed25519PrivateKey.from_private_bytes)
    return write_keys({key_id: key.public_key().public_bytes_raw() for key_id, key in private.items()})


def _signed(routing_key: str, call_id: str, reply_to: str, body: bytes) -> bytes:
    digest = hashlib.sha256(body).digest()
    return b"\0".join([_CONTEXT, routing_key.encode(), call_id.encode(), reply_to.encode(), digest])


_GRACE = 10.0
"""Seconds for which a call is remembered after its deadline."""
