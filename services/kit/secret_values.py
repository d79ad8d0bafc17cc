"""Secret values: types that hide in `repr`, and checks of their fitness for production."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from services.kit.broker_hosts import InvalidAddress, broker_hosts
from services.kit.strict_json import read_json

DEMO_MARK = "demodemo"
"""The prefix of all demo secrets; it is valid base64, so that keys can begin with it too."""

SHORTEST_KEY = 32


class Secret(str):
    """A text that `repr` hides, as in dataclasses and tracebacks: a password, or an address with one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Key(Secret):
    """Key material of 32 bytes or more, plain or in base64; several are written `id:key,id:key`, or one a line."""

    __slots__ = ()


class KeySet(Secret):
    """Keys as a JWK Set in JSON (RFC 7517), private or public ones."""

    __slots__ = ()


def weaknesses(secrets: Iterable[tuple[str, Secret]]) -> list[str]:
    """Why these secrets, listed with their variables, are unfit for production: made for the demo, too short, or used
    for two purposes. A password is for one purpose in all addresses of its user: a pooler's and the database's own.
    """
    found: dict[str, None] = {}
    variables: dict[str, str] = {}
    purposes: dict[bytes, str] = {}
    for variable, secret in secrets:
        purpose = _account(secret) or variable
        variables.setdefault(purpose, variable)
        for part in _parts(secret):
            if part.startswith(DEMO_MARK):
                found[f"{variable} is a secret of the demo"] = None
            elif isinstance(secret, Key) and len(_key_bytes(part)) < SHORTEST_KEY:
                found[f"{variable} is shorter than {SHORTEST_KEY} bytes"] = None
            other = purposes.setdefault(hashlib.sha256(part.encode()).digest(), purpose)
            if other != purpose:
                found[f"{variable} is the same secret as {variables[other]}"] = None
    return list(found)


def _parts(secret: Secret) -> list[str]:
    """The secrets within a value: the password of an address, the keys of a list."""
    if isinstance(secret, KeySet):
        return _keys_of_set(secret)
    if isinstance(secret, Key):
        parts = (part.strip() for part in secret.replace("\n", ",").split(","))
        return [part.rpartition(":")[2] for part in parts if part]
    if secret.startswith("amqp"):
        return _broker_passwords(secret)
    if (address := _address(secret)) is not None:
        password = unquote(address.password or "") or _in_query(address, "password")
        return [password] if password else []
    return [str(secret)]


def _account(secret: Secret) -> str | None:
    """The kind and user of an address with a password; None for another secret."""
    address = None if isinstance(secret, (Key, KeySet)) else _address(secret)
    user = address and (unquote(address.username or "") or _in_query(address, "user"))
    return f"{address.scheme.partition('+')[0]} {user}" if address and user else None


def _address(secret: Secret) -> SplitResult | None:
    if "://" not in secret:
        return None
    try:
        return urlsplit(secret)
    except ValueError:  # it is no address, which its reader says
        return None


def _in_query(address: SplitResult, name: str) -> str:
    """What a database's address may say after its question mark."""
    return parse_qs(address.query).get(name, [""])[-1] if address.scheme.startswith("postgres") else ""


def _broker_passwords(secret: Secret) -> list[str]:
    """The passwords in a broker address; empty for an invalid one, which its reader reports."""
    try:
        return [one.password for one in broker_hosts(secret)]
    except InvalidAddress:
        return []


def _keys_of_set(keys: KeySet) -> list[str]:
    """The id and material of each key of a set; empty for an invalid set, which its reader reports."""
    try:
        document = read_json(keys.encode())
        listed = document.get("keys", [document])
        return [f"{one['kid']}:{one.get('d') or one.get('x') or one.get('n')}" for one in listed]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _key_bytes(text: str) -> bytes:
    """The bytes of a key: decoded where it is base64, else those of its text."""
    standard = text.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()
