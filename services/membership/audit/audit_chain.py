"""The chain of the audit log: each entry has an HMAC of its content and of the hash of the entry before.

Without a key nobody can create or change an entry, or remove one from the middle. The hash covers the decrypted
content, so that encrypting it with another key later changes nothing.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.kit.secret_values import SHORTEST_KEY, Key
from services.kit.settings import SettingsError, settings_class


@settings_class
class AuditSettings:
    """The keys of the audit log, which only membership has."""

    audit_keys: Key


@dataclass(frozen=True)
class Head:
    """The head of the chain: the position and the hash of its last entry."""

    position: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.position}:{self.hash.hex()}"

    @classmethod
    def from_text(cls, text: str) -> "Head":
        """The head written as `position:hash`; raises ValueError."""
        position, _, digest = text.strip().partition(":")
        return cls(int(position), bytes.fromhex(digest))


START = Head(0, bytes(32))
"""The head of an empty chain."""


class BrokenChain(Exception):
    """The chain is broken; the message names the first broken position and the reason."""


class AuditKeys:
    """Keys by id: the first one is for new entries, all of them verify."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    @classmethod
    def from_text(cls, text: str) -> "AuditKeys":
        """Reads keys of the form `k2:base64,k1:base64`, the current one first; each of at least SHORTEST_KEY bytes."""
        keys = {}
        for part in text.split(","):
            key_id, _, encoded = part.strip().partition(":")
            keys[key_id] = _decoded(encoded)
            if not key_id.isalnum() or len(keys[key_id]) < SHORTEST_KEY:
                raise SettingsError("AUDIT_KEYS is not of the form id:base64,id:base64 with keys of 32 bytes or more.")
        return cls(keys)

    def digest(self, key_id: str, before: Head, content: Mapping[str, Any]) -> bytes:
        """The HMAC of the entry that follows `before`; raises KeyError for an unknown key."""
        document = {"position": before.position + 1, "previous_hash": before.hash.hex(), "key_id": key_id, **content}
        if document.get("recorded_at") is None:
            document.pop("recorded_at", None)  # entries in time are hashed as by releases without the column
        return hmac.digest(self._keys[key_id], canonical(document), hashlib.sha256)

    def mac(self, key_id: str, document: Mapping[str, Any]) -> bytes:
        """The HMAC of a statement about the chain, which no entry has; raises KeyError for an unknown key."""
        return hmac.digest(self._keys[key_id], canonical({"statement": document, "key_id": key_id}), hashlib.sha256)


def check_next(keys: AuditKeys, before: Head, position: int, entry: Mapping[str, Any]) -> Head:
    """The head after an entry that follows `before`; raises BrokenChain. `entry` holds its hashes, too."""
    expected = before.position + 1
    if position != expected:
        missing = f"entry {expected} is" if position == expected + 1 else f"entries {expected} to {position - 1} are"
        raise BrokenChain(f"{missing} missing")
    content = {name: value for name, value in entry.items() if name not in ("previous_hash", "key_id", "hash")}
    if entry["previous_hash"] != before.hash:
        raise BrokenChain(
            f"entry {position} does not follow entry {before.position}: it was put there, or one of them changed"
        )
    try:
        digest = keys.digest(entry["key_id"], before, content)
    except KeyError:
        raise BrokenChain(
            f"entry {position} was hashed with the key {entry['key_id']}, which is not in AUDIT_KEYS"
        ) from None
    if not hmac.compare_digest(digest, entry["hash"]):
        raise BrokenChain(f"entry {position} was changed")
    return Head(position, entry["hash"])


def canonical(document: Mapping[str, Any]) -> bytes:
    """The document as JSON that is the same for the same content; times are in UTC."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_as_text)
    return text.encode()


def _as_text(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return b""
