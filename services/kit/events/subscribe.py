"""Subscriptions: entrypoints that pass each event to a method once, in a transaction, and ack after the commit."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, overload

import structlog
from marshmallow import ValidationError
from nameko.extensions import Entrypoint, register_entrypoint
from opentelemetry.trace import SpanKind
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from services.kit.amqp.connection import OutgoingMessage
from services.kit.amqp.queues import own_exchange, owner_of, queue_name, rejected_queue
from services.kit.events import inbox
from services.kit.events.contract import Data, EventContract
from services.kit.events.entrypoints import BatchSubscription, Listener, Message, Subscription
from services.kit.events.envelope import Event, causation, correlation, new_message_id
from services.kit.events.failures import Reject, Retry, failed_properties, is_transient
from services.kit.events.outbox import send_unchanged
from services.kit.events.set_subscription import SetSubscription
from services.kit.operations import metrics
from services.kit.operations.logs import class_name
from services.kit.operations.tracing import TRACEPARENT, span, valid_traceparent, within_trace

__all__ = ["Event", "Message", "Reject", "Retry", "listen", "subscribe_batch", "subscribes", "subscribes_sets"]

log = structlog.get_logger()

Handler = Callable[..., Any]


@overload
def subscribes(
    contract: EventContract[Data], handler: Callable[[Session, Event[Data]], None], /
) -> Callable[..., Exception | None]: ...
@overload
def subscribes(
    *contracts: EventContract[Data],
) -> Callable[[Callable[[Any, Session, Event[Data]], None]], Callable[..., Exception | None]]: ...
def subscribes(*arguments: Any) -> Any:
    """The entrypoint that passes each event of a kind to `handler(session, event)` once.

    As a decorator it takes a method `(self, session, event)` of a service that has more than a database. Where several
    producers publish an event of one name, their contracts share one queue.

    The transaction of `session` holds the inbox row and the handler's effects, committed before the ack. The service
    has its database as `self.database`. The handler raises Retry for a transient error and Reject for an invalid
    message; after other errors the message is tried again a few times and then dead-lettered.
    """

    contracts = [one for one in arguments if isinstance(one, EventContract)]
    if len(contracts) == len(arguments):
        return partial(_subscription, contracts)
    handler = arguments[-1]
    return _subscription(contracts, lambda _service, session, event: handler(session, event))


def _subscription(
    contracts: Sequence[EventContract[Any]], method: Callable[[Any, Session, Event[Any]], None]
) -> Handler:
    def handle(service: Any, event: Event[Any]) -> None:
        with _work_of(event):
            started, queue = time.monotonic(), queue_name(service.name, contracts[0].name)
            _observe_age(queue, event)
            with service.database.begin() as session:
                if is_first := inbox.mark_handled(session, queue, event.id):
                    method(service, session, event)
            _log_handled(queue, event, not is_first, _milliseconds_since(started))

    return _entrypoint(handle, Subscription(*contracts))


def subscribes_sets(
    *contracts: EventContract[Data], size: int = 100
) -> Callable[[Callable[[Any, Session, list[Event[Data]]], None]], Callable[..., Exception | None]]:
    """As `subscribes`, for events that are cheaper together: `method(self, session, events)`.

    Up to `size` events that have come are handled in one transaction, each once; a single one does not wait for others.
    Where the method fails with a set, it is called again with each event alone, so all its effects must be in
    `session`. The order of the events must not matter.
    """

    def decorate(method: Handler) -> Handler:
        def handle(service: Any, argument: Event | list[Event]) -> None:
            events = argument if isinstance(argument, list) else [argument]
            queue = queue_name(service.name, contracts[0].name)
            with _work_of(events[0]) if len(events) == 1 else _work_of_events(queue, events):
                started = time.monotonic()
                for event in events:
                    _observe_age(queue, event)
                with service.database.begin() as session:
                    fresh = inbox.mark_all_handled(session, queue, [event.id for event in events])
                    first = {event.id: event for event in reversed(events) if event.id in fresh}
                    if first:
                        method(service, session, [event for event in events if first.get(event.id) is event])
                for event in events:
                    with within_trace(event.traceparent, event.correlation_id):
                        _log_handled(queue, event, first.get(event.id) is not event, _milliseconds_since(started))

        return _entrypoint(handle, SetSubscription(contracts, size))

    return decorate


def subscribe_batch(
    *, queue: str, size: int = 200, wait_seconds: float = 0.02, decode: Callable[[Message], Any] | None = None
) -> Callable[[Handler], Handler]:
    """Handles messages of an external queue in chunks: `method(self, session, messages: list[Message])`.

    One transaction and one ack for up to `size` messages, or what came within `wait_seconds`. `decode(message)` makes
    `message.data`; where it raises Reject, ValueError or ValidationError the message is rejected without reaching the
    method. The method calls `message.reject(reason)` for single ones. Rejected messages go to `<queue>.rejected` with
    the reason in the header `x-reason`. The same message can come twice, so the method must know what it has done
    (`inbox.mark_all_handled(session, consumer, ids)` helps). When it fails with an error that is not transient, it is
    called again with each message alone, and those that fail are rejected; so all its effects must be in `session`.
    """

    def decorate(method: Handler) -> Handler:
        handler = _ChunkHandler(method, queue, decode)
        return _entrypoint(handler, BatchSubscription(queue, size, wait_seconds, handler.read))

    return decorate


def listen(*contracts: EventContract[Any]) -> Callable[[Handler], Handler]:
    """Calls `method(self, event)` for events that come while the process runs; each process receives each event.

    For notifications on which pages refresh: without inbox, ack or retry.
    """

    def decorate(method: Handler) -> Handler:
        def handle(service: Any, event: Event) -> None:
            with _work_of(event):
                method(service, event)

        return _entrypoint(handle, Listener(*contracts))

    return decorate


class _ChunkHandler:
    """Handles a chunk of messages in one transaction, and when that fails each message alone."""

    def __init__(self, method: Handler, queue: str, decode: Callable[[Message], Any] | None) -> None:
        self._method = method
        self._queue = queue
        self._decode = decode

    def __call__(self, service: Any, messages: list[Message]) -> None:
        """Returns when each message is handled or rejected; raises transient errors."""
        with _work_of_chunk(self._queue, messages):
            started = time.monotonic()
            self._handle_all(service, messages)
            log.info(
                "messages_handled",
                queue=self._queue,
                message_ids=[message.message_id for message in messages],
                rejected=sum(message.rejection is not None for message in messages),
                ms=_milliseconds_since(started),
            )

    def read(self, message: Message) -> None:
        """Decodes the message into its `data`, or sets its rejection."""
        message.rejection, message.is_rejection_lost = None, False
        if self._decode is not None:
            try:
                message.data = self._decode(message)
            except (Reject, ValueError, ValidationError) as error:
                message.rejection = error
        message.is_fresh = True

    def _handle_all(self, service: Any, messages: list[Message]) -> None:
        try:
            self._handle(service, messages)
        except Exception as error:
            if is_transient(error):
                raise
            log.warning("chunk_failed", queue=self._queue, size=len(messages), error=class_name(error))
            for message in messages:
                self._handle_alone(service, message)

    def _handle(self, service: Any, messages: list[Message]) -> None:
        for message in messages:
            if not message.is_fresh:
                self.read(message)
            message.is_fresh = False
        with service.database.begin() as session:
            if good := [message for message in messages if message.rejection is None]:
                self._method(service, session, good)
            self._send_rejected(session, messages)

    def _handle_alone(self, service: Any, message: Message) -> None:
        try:
            self._handle(service, [message])
        except Exception as error:
            if is_transient(error):
                raise
            message.rejection = error
            self._store_rejection(service, message)

    def _store_rejection(self, service: Any, message: Message) -> None:
        try:
            with service.database.begin() as session:
                self._send_rejected(session, [message])
        except Exception as error:
            if is_transient(error):
                raise
            log.warning("rejection_not_stored", queue=self._queue, error=class_name(error))
            message.is_rejection_lost = True

    def _send_rejected(self, session: Session, messages: list[Message]) -> None:
        for message in messages:
            if message.rejection is not None:
                properties = failed_properties(message.received, message.rejection, self._queue)
                own = own_exchange(owner_of(self._queue))
                send_unchanged(session, OutgoingMessage(own, rejected_queue(self._queue), message.body, properties))
                metrics.messages_dead.labels(self._queue).inc()


def _entrypoint(handle: Handler, entrypoint: Entrypoint) -> Handler:
    """The service's method as nameko calls it: it returns its errors, which nameko would log with their values."""

    def answer_error(service: Any, argument: Any) -> Exception | None:
        try:
            handle(service, argument)
        except Exception as error:
            return error
        return None

    register_entrypoint(answer_error, entrypoint)
    return answer_error


