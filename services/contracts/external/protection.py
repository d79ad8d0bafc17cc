"""How messages with outside parties are protected: each body is a compact JWE (RFC 7516) for its reader's key, signed.

The protected header names the algorithms, the reader's key (`kid`) and the message (`typ`). For an EC or X25519 key the
content key is agreed by ECDH-ES+A256KW, for an RSA key it is encrypted by RSA-OAEP-256; the content is encrypted by
A256GCM. Only the signature of a body proves its sender: anybody who knows a public key can encrypt for it. It is the
hex HMAC-SHA256 of the body's bytes, as they are sent, under the key shared with the outside party.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from functools import cache
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import ECKey, OKPKey, RSAKey

from services.kit.settings import SettingsError
from services.kit.strict_json import read_json

SIGNATURE_HEADER = "x-signature"
CONTENT_TYPE = "application/jose"
"""The content type of an encrypted body; a clear one has `application/json`."""
SMALLEST_RSA = 2048
_CONTENT_ALGORITHM = "A256GCM"
_KEY_ALGORITHMS = {"EC": "ECDH-ES+A256KW", "OKP": "ECDH-ES+A256KW", "RSA": "RSA-OAEP-256"}
_AGREEMENT_CURVES = ("P-256", "P-384", "P-521", "X25519", "X448")

PublicOrPrivate = ECKey | OKPKey | RSAKey


class CannotDecrypt(Exception):
    """The body was encrypted for another key, by another algorithm or as another message, or was changed in transit."""


class AnotherMessage(CannotDecrypt):
    """The body was encrypted as another message, so that somebody else sent it again under this name."""


class _Registry(JWERegistry):
    """Allows only our algorithms, no compression, which can exhaust memory, and texts beyond the library's limit."""

    max_ciphertext_length = 16 << 20


_REGISTRY = _Registry(algorithms=[*set(_KEY_ALGORITHMS.values()), _CONTENT_ALGORITHM], strict_check_header=False)


def read_keys(text: str, *, private: bool) -> list[PublicOrPrivate]:
    """The keys of a JWK Set (RFC 7517), or of one JWK; none for an empty text.

    Raises ValueError, without values, for any other text, and for a key that has no unique `kid`, cannot agree on or
    encrypt keys, is too short, or lacks a needed private part.
    """
    if not text.strip():
        return []
    document = read_json(text.encode())
    if not isinstance(document, dict):
        raise ValueError("This is no JWK Set.")
    keys = [_read_key(one, private) for one in document.get("keys", [document])]
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("Two keys have one kid.")
    return keys


@cache
def keys_of_setting(text: str, variable: str, private: bool) -> Sequence[PublicOrPrivate]:
    """As `read_keys`, for the value of a setting; raises SettingsError."""
    try:
        return read_keys(text, private=private)
    except ValueError as error:
        raise SettingsError(f"{variable} cannot be read: {error}") from None


def encrypt(body: bytes, message: str, key: PublicOrPrivate) -> bytes:
    """The body of a message, encrypted for the holder of a key."""
    protected = {
        "alg": _KEY_ALGORITHMS[key.key_type],
        "enc": _CONTENT_ALGORITHM,
        "kid": key.kid,
        "typ": message,
        "cty": "json",
    }
    return jwe.encrypt_compact(protected, body, key, registry=_REGISTRY).encode()


def decrypt(body: bytes, message: str, keys: Sequence[PublicOrPrivate]) -> bytes:
    """The body of this message that `encrypt` encrypted for one of the keys. Raises CannotDecrypt, without values."""
    header = _header(body)
    key = next((one for one in keys if one.kid == header.get("kid")), None)
    if header.get("typ") != message:
        raise AnotherMessage("It was encrypted as another message.")
    if key is None:
        raise CannotDecrypt("It was encrypted for another key.")
    if header.get("alg") != _KEY_ALGORITHMS[key.key_type] or header.get("enc") != _CONTENT_ALGORITHM:
        raise CannotDecrypt("It was encrypted by another algorithm.")
    try:
        plain = jwe.decrypt_compact(body, key, registry=_REGISTRY).plaintext
    except Exception as error:  # both libraries raise many kinds for bodies of outsiders
        raise CannotDecrypt("It was changed, or is no JWE.") from error
    if plain is None:
        raise CannotDecrypt("It holds nothing.")
    return plain


def is_encrypted(body: bytes) -> bool:
    """Whether a body is a compact JWE, which has five parts; a JSON object begins with a brace."""
    return body.count(b".") == 4 and not body.lstrip().startswith(b"{")


def sign(body: bytes, key: bytes) -> str:
    """The signature of a body."""
    return hmac.digest(key, body, hashlib.sha256).hex()


def is_signed(body: bytes, signature: object, keys: Sequence[bytes]) -> bool:
    """Whether the signature, in upper or lower case, is the body's under one of the keys; compares in constant time."""
    given = signature.lower().encode("utf-8", "replace") if isinstance(signature, str) else b""
    return any(hmac.compare_digest(sign(body, key).encode(), given) for key in keys)


def _read_key(document: Any, private: bool) -> PublicOrPrivate:
    if not isinstance(document, dict) or not isinstance(document.get("kid"), str) or not document["kid"]:
        raise ValueError("A key has no kid.")
    kinds: dict[Any, type[PublicOrPrivate]] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}
    kind = kinds.get(document.get("kty"))
    if kind is None or document.get("use", "enc") != "enc":
        raise ValueError("A key is not for encryption: EC, OKP or RSA with the use enc are.")
    try:
        key = kind.import_key(document)
        size = key.public_key.key_size if isinstance(key, RSAKey) else SMALLEST_RSA
    except (JoseError, ValueError, TypeError, LookupError) as error:
        raise ValueError("A key cannot be read.") from error
    if size < SMALLEST_RSA or (kind is not RSAKey and document.get("crv") not in _AGREEMENT_CURVES):
        raise ValueError(f"A key is too short or of another curve: {', '.join(_AGREEMENT_CURVES)} are taken.")
    if private and not key.is_private:
        raise ValueError("A key lacks its private part.")
    return key


def _header(body: bytes) -> dict[str, Any]:
    """The protected header; raises ValueError for duplicate names, as in all JSON."""
    first = body.partition(b".")[0]
    try:
        header = read_json(base64.urlsafe_b64decode(first + b"=" * (-len(first) % 4)))
    except (binascii.Error, ValueError) as error:
        raise CannotDecrypt("It is no JWE.") from error
    if not isinstance(header, dict):
        raise CannotDecrypt("It is no JWE.")
    return header
