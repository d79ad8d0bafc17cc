"""Finds, shows, replays and discards dead letters, and rejected messages of outside parties, by AMQP only."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import structlog
from marshmallow import Schema, fields

from services.kit.amqp.connection import OutgoingMessage, user_of
from services.kit.amqp.original_publisher import publisher_headers
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import own_exchange, owner_of
from services.kit.amqp.transport import Delivery
from services.kit.dead_letters.exclusive_reader import BrokerAway, InUse, exclusive_reader
from services.kit.dead_letters.masked_numbers import without_numbers
from services.kit.dead_letters.order import oldest_first
from services.kit.dead_letters.replays import LONGEST_REASON, Replay, replayed_properties, replays_of
from services.kit.events.contract import EncryptedField
from services.kit.events.failures import (
    ATTEMPTS,
    CAUSE,
    FIRST_FAILED_AT,
    LAST_FAILED_AT,
    ORIGINAL_QUEUE,
    REASON,
    TRACEBACK,
    attempts_of,
)
from services.kit.operations.operators import DeadLetterAnswer, DeadLetterDetailAnswer, ReplayAnswer
from services.kit.system import the_system

__all__ = ["BrokerAway", "DeadLetter", "DeadLetters", "InUse", "content_without_personal_data", "oldest_first"]

log = structlog.get_logger()

_ADDRESSABLE = re.compile(r"[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,200}")
_ENVELOPE = ("id", "source", "type", "subject", "time", "correlationid", "causationid")


@dataclass(frozen=True)
class DeadLetter:
    """A message in a dead-letter queue.

    `attempts` are those since the last replay; `replays` hold the history before each replay.
    """

    queue: str
    id: str
    type: str | None
    cause: str
    reason: str
    attempts: int
    first_failed_at: str | None
    failed_at: str | None
    original_queue: str | None
    headers: dict[str, Any]
    body: bytes
    correlation_id: str | None = None
    replays: tuple[Replay, ...] = ()

    @property
    def all_attempts(self) -> int:
        """The number of attempts in all, with those before replays."""
        return self.attempts + (self.replays[-1].attempts if self.replays else 0)

    @property
    def began_at(self) -> str | None:
        """When it failed for the first time, before any replay."""
        return (self.replays[0].first_failed_at if self.replays else None) or self.first_failed_at or self.failed_at

    @property
    def is_external(self) -> bool:
        """Whether it is a rejected message of an outside party."""
        return any(self.queue == one.rejected for one in the_system().external)

    @property
    def external_id(self) -> str | None:
        """The outside party's id of its rejected message, or of the message that this is a part of."""
        return the_system().dead_letters.external_id(self) if self.is_external else None

    @property
    def record_kind(self) -> str:
        """What the audit log calls such a rejected message."""
        return the_system().dead_letters.record_kind(self)

    @cached_property
    def content(self) -> bytes:
        """The body, decrypted where this process can: an encrypted one only by the service that it is for."""
        return the_system().dead_letters.content(self) if self.is_external else self.body

    def summary(self) -> DeadLetterAnswer:
        """The letter as an operator sees it in a list."""
        return DeadLetterAnswer(
            queue=self.queue,
            id=self.id,
            type=self.type,
            cause=self.cause,
            reason=without_numbers(self.reason),
            first_failed_at=self.began_at,
            failed_at=self.failed_at,
            attempts=self.all_attempts,
            replays=self.replays[-1].number if self.replays else 0,
            correlation_id=self.correlation_id,
            size=len(self.body),
            **vars(the_system().dead_letters.describe(self)),
        )

    def detail(self) -> DeadLetterDetailAnswer:
        """The summary, with where it failed, its replays, and the content that is not personal data."""
        return DeadLetterDetailAnswer(
            **vars(self.summary()),
            original_queue=self.original_queue,
            traceback=_text(self.headers.get(TRACEBACK)),
            content=content_without_personal_data(self),
            history=[
                ReplayAnswer(**{**vars(replay), "reason": without_numbers(replay.reason)}) for replay in self.replays
            ],
        )

    def display_text(self) -> str:
        """The body for display: encrypted values as they are, other long numbers masked."""
        try:
            text = json.dumps(json.loads(self.content), ensure_ascii=False, indent=2)
        except (ValueError, RecursionError):
            kind = "are encrypted" if the_system().dead_letters.is_encrypted(self) else "are no JSON"
            return f"{len(self.body)} bytes that {kind}"
        return without_numbers(text)


