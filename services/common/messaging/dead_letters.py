"""Dead letters of all services and rejected messages of the bank: found, shown, replayed, discarded; by AMQP only."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import amqp
import structlog
from amqp.basic_message import Message as AmqpMessage
from marshmallow import Schema, fields

from services.common.contracts import bank
from services.common.contracts.all_events import EVENTS
from services.common.contracts.event import Sealed
from services.common.messaging.connection import Outgoing, open_connection, to_bytes
from services.common.messaging.failures import (
    ATTEMPTS,
    CAUSE,
    FIRST_FAILED_AT,
    LAST_FAILED_AT,
    ORIGINAL_QUEUE,
    REASON,
    TRACEBACK,
    attempts_of,
    without_history,
)
from services.common.messaging.publishing import ConfirmedPublisher
from services.common.messaging.queues import depth_of, own_exchange, owner_of
from services.common.messaging.topology import dead_queues, depths

log = structlog.get_logger()

_SECONDS_TO_RETURN = 2.0
_ENVELOPE = ("id", "source", "type", "subject", "time", "correlationid", "causationid")
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
    correlation_id: str | None = None

    def summary(self) -> dict[str, Any]:
        """What an operator sees of it in a list."""
        return {
            "queue": self.queue,
            "id": self.id,
            "type": self.type,
            "cause": self.cause,
            "reason": _without_numbers(self.reason),
            "first_failed_at": self.headers.get(FIRST_FAILED_AT) or self.failed_at,
            "failed_at": self.failed_at,
            "attempts": self.attempts,
            "correlation_id": self.correlation_id,
            "size": len(self.body),
        }

    def detail(self) -> dict[str, Any]:
        """The same, where it failed, and what of its content is open."""
        return {
            **self.summary(),
            "original_queue": self.original_queue,
            "traceback": self.headers.get(TRACEBACK),
            "content": open_content(self),
        }

    def shown(self) -> str:
        """The body for a person's eye: sealed values as they are, other long numbers masked."""
        try:
            text = json.dumps(json.loads(self.body), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            return f"{len(self.body)} bytes that are no JSON"
        return _without_numbers(text)


class DeadLetters:
    """Works on the broker's queues of dead letters; what is looked at is returned as it lay."""

    def __init__(self, amqp_uri: str, publish_seconds: float = 30) -> None:
        self._amqp_uri = amqp_uri
        self._publish_seconds = publish_seconds

    def queues(self) -> dict[str, int]:
        """The queues that hold dead letters, and how many."""
        connection = open_connection(self._amqp_uri, "dead letters")
        try:
            sizes = {name: size for name, size, _ in depths(connection, dead_queues())}
        finally:
            connection.close()
        return {name: size for name, size in sizes.items() if size}

    def letters(self, queue: str, limit: int | None = None) -> list[DeadLetter]:
        """What lies in a queue, oldest first; raises LookupError where there is no such queue."""
        return list(self.each(queue, limit))

    def each(self, queue: str, limit: int | None = None) -> Iterator[DeadLetter]:
        """The same one by one, for a queue that may hold more than memory does."""
        with self._taken(queue, limit) as messages:
            for message in messages:
                yield _letter(queue, message)

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
                    own = own_exchange(owner_of(letter.original_queue))
                    back = Outgoing(own, letter.original_queue, letter.body, without_history(message))
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


def open_content(letter: DeadLetter) -> dict[str, Any]:
    """What a letter says but for personal data: of an event what its contract keeps open, of the bank's words the ids.

    Of a body that is neither, nothing.
    """
    try:
        document = json.loads(letter.body)
        if letter.queue == bank.REJECTED_QUEUE:
            return _ids_of_feedback(document)
        contract = EVENTS[document["type"]]
        envelope = {name: _shown(document[name]) for name in _ENVELOPE if isinstance(document.get(name), str)}
        return {**envelope, "data": _open_fields(contract.schema(), document["data"])}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}


def _ids_of_feedback(document: dict[str, Any]) -> dict[str, Any]:
    results = [result for result in document.get("results") or () if isinstance(result, dict)]
    named: dict[str, Any] = {name: str(document[name])[:64] for name in ("feedback_id", "batch_no") if name in document}
    ids = [str(UUID(str(result["application_id"]))) for result in results if result.get("application_id")]
    return {**named, "application_ids": ids}


def _open_fields(schema: Schema, values: Any) -> dict[str, Any]:
    """The fields that the schema knows and does not seal."""
    found = {}
    for name, field in schema.fields.items():
        if isinstance(field, Sealed) or name not in values:
            continue
        inner, value = getattr(field, "inner", field), values[name]
        if isinstance(inner, fields.Nested):
            parts = [_open_fields(inner.schema, part) for part in (value if isinstance(value, list) else [value])]
            found[name] = parts if isinstance(value, list) else parts[0]
        else:
            found[name] = _shown(value)
    return found


def _shown(value: Any) -> Any:
    return json.loads(_without_numbers(json.dumps(value, ensure_ascii=False)))


def _without_numbers(text: str) -> str:
    return _LONG_NUMBER.sub(r"\1***\2", text)


def _first_death(headers: dict[str, Any]) -> dict[str, Any]:
    deaths = headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths else {}
    return first if isinstance(first, dict) else {}


def _text(value: Any) -> str | None:
    """A header where it is text: what the broker moved by itself has the headers that its sender made up."""
    return value if isinstance(value, str) else None


def _size(connection: amqp.Connection, queue: str) -> int | None:
    found = depth_of(connection, queue)
    return None if found is None else found[0]


def _letter(queue: str, message: AmqpMessage) -> DeadLetter:
    headers = message.headers or {}
    body = to_bytes(message.body)
    by_broker = _first_death(headers)
    return DeadLetter(
        queue=queue,
        id=message.properties.get("message_id") or f"sha256-{hashlib.sha256(body).hexdigest()[:16]}",
        type=message.properties.get("type"),
        cause=_text(headers.get(CAUSE)) or f"broker: {by_broker.get('reason', 'unknown')}",
        reason=_text(headers.get(REASON)) or "",
        attempts=attempts_of(headers) or attempts_of({ATTEMPTS: by_broker.get("count", 0)}),
        failed_at=_text(headers.get(LAST_FAILED_AT)) or (str(by_broker["time"]) if "time" in by_broker else None),
        original_queue=_text(headers.get(ORIGINAL_QUEUE)) or _text(headers.get("x-first-death-queue")),
        headers=headers,
        body=body,
        correlation_id=message.properties.get("correlation_id"),
    )
