"""Who had published a message that a service has moved: kept in a header, with a proof that its programs wrote it.

Whoever has the service's broker password can publish to its queues too. The proof is made by a key that its programs
hold and the broker does not: HMAC-SHA-256 over the queue, the message's id, who published it, and its content.
"""

import hashlib
import hmac
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.kit.amqp.queues import owner_of
from services.kit.amqp.transport import Delivery
from services.kit.secret_values import Key
from services.kit.settings import read_settings, settings_class

PUBLISHER = "x-publisher"
"""The header in which a service that moves a message keeps who had published it; empty where that was not known."""
PROOF = "x-publisher-proof"

_KEY_FOR = b"union card services, who published a moved message 1\0"


@settings_class
class MovingSettings:
    """What the key of proofs is derived from, for each service another; without it nothing is proved."""

    blind_index_key: Key = Key()


@dataclass(frozen=True)
class Publisher:
    """The user who first published a message; None where the broker named nobody."""

    user: str | None
    is_proved: bool = True
    """By the broker's word, or by the proof of who moved it."""


def publisher_of(message: Delivery, own: str, queue: str) -> Publisher:
    """Who first published a message that came for this queue, which belongs to `own`.

    What `own` has published with the header it has moved, and what others write there says nothing.
    """
    user: str | None = message.properties.get("user_id")
    headers = message.headers or {}
    if user != own or PUBLISHER not in headers:
        return Publisher(user)
    kept = headers[PUBLISHER] if isinstance(headers[PUBLISHER], str) else ""
    said, expected = str(headers.get(PROOF)), _proof(message, kept, queue)
    is_proved = expected is not None and hmac.compare_digest(said.encode(), expected.encode())
    return Publisher(kept or None, is_proved)


def kept_publisher(message: Delivery, own: str, queue: str) -> dict[str, str]:
    """The headers that keep who published a message of this queue when `own` moves it.

    What was not proved before is not proved by this.
    """
    publisher = publisher_of(message, own, queue)
    kept = publisher.user or ""
    proof = _proof(message, kept, queue) if publisher.is_proved else None
    return {PUBLISHER: kept, **({PROOF: proof} if proof else {})}


def can_prove(queue: str) -> bool:
    """Whether this process holds the key by which moves of this queue's messages are proved."""
    return _key(owner_of(queue)) is not None


def _proof(message: Delivery, publisher: str, queue: str) -> str | None:
    key = _key(owner_of(queue))
    if key is None:
        return None
    message_id = str(message.properties.get("message_id") or "")
    parts = [part.encode("utf-8", "surrogatepass") for part in (queue, message_id, publisher)]
    parts.append(message.body)
    return hmac.digest(key, b"".join(hashlib.sha256(part).digest() for part in parts), hashlib.sha256).hex()


@cache
def _key(service: str) -> bytes | None:
    secret = read_settings(MovingSettings).blind_index_key
    if not secret:
        return None
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_FOR + service.encode()).derive(secret.encode())