class DeadLetters:
    """Works on the broker's dead-letter queues; letters that are only read are returned to their queue.

    A service's letters have one reader at a time, so that each finds all of them. Another one waits up to
    `wait_seconds` and then raises InUse. Each method raises BrokerAway when its connection to the broker ends.
    """

    def __init__(self, amqp_uri: str, publish_seconds: float = 30, wait_seconds: float = 60) -> None:
        self._amqp_uri = amqp_uri
        self._publish_seconds = publish_seconds
        self._wait_seconds = wait_seconds

    def read_all(self, queue: str) -> list[DeadLetter]:
        """All letters of a queue, the oldest failure first; raises LookupError where there is no such queue."""
        with exclusive_reader(self._amqp_uri, self._wait_seconds) as reader, reader.hold(queue) as messages:
            return sorted(
                (_letter(queue, message) for message in messages), key=lambda letter: oldest_first(vars(letter))
            )

    def iterate(self, queues: Iterable[str]) -> Iterator[DeadLetter]:
        """All letters of these queues one by one, in no order: for more than memory holds.

        Queues that do not exist yet are skipped. Nobody else can read while the caller iterates.
        """
        with exclusive_reader(self._amqp_uri, self._wait_seconds) as reader:
            for queue, size in reader.sizes(queues).items():
                if not size:
                    continue
                with reader.hold(queue) as messages:
                    for message in messages:
                        yield _letter(queue, message)

    def peek(self, queue: str) -> DeadLetter | None:
        """The first message of any queue, a working or a dead-letter one; it is returned to the queue at once."""
        with exclusive_reader(self._amqp_uri, self._wait_seconds) as reader:
            message = reader.peek(queue)
        return None if message is None else _letter(queue, message)

    def replay(self, queue: str, predicate: Callable[[DeadLetter], bool], by: str = "") -> list[str]:
        """Sends the letters that fulfil the predicate back to their original queues; returns their ids.

        They keep their message ids, so that one which was handled after all is not handled twice; their history, to
        which `by` whom they were replayed is added; and their publisher, so that a forged one is refused again. Each is
        removed here only when the broker has confirmed it there.
        """
        publisher = ConfirmedPublisher(self._amqp_uri, "dead letters replay", self._publish_seconds)
        replayed = []
        try:
            with exclusive_reader(self._amqp_uri, self._wait_seconds) as reader, reader.hold(queue) as messages:
                for message in messages:
                    letter = _letter(queue, message)
                    if not predicate(letter):
                        continue
                    if letter.original_queue is None:
                        log.error("replay_impossible", queue=queue, message_id=letter.id, reason="origin unknown")
                        continue
                    own = own_exchange(owner_of(letter.original_queue))
                    whose = publisher_headers(message, user_of(self._amqp_uri), letter.original_queue)
                    properties = replayed_properties(message, letter.replays, _this_replay(letter, by), whose)
                    back = OutgoingMessage(own, letter.original_queue, letter.body, properties)
                    if refused := publisher.publish([back]):
                        log.error("replay_refused", queue=queue, message_id=letter.id, reason=refused[0])
                        continue
                    messages.remove(message)
                    replayed.append(letter.id)
                    log.info("replayed", queue=queue, to=letter.original_queue, message_id=letter.id, by=by)
        finally:
            publisher.drop()
        return replayed

    def discard(self, queue: str, predicate: Callable[[DeadLetter], bool], reason: str) -> list[DeadLetter]:
        """Deletes the letters that fulfil the predicate and logs the reason; returns them."""
        discarded = []
        with exclusive_reader(self._amqp_uri, self._wait_seconds) as reader, reader.hold(queue) as messages:
            for message in messages:
                letter = _letter(queue, message)
                if predicate(letter):
                    log.warning(
                        "discarded", queue=queue, message_id=letter.id, type=letter.type, cause=letter.cause, why=reason
                    )
                    messages.remove(message)
                    discarded.append(letter)
        return discarded


