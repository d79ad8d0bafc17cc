"""The original publisher of a message that a service has moved: kept in a header, with proof that the service wrote it.

Anyone with the service's broker password can publish to its queues too. So the proof is made with a key that the
service holds and the broker does not: HMAC-SHA-256 over the queue, the message's id, its publisher, and its content.
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
"""The header in which a service that moves a message keeps its original publisher; empty where that was not known."""
PROOF = "x-publisher-proof"

_KEY_FOR = b"union card services, who published a moved message 1\0"


@settings_class
class PublisherProofSettings:
    """The secret from which each service derives its own key for proofs; without it nothing is proved."""

    blind_index_key: Key = Key()


@dataclass(frozen=True)
class Publisher:
    """The user who first published a message; None where the broker named nobody."""

    user: str | None
    is_proved: bool = True
    """Whether the broker, or the proof of the service that moved the message, vouches for the user."""


def original_publisher(message: Delivery, own: str, queue: str) -> Publisher:
    """The original publisher of a message of this queue, which belongs to the user `own`.

    A message that `own` published with the header is one that it has moved. The header of any other user is ignored.
    """
    user: str | None = message.properties.get("user_id")
    headers = message.headers or {}
    if user != own or PUBLISHER not in headers:
        return Publisher(user)
    kept = headers[PUBLISHER] if isinstance(headers[PUBLISHER], str) else ""
    said, expected = str(headers.get(PROOF)), _proof(message, kept, queue)
    is_proved = expected is not None and hmac.compare_digest(said.encode(), expected.encode())
    return Publisher(kept or None, is_proved)


def publisher_headers(message: Delivery, own: str, queue: str) -> dict[str, str]:
    """The headers that keep the original publisher of a message of this queue when `own` moves it.

    An unproved publisher stays unproved.
    """
    publisher = original_publisher(message, own, queue)
    kept = publisher.user or ""
    proof = _proof(message, kept, queue) if publisher.is_proved else None
    return {PUBLISHER: kept, **({PROOF: proof} if proof else {})}


def can_prove(queue: str) -> bool:
    """Whether this process holds the key that proves moves of this queue's messages."""
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
    secret = read_settings(PublisherProofSettings).blind_index_key
    if not secret:
        return None
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_FOR + service.encode()).derive(secret.encode())