def _observe_age(queue: str, event: Event) -> None:
    metrics.message_age_seconds.labels(queue).observe((datetime.now(UTC) - event.time).total_seconds())


def _log_handled(queue: str, event: Event, is_repeated: bool, milliseconds: float) -> None:
    log.info("message_handled", queue=queue, repeated=is_repeated, ms=milliseconds, **_ids_of(event))


def _ids_of(event: Event) -> dict[str, str | None]:
    return {"message_id": event.id, "correlation_id": event.correlation_id, "type": event.type}


def _milliseconds_since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)


def _work_of(event: Event) -> AbstractContextManager[None]:
    correlation.set(event.correlation_id or event.id)
    causation.set(event.id)
    return _work(event.type, _ids_of(event), event.traceparent)


def _work_of_events(queue: str, events: Sequence[Event]) -> AbstractContextManager[None]:
    """The work of several events is a trace of its own, linked to theirs; each line of log has its id as `set_id`."""
    correlation_id = new_message_id()
    correlation.set(correlation_id)
    traces = [trace for event in events if (trace := valid_traceparent(event.traceparent))]
    return _work(queue, {"correlation_id": correlation_id, "set_id": correlation_id}, linked=traces)


def _work_of_chunk(queue: str, messages: Sequence[Message]) -> AbstractContextManager[None]:
    """The work of one message continues its trace; that of several is a trace of its own, linked to theirs."""
    traces = [trace for one in messages if (trace := valid_traceparent(one.headers.get(TRACEPARENT)))]
    is_one = len(messages) == 1
    first = messages[0]
    known = (first.received.properties.get("correlation_id") or first.message_id) if is_one else None
    correlation_id = known or new_message_id()
    correlation.set(correlation_id)
    parent = traces[0] if is_one and traces else None
    return _work(queue, {"correlation_id": correlation_id}, parent, linked=[] if is_one else traces)


@contextmanager
def _work(
    name: str, ids: Mapping[str, str | None], parent: str | None = None, linked: Sequence[str] = ()
) -> Iterator[None]:
    """Counts a worker as busy, within a span of the correlation id's trace; lines of log have these ids."""
    with (
        metrics.busy_worker(),
        span(name, SpanKind.CONSUMER, parent, ids["correlation_id"], linked),
        bound_contextvars(**ids),
    ):
        yield
