"""Secrets as values: they do not show themselves, and say what makes them unfit for production."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from services.kit.strict_json import read_json

DEMO_MARK = "demodemo"
"""Begins each secret that is made for the demo; letters of base64, so that a key can begin with it too."""

SHORTEST_KEY = 32


class Secret(str):
    """Text that hides when it is shown by `repr`, as dataclasses and tracebacks do: passwords, addresses with one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Key(Secret):
    """Key material of 32 bytes or more, plain or in base64; several are written `id:key,id:key`, or one a line."""

    __slots__ = ()


class KeySet(Secret):
    """Keys as a JWK Set in JSON (RFC 7517), private or public ones."""

    __slots__ = ()


def flaws(secrets: Iterable[tuple[str, Secret]]) -> list[str]:
    """What makes these secrets, given with their variables, unfit for production: made for the demo, too short, or
    used for two purposes.
    """
    found: dict[str, None] = {}
    purposes: dict[bytes, str] = {}
    for variable, secret in secrets:
        for part in _parts(secret):
            if part.startswith(DEMO_MARK):
                found[f"{variable} is a secret of the demo"] = None
            elif isinstance(secret, Key) and len(_key_bytes(part)) < SHORTEST_KEY:
                found[f"{variable} is shorter than {SHORTEST_KEY} bytes"] = None
            other = purposes.setdefault(hashlib.sha256(part.encode()).digest(), variable)
            if other != variable:
                found[f"{variable} is the same secret as {other}"] = None
    return list(found)


def _parts(secret: Secret) -> list[str]:
    """The secrets proper: the password of an address, the keys of a list."""
    if isinstance(secret, KeySet):
        return _keys_of_set(secret)
    if isinstance(secret, Key):
        parts = (part.strip() for part in secret.replace("\n", ",").split(","))
        return [part.rpartition(":")[2] for part in parts if part]
    if "://" in secret:
        password = urlsplit(secret).password
        return [unquote(password)] if password else []
    return [str(secret)]


def _keys_of_set(keys: KeySet) -> list[str]:
    """Each key by its id and what it consists of; none where it is no set, which its reader says."""
    try:
        document = read_json(keys.encode())
        listed = document.get("keys", [document])
        return [f"{one['kid']}:{one.get('d') or one.get('x') or one.get('n')}" for one in listed]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _key_bytes(text: str) -> bytes:
    """What a key written in base64 stands for; of another its own bytes."""
    standard = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()