def content_without_personal_data(letter: DeadLetter) -> dict[str, Any]:
    """A letter's content without personal data: an event's unencrypted fields, an external message's ids, as JSON.

    It is empty for a body that is neither.
    """
    try:
        document = json.loads(letter.content)
        if letter.is_external:
            return the_system().dead_letters.unencrypted_fields(letter)
        contract = the_system().events[document["type"]]
        envelope = {name: _shown(document[name]) for name in _ENVELOPE if isinstance(document.get(name), str)}
        return {**envelope, "data": _open_fields(contract.schema(), document["data"])}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}


def _open_fields(schema: Schema, values: Any) -> dict[str, Any]:
    """The values of the fields that the schema knows and does not encrypt."""
    found = {}
    for name, field in schema.fields.items():
        if isinstance(field, EncryptedField) or name not in values:
            continue
        inner, value = getattr(field, "inner", field), values[name]
        if isinstance(inner, fields.Nested):
            parts = [_open_fields(inner.schema, part) for part in (value if isinstance(value, list) else [value])]
            found[name] = parts if isinstance(value, list) else parts[0]
        else:
            found[name] = _shown(value)
    return found


def _shown(value: Any) -> Any:
    return json.loads(without_numbers(json.dumps(value, ensure_ascii=False)))


def _first_death(headers: dict[str, Any]) -> dict[str, Any]:
    deaths = headers.get("x-death")
    first = deaths[0] if isinstance(deaths, list) and deaths else {}
    return first if isinstance(first, dict) else {}


def _text(value: Any) -> str | None:
    """A header if it is text, else None: a message that the broker moved has whatever headers its sender set."""
    return value if isinstance(value, str) else None


def _id(message_id: Any, body: bytes) -> str:
    """The sender's message id if it can stand in a URL, else a hash; the gateway refuses slashes however encoded."""
    if isinstance(message_id, str) and _ADDRESSABLE.fullmatch(message_id) and message_id not in {".", ".."}:
        return message_id
    whole = message_id.encode("utf-8", "surrogatepass") if isinstance(message_id, str) and message_id else body
    return f"sha256-{hashlib.sha256(whole).hexdigest()[:16]}"


def _moment(value: Any) -> str | None:
    """A header's time in ISO 8601 and UTC, so that all can be sorted; None for anything else."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC)).astimezone(UTC).isoformat()


def _this_replay(letter: DeadLetter, by: str) -> Replay:
    return Replay(
        number=letter.replays[-1].number + 1 if letter.replays else 1,
        attempts=letter.all_attempts,
        first_failed_at=letter.first_failed_at,
        failed_at=letter.failed_at,
        cause=letter.cause[:LONGEST_REASON],
        reason=letter.reason[:LONGEST_REASON],
        replayed_at=datetime.now(UTC).isoformat(),
        replayed_by=by[:LONGEST_REASON],
    )


def _letter(queue: str, message: Delivery) -> DeadLetter:
    headers = message.headers or {}
    body = message.body
    by_broker = _first_death(headers)
    failed_at = _moment(headers.get(LAST_FAILED_AT)) or _moment(by_broker.get("time"))
    return DeadLetter(
        queue=queue,
        id=_id(message.properties.get("message_id"), body),
        type=message.properties.get("type"),
        cause=_text(headers.get(CAUSE)) or f"broker: {by_broker.get('reason', 'unknown')}",
        reason=_text(headers.get(REASON)) or "",
        attempts=attempts_of(headers) or attempts_of({ATTEMPTS: by_broker.get("count", 0)}),
        first_failed_at=_moment(headers.get(FIRST_FAILED_AT)) or failed_at,
        failed_at=failed_at,
        original_queue=_text(headers.get(ORIGINAL_QUEUE)) or _text(headers.get("x-first-death-queue")),
        headers=headers,
        body=body,
        correlation_id=message.properties.get("correlation_id"),
        replays=replays_of(headers),
    )
