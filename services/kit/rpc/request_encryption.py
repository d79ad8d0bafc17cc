"""Encryption of requests for the service that is called, and of its answers for the process that waits for them.

A request is encrypted by HPKE (RFC 9180: X25519, HKDF-SHA256, AES-256-GCM) for the service's public key, and bound to
its operation and call. It brings a key of its own, made at random, that encrypts its answer. So requests and answers
that a broker keeps on its disk can be read neither with the gateway's keys nor with those of another service. Only the
gateway's signature proves who sent a request: anybody who knows a public key can encrypt for it.
"""

import os
from collections.abc import Mapping
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from services.kit.amqp.transport import Delivery
from services.kit.data.encryption import CannotDecrypt, Keyring, encrypted_prefix, is_encrypted
from services.kit.rpc.key_lists import DEMO_ID, key_ids, read_keys, write_keys
from services.kit.secret_values import Key
from services.kit.settings import SettingsError, is_production, read_settings, settings_class

ENCRYPTED_CONTENT = {"content_type": "application/octet-stream", "content_encoding": "binary"}
"""The properties of a message whose body is an encrypted request or answer."""

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_CONTEXT = b"union card services, request 1"
_ANSWER_KEY_BYTES = 32
_PUBLIC_ID = r"[a-z_]+\.[A-Za-z0-9]+"


@settings_class
class RequestEncryptionSettings:
    """The public keys that the gateway encrypts requests with."""

    request_public_keys: Key = Key()
    """The public keys of all services, as `membership.k1:base64,validation.k1:base64`: the first one of a service
    encrypts requests to it. Needed in production. No secret, but read as one: it may be in a file."""


@settings_class
class RequestDecryptionSettings:
    """The private keys by which a service decrypts requests."""

    request_private_keys: Key = Key()
    """The service's own private keys, as `k2:base64,k1:base64` (`python -m services.kit.rpc.request_keys`): requests
    that are encrypted for any of them are read. Needed in production."""


class RequestEncrypter:
    """Encrypts requests for the services whose public keys it has; those to others, only outside of production."""

    def __init__(self, keys: str) -> None:
        self._keys: dict[str, tuple[str, X25519PublicKey]] = {}
        read = read_keys("REQUEST_PUBLIC_KEYS", keys, X25519PublicKey.from_public_bytes, _PUBLIC_ID)
        for name, key in read.items():
            service, _, key_id = name.partition(".")
            self._keys.setdefault(service, (key_id, key))

    def check(self, service: str) -> None:
        """Raises SettingsError in production, where each service that is called must have a key."""
        if is_production() and service not in self._keys:
            raise SettingsError(f"Settings in the environment: REQUEST_PUBLIC_KEYS holds no key of {service}.")

    def encrypt(self, routing_key: str, call_id: str, body: bytes) -> tuple[bytes, Keyring | None]:
        """The encrypted body, and the key of its answer; the body itself and None for a service without a key."""
        service = routing_key.partition(".")[0]
        if service not in self._keys:
            return body, None
        key_id, key = self._keys[service]
        answer_key = os.urandom(_ANSWER_KEY_BYTES)
        encrypted = _SUITE.encrypt(answer_key + body, key, _info(routing_key, call_id))
        return encrypted_prefix(key_id) + encrypted, _answer_keys(answer_key)


class RequestDecrypter:
    """Decrypts requests by the private key that they name."""

    def __init__(self, keys: str) -> None:
        self._keys: Mapping[str, X25519PrivateKey] = read_keys(
            "REQUEST_PRIVATE_KEYS", keys, X25519PrivateKey.from_private_bytes
        )

    def decrypt(self, message: Delivery, *, accepts_clear: bool) -> tuple[bytes, Keyring | None]:
        """The body of a request, and the key for its answer; None for a clear one, which is answered in clear.

        Raises CannotDecrypt, also for a clear request if there are keys; with `accepts_clear`, it is taken as the
        previous release sends it.
        """
        if is_encrypted(message.body):
            return self._decrypt(message)
        if self._keys and not accepts_clear:
            raise CannotDecrypt("not encrypted")
        return message.body, None

    def _decrypt(self, message: Delivery) -> tuple[bytes, Keyring]:
        end = 2 + int.from_bytes(message.body[1:2])
        key = self._keys.get(message.body[2:end].decode(errors="replace"))
        if key is None:
            raise CannotDecrypt("encrypted for a key that this process does not have")
        try:
            info = _info(message.delivery_info["routing_key"], str(message.properties.get("correlation_id")))
            plain = _SUITE.decrypt(message.body[end:], key, info)
        except (InvalidTag, ValueError):  # a ValueError also for names that are no UTF-8
            raise CannotDecrypt("encrypted for another key, operation or call, or changed") from None
        if len(plain) < _ANSWER_KEY_BYTES:
            raise CannotDecrypt("encrypted without a key for its answer")
        return plain[_ANSWER_KEY_BYTES:], _answer_keys(plain[:_ANSWER_KEY_BYTES])


@cache
def request_encrypter() -> RequestEncrypter:
    """The process's encrypter, by REQUEST_PUBLIC_KEYS; raises SettingsError, in production also for a demo's keys."""
    keys = read_settings(RequestEncryptionSettings).request_public_keys
    if is_production() and any(name.partition(".")[2].startswith(DEMO_ID) for name in key_ids(keys)):
        raise SettingsError("Settings in the environment: REQUEST_PUBLIC_KEYS holds a key of the demo.")
    return RequestEncrypter(keys)


@cache
def request_decrypter() -> RequestDecrypter:
    """The process's decrypter, by REQUEST_PRIVATE_KEYS; raises SettingsError, in production also without a key."""
    keys = read_settings(RequestDecryptionSettings).request_private_keys
    if is_production() and not keys:
        raise SettingsError("Settings in the environment: REQUEST_PRIVATE_KEYS is not set.")
    return RequestDecrypter(keys)


def public_keys(service: str, private_keys: str) -> str:
    """The public parts of a service's private keys, as the gateway needs them."""
    private = read_keys("REQUEST_PRIVATE_KEYS", private_keys, X25519PrivateKey.from_private_bytes)
    return write_keys({f"{service}.{key_id}": key.public_key().public_bytes_raw() for key_id, key in private.items()})


def _answer_keys(key: bytes) -> Keyring:
    return Keyring({"answer": key})


def _info(routing_key: str, call_id: str) -> bytes:
    return b"\0".join([_CONTEXT, routing_key.encode(), call_id.encode()])
