"""Decides about a message whose handling failed: requeue it, retry it later, or dead-letter it."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import amqp
import requests
from sqlalchemy.exc import DataError, OperationalError

from services.kit.amqp.connection import PERSISTENT
from services.kit.amqp.original_publisher import PROOF, PUBLISHER
from services.kit.amqp.transport import Delivery
from services.kit.data.database import exceeds_limits, is_database_unavailable
from services.kit.operations.logs import class_name, traceback_without_values
from services.kit.settings import MessagingSettings

ATTEMPTS = "x-attempts"
FIRST_FAILED_AT = "x-first-failed-at"
LAST_FAILED_AT = "x-last-failed-at"
CAUSE = "x-cause"
REASON = "x-reason"
TRACEBACK = "x-traceback"
CONSUMER = "x-consumer"
ORIGINAL_QUEUE = "x-original-queue"
REPLAYS = "x-replays"
"""The header with a message's history before each of its replays, as JSON; kept when it fails again."""

_HISTORY = {
    *(ATTEMPTS, FIRST_FAILED_AT, LAST_FAILED_AT, CAUSE, REASON, TRACEBACK, CONSUMER, ORIGINAL_QUEUE),
    *(REPLAYS, PUBLISHER, PROOF),
    *("x-death", "x-delivery-count", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"),
    *("x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"),
}

_COPYING = {"cc", "bcc"}
"""Headers by which the broker would copy a message that we move to further queues."""
_NOT_OURS = ("expiration", "user_id", "cluster_id")
"""Properties that are dropped: only the sender may set them, or they would make a kept message expire."""
_LARGEST_HEADERS = 32_000
_MOST_ATTEMPTS = 1_000_000

_PERMANENT = (DataError, UnicodeError)
"""Errors for values that the database can never hold."""
_TRANSIENT = (requests.ConnectionError, requests.Timeout, amqp.AMQPError, ConnectionError, TimeoutError)
_LONGEST_HEADER = 8000


class Retry(Exception):
    """Raised by a handler for a transient error (the registry is away): the message is tried again, without limit.

    `after` overrides the delay in seconds (the nearest retry queue that waits at least as long is taken);
    `give_up_after` seconds after the first failure it becomes a dead letter. The reason holds no personal data.
    """

    def __init__(self, reason: str, after: float | None = None, give_up_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.give_up_after = give_up_after


class Reject(Exception):
    """Raised by a handler for an invalid message, which is dead-lettered at once. The reason holds no personal data."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Requeue:
    """The message stays unacked and is handled again in a moment: every message lacks what it needs."""


@dataclass(frozen=True)
class RetryLater:
    """The message waits `seconds` in a retry queue."""

    seconds: float


@dataclass(frozen=True)
class MoveToDeadLetters:
    """The message is dead-lettered."""


def decide(
    error: Exception, headers: Mapping[str, Any], held_since: float, settings: MessagingSettings
) -> Requeue | RetryLater | MoveToDeadLetters:
    """Decides what to do with a failed message, by its error and by the attempts that its headers count.

    `held_since` is the monotonic time when this delivery was first handled.
    """
    attempts = attempts_of(headers) + 1
    if isinstance(error, (Reject, *_PERMANENT)):
        return MoveToDeadLetters()
    if is_database_unavailable(error) and time.monotonic() - held_since < settings.hold_seconds:
        return Requeue()
    if isinstance(error, Retry):
        since = _seconds_since(headers.get(FIRST_FAILED_AT))
        if error.give_up_after is not None and since >= error.give_up_after:
            return MoveToDeadLetters()
        return RetryLater(_delay(attempts, error.after, settings.retry_delays))
    if not is_transient(error) and attempts > settings.attempts_of_unknown_errors:
        return MoveToDeadLetters()
    return RetryLater(_delay(attempts, None, settings.retry_delays))


def is_transient(error: Exception) -> bool:
    """Whether the error is transient: a later attempt may succeed without any change."""
    if isinstance(error, OperationalError):
        return not exceeds_limits(error)
    return isinstance(error, (Retry, *_TRANSIENT)) or is_database_unavailable(error)


def attempts_of(headers: Mapping[str, Any]) -> int:
    """How often handling has failed before; the header comes from outside and may hold anything."""
    said = headers.get(ATTEMPTS, 0)
    return min(max(said, 0), _MOST_ATTEMPTS) if isinstance(said, int) else 0


def failed_properties(
    message: Delivery, error: Exception, queue: str, publisher: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The message's properties, with its failure and its earlier history in the headers.

    `publisher` are the headers of `publisher_headers`.
    """
    before = message.headers or {}
    now = datetime.now(UTC).isoformat()
    history = {
        ATTEMPTS: attempts_of(before) + 1,
        FIRST_FAILED_AT: now if _moment(before.get(FIRST_FAILED_AT)) is None else before[FIRST_FAILED_AT],
        LAST_FAILED_AT: now,
        CAUSE: class_name(error),
        REASON: reason_of(error),
        TRACEBACK: traceback_without_values(error)[-_LONGEST_HEADER:],
        CONSUMER: queue.partition(".")[0],
        ORIGINAL_QUEUE: queue,
        **(publisher or {}),
    }
    properties = without_history(message)
    replays = {REPLAYS: before[REPLAYS]} if isinstance(before.get(REPLAYS), str) else {}
    return {**properties, "application_headers": {**properties["application_headers"], **replays, **history}}


def without_history(message: Delivery) -> dict[str, Any]:
    """The sender's properties, made persistent, without our failure headers and the broker's death headers.

    Properties and headers are dropped that would change the message when we publish it; see `_kept`.
    """
    kept = {name: value for name, value in message.properties.items() if name not in _NOT_OURS}
    return {**kept, "delivery_mode": PERSISTENT, "application_headers": _kept(message.headers or {})}


def rejection_headers(reason: str, queue: str) -> dict[str, Any]:
    """The headers of our own message that holds the rejected part of a message; it counts as failed once."""
    now = datetime.now(UTC).isoformat()
    return {
        ATTEMPTS: 1,
        FIRST_FAILED_AT: now,
        LAST_FAILED_AT: now,
        CAUSE: class_name(Reject(reason)),
        REASON: reason,
        ORIGINAL_QUEUE: queue,
    }


def reason_of(error: Exception) -> str:
    """The reason of our own errors; of other errors only the class, for their messages may quote personal data."""
    return shortened(str(getattr(error, "reason", None) or class_name(error)))


def shortened(reason: str) -> str:
    """A reason cut to fit into a header."""
    return reason[:1000]


def _delay(attempts: int, after: float | None, delays: tuple[float, ...]) -> float:
    if after is None:
        return delays[min(attempts, len(delays)) - 1]
    return next((delay for delay in delays if delay >= after), delays[-1])


def _kept(headers: Mapping[Any, Any]) -> dict[str, Any]:
    """Headers that can be stored and published: nested or non-JSON values become text, too many are dropped."""
    kept: dict[str, Any] = {}
    room = _LARGEST_HEADERS
    for name, value in headers.items():
        if not isinstance(name, str) or name in _HISTORY or name.lower() in _COPYING:
            continue
        is_plain = value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
        plain = value if is_plain else str(value)
        room -= len(f"{name}{plain}".encode("utf-8", "surrogatepass"))
        if room < 0:
            break
        kept[name] = plain
    return kept


def _seconds_since(said: Any) -> float:
    moment = _moment(said)
    return 0.0 if moment is None else (datetime.now(UTC) - moment).total_seconds()


def _moment(said: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
