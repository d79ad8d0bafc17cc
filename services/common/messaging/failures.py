"""What becomes of a message whose handling failed: held back, tried again later, or laid among the dead letters."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import amqp
import requests
from amqp.basic_message import Message as AmqpMessage
from sqlalchemy.exc import OperationalError

from services.common.logs import class_name, traceback_without_values
from services.common.messaging.connection import PERSISTENT
from services.common.persistence import is_database_away
from services.common.settings import MessagingSettings

ATTEMPTS = "x-attempts"
FIRST_FAILED_AT = "x-first-failed-at"
LAST_FAILED_AT = "x-last-failed-at"
CAUSE = "x-cause"
REASON = "x-reason"
TRACEBACK = "x-traceback"
CONSUMER = "x-consumer"
ORIGINAL_QUEUE = "x-original-queue"

_HISTORY = {
    *(ATTEMPTS, FIRST_FAILED_AT, LAST_FAILED_AT, CAUSE, REASON, TRACEBACK, CONSUMER, ORIGINAL_QUEUE),
    *("x-death", "x-delivery-count", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"),
    *("x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"),
}

_PASSING = (OperationalError, requests.ConnectionError, requests.Timeout, amqp.AMQPError, ConnectionError, TimeoutError)
_LONGEST_HEADER = 8000


class Retry(Exception):
    """Raised by a handler for trouble that passes (the registry is away): the message is tried again, without limit.

    `after` overrides the delay in seconds (the nearest retry queue that waits at least as long is taken);
    `give_up_after` seconds after the first failure it becomes a dead letter. The reason holds no personal data.
    """

    def __init__(self, reason: str, after: float | None = None, give_up_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after
        self.give_up_after = give_up_after


class Reject(Exception):
    """Raised by a handler for a message that is wrong in itself: a dead letter at once. The reason as with Retry."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Hold:
    """The message stays unacked and is handled again in a moment: what it needs is away for every message."""


@dataclass(frozen=True)
class Delay:
    """The message waits in the retry queue of `seconds`."""

    seconds: float


@dataclass(frozen=True)
class Bury:
    """The message goes to the dead letters."""


def decide(
    error: Exception, headers: Mapping[str, Any], held_since: float, settings: MessagingSettings
) -> Hold | Delay | Bury:
    """What becomes of a message, by its error and by the attempts that its headers count.

    `held_since` is the monotonic time when this delivery was first handled.
    """
    attempts = int(headers.get(ATTEMPTS, 0)) + 1
    if isinstance(error, Reject):
        return Bury()
    if is_database_away(error) and time.monotonic() - held_since < settings.hold_seconds:
        return Hold()
    if isinstance(error, Retry):
        since = _seconds_since(headers.get(FIRST_FAILED_AT))
        if error.give_up_after is not None and since >= error.give_up_after:
            return Bury()
        return Delay(_delay(attempts, error.after, settings.retry_delays))
    if not is_passing(error) and attempts > settings.attempts_of_unknown_errors:
        return Bury()
    return Delay(_delay(attempts, None, settings.retry_delays))


def is_passing(error: Exception) -> bool:
    """Whether trying again later may help without anyone changing anything."""
    return isinstance(error, (Retry, *_PASSING)) or is_database_away(error)


def failed_properties(message: AmqpMessage, error: Exception, queue: str) -> dict[str, Any]:
    """The message's properties with what is known of its failure in the headers; kept over all its attempts."""
    before = message.headers or {}
    now = datetime.now(UTC).isoformat()
    history = {
        ATTEMPTS: int(before.get(ATTEMPTS, 0)) + 1,
        FIRST_FAILED_AT: before.get(FIRST_FAILED_AT, now),
        LAST_FAILED_AT: now,
        CAUSE: class_name(error),
        REASON: reason_of(error),
        TRACEBACK: traceback_without_values(error)[-_LONGEST_HEADER:],
        CONSUMER: queue.partition(".")[0],
        ORIGINAL_QUEUE: queue,
    }
    properties = without_history(message)
    return {**properties, "application_headers": {**properties["application_headers"], **history}}


def without_history(message: AmqpMessage) -> dict[str, Any]:
    """The message's properties as its sender gave them, persistent: no failures of ours, no deaths of the broker's."""
    headers = {name: value for name, value in (message.headers or {}).items() if name not in _HISTORY}
    kept = {name: value for name, value in message.properties.items() if name != "expiration"}
    return {**kept, "delivery_mode": PERSISTENT, "application_headers": headers}


def reason_of(error: Exception) -> str:
    """The reason that our own code wrote; of other errors only the class: their messages may quote personal data."""
    return str(getattr(error, "reason", None) or class_name(error))[:1000]


def _delay(attempts: int, after: float | None, delays: tuple[float, ...]) -> float:
    if after is None:
        return delays[min(attempts, len(delays)) - 1]
    return next((delay for delay in delays if delay >= after), delays[-1])


def _seconds_since(moment: str | None) -> float:
    if moment is None:
        return 0.0
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
