"""Dead letters of all services and rejected messages of the bank: found, shown, replayed, discarded; by AMQP only."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import amqp
import structlog
from amqp.basic_message import Message as AmqpMessage

from services.common.contracts import bank
from services.common.contracts.all_events import EVENTS
from services.common.messaging.connection import Outgoing, open_connection, to_bytes
from services.common.messaging.failures import (
    ATTEMPTS,
    CAUSE,
    LAST_FAILED_AT,
    ORIGINAL_QUEUE,
    REASON,
    without_history,
)
from services.common.messaging.publishing import ConfirmedPublisher
from services.common.messaging.queues import dead_queue, queue_name

log = structlog.get_logger()

_SECONDS_TO_RETURN = 2.0
_LONG_NUMBER = re.compile(r"(?<![\w.])(\d{2})\d{5,}(\w{2})(?![\w.])")


@dataclass(frozen=True)
class DeadLetter:
    """A message that lies in a queue of dead letters."""

    queue: str
    id: str
    type: str | None
    cause: str
    reason: str
    attempts: int
    failed_at: str | None
    original_queue: str | None
    headers: dict[str, Any]
    body: bytes

    def shown(self) -> str:
        """The body for a person's eye: sealed values as they are, other long numbers masked."""
        try:
            text = json.dumps(json.loads(self.body), ensure_ascii=False, indent=2)
        except ValueError:
            return f"{len(self.body)} bytes that are no JSON"
        return _LONG_NUMBER.sub(r"\1***\2", text)


class DeadLetters:
    """Works on the broker's queues of dead letters; what is looked at is returned as it lay."""

    def __init__(self, amqp_uri: str, publish_seconds: float = 30) -> None:
        self._amqp_uri = amqp_uri
        self._publish_seconds = publish_seconds

    def queues(self) -> dict[str, int]:
        """The queues that hold dead letters, and how many."""
        connection = open_connection(self._amqp_uri, "dead letters")
        try:
            sizes = {name: _size(connection, name) for name in _known_queues()}
        finally:
            connection.close()
        return {name: size for name, size in sizes.items() if size}

    def letters(self, queue: str, limit: int | None = None) -> list[DeadLetter]:
        """What lies in a queue, oldest first; raises LookupError where there is no such queue."""
        with self._taken(queue, limit) as messages:
            return [_letter(queue, message) for message in messages]

    def replay(self, queue: str, wanted: Callable[[DeadLetter], bool]) -> list[str]:
        """Sends the wanted messages back to the queues that they came from; answers their ids.

        They keep their message ids, so that one which was handled after all is not handled twice. Each is taken away
        here only when the broker has confirmed it there.
        """
        publisher = ConfirmedPublisher(self._amqp_uri, "dead letters replay", self._publish_seconds)
        replayed = []
        try:
            with self._taken(queue) as messages:
                for message in messages:
                    letter = _letter(queue, message)
                    if not wanted(letter):
                        continue
                    if letter.original_queue is None:
                        log.error("replay_impossible", queue=queue, message_id=letter.id, reason="origin unknown")
                        continue
                    back = Outgoing("", letter.original_queue, letter.body, without_history(message))
                    if refused := publisher.publish([back]):
                        log.error("replay_refused", queue=queue, message_id=letter.id, reason=refused[0])
                        continue
                    messages.remove(message)
                    replayed.append(letter.id)
                    log.info("replayed", queue=queue, to=letter.original_queue, message_id=letter.id)
        finally:
            publisher.drop()
        return replayed

    def discard(self, queue: str, wanted: Callable[[DeadLetter], bool], reason: str) -> list[str]:
        """Takes the wanted messages away for good, which is logged with the reason; answers their ids."""
        discarded = []
        with self._taken(queue) as messages:
            for message in messages:
                letter = _letter(queue, message)
                if wanted(letter):
                    log.warning(
                        "discarded", queue=queue, message_id=letter.id, type=letter.type, cause=letter.cause, why=reason
                    )
                    messages.remove(message)
                    discarded.append(letter.id)
        return discarded

    @contextmanager
    def _taken(self, queue: str, limit: int | None = None) -> Iterator["_Taken"]:
        """The messages that lie in a queue now; those that are not removed are back in their places at the end."""
        connection = open_connection(self._amqp_uri, "dead letters")
        try:
            size = _size(connection, queue)
            if size is None:
                raise LookupError(f"There is no queue {queue}.")
            channel = connection.channel()
            channel.auto_decode = False
            taken = _Taken(channel, queue, size if limit is None else min(size, limit))
            yield taken
            channel.close()
            taken.wait_for_return(connection, size)
        finally:
            connection.close()


class _Taken:
    """Messages got from a queue one by one, unacked until they are removed."""

    def __init__(self, channel: amqp.Channel, queue: str, count: int) -> None:
        self._channel = channel
        self._queue = queue
        self._count = count
        self._removed = 0

    def __iter__(self) -> Iterator[AmqpMessage]:
        for _ in range(self._count):
            message = self._channel.basic_get(self._queue)
            if message is None:
                return
            yield message

    def remove(self, message: AmqpMessage) -> None:
        """Takes a message away for good."""
        self._channel.basic_ack(message.delivery_tag)
        self._removed += 1

    def wait_for_return(self, connection: amqp.Connection, size: int) -> None:
        """The broker puts messages back a moment after the channel has closed; the next command is to find them."""
        deadline = time.monotonic() + _SECONDS_TO_RETURN
        while (_size(connection, self._queue) or 0) < size - self._removed and time.monotonic() < deadline:
            time.sleep(0.02)


def _known_queues() -> list[str]:
    subscriptions = [queue_name(consumer, event.name) for event in EVENTS.values() for consumer in event.consumers]
    return [*map(dead_queue, subscriptions), bank.REJECTED_QUEUE]


def _size(connection: amqp.Connection, queue: str) -> int | None:
    try:
        with connection.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).message_count)
    except amqp.NotFound:
        return None


def _letter(queue: str, message: AmqpMessage) -> DeadLetter:
    headers = message.headers or {}
    body = to_bytes(message.body)
    by_broker = (headers.get("x-death") or [{}])[0]
    return DeadLetter(
        queue=queue,
        id=message.properties.get("message_id") or f"sha256-{hashlib.sha256(body).hexdigest()[:16]}",
        type=message.properties.get("type"),
        cause=headers.get(CAUSE) or f"broker: {by_broker.get('reason', 'unknown')}",
        reason=headers.get(REASON, ""),
        attempts=int(headers.get(ATTEMPTS) or by_broker.get("count", 0)),
        failed_at=headers.get(LAST_FAILED_AT) or (str(by_broker["time"]) if "time" in by_broker else None),
        original_queue=headers.get(ORIGINAL_QUEUE) or headers.get("x-first-death-queue"),
        headers=headers,
        body=body,
    )
