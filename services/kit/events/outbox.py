"""The outbox: messages to send, written in the transaction of the change they are about. The relay publishes them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.kit.amqp.connection import PERSISTENT, OutgoingMessage
from services.kit.amqp.queues import EVENTS_EXCHANGE
from services.kit.data.bulk import insert_rows
from services.kit.data.database import outbox
from services.kit.events.contract import Data, EventContract
from services.kit.events.envelope import LARGEST_EVENT, correlation, new_message_id, wrap
from services.kit.operations.tracing import trace_headers

CHANNEL = "outbox"
"""The PostgreSQL notification that wakes the relay."""


def publish(
    session: Session,
    contract: EventContract[Data],
    data: Data | Mapping[str, Any],
    *,
    subject: str | None = None,
    recipient: str | None = None,
) -> str:
    """Publishes an event when the session's transaction commits; returns its message id.

    The contract's schema checks and dumps `data`; raises marshmallow's ValidationError.
    Each recipient gets a copy of its own. With a `recipient` only this consumer gets one: it lacks the event, which
    the others have handled.
    Correlation and causation are those of the message or request that is being handled.
    """
    message = _event(contract, data, subject)
    _add(session, [_row(message, (recipient,) if recipient else contract.recipients)])
    return str(message.properties["message_id"])


def publish_all(session: Session, events: Sequence[tuple[EventContract[Any], Any]]) -> None:
    """Publishes many events as `publish` does, in one statement and in this order."""
    if events:
        _add(session, [_row(_event(contract, data, None), contract.recipients) for contract, data in events])


def send(
    session: Session,
    exchange: str,
    routing_key: str,
    body: dict[str, Any] | bytes,
    headers: dict[str, Any] | None = None,
) -> str:
    """Sends a message that is no event when the transaction commits; returns its message id.

    A dict is sent as compact UTF-8 JSON; bytes are sent unchanged, up to 10 MB, as a signed body needs. The exchange
    `""` reaches a queue by its name.
    """
    message_id = new_message_id()
    properties = {
        "content_type": "application/json",
        "message_id": message_id,
        "correlation_id": correlation.get(),
        "application_headers": {**trace_headers(), **(headers or {})},
    }
    message = OutgoingMessage(exchange, routing_key, body if isinstance(body, bytes) else to_json(body), properties)
    _add(session, [_row(message)])
    return message_id


def send_unchanged(session: Session, message: OutgoingMessage) -> None:
    """Sends a message with its own properties when the transaction commits; values that JSON lacks become text."""
    _add(session, [_row(message)])


def to_json(document: Any) -> bytes:
    """A document as compact UTF-8 JSON, the form of all our messages."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _event(contract: EventContract[Data], data: Data | Mapping[str, Any], subject: str | None) -> OutgoingMessage:
    document = wrap(contract, data, subject)
    body = to_json(document)
    if len(body) > LARGEST_EVENT:
        raise ValueError(f"{contract.type} is larger than an event may be: {len(body)} bytes")
    properties = {
        "content_type": "application/cloudevents+json",
        "message_id": document["id"],
        "correlation_id": document["correlationid"],
        "type": contract.type,
    }
    return OutgoingMessage(EVENTS_EXCHANGE, contract.routing_key, body, properties, bool(contract.consumers))


def _add(session: Session, messages: Sequence[dict[str, Any]]) -> None:
    """Inserts outbox rows; the first of a transaction also notify the relay, which wakes when the transaction commits.

    The first of a savepoint notify too, for a rolled-back savepoint takes its notification with it.
    """
    rows = insert_rows(outbox, messages)
    transaction = session.get_nested_transaction() or session.get_transaction()
    if session.info.get(CHANNEL) is transaction:
        session.execute(rows)
    else:
        session.info[CHANNEL] = transaction
        session.execute(select(func.pg_notify(CHANNEL, "")).add_cte(rows.cte("written")))


def _row(message: OutgoingMessage, recipients: Sequence[str] = ()) -> dict[str, Any]:
    properties = {name: value for name, value in message.properties.items() if value is not None}
    return {
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "body": message.body,
        "mandatory": message.mandatory,
        "recipients": " ".join(recipients) or None,
        "properties": json.dumps({**properties, "delivery_mode": PERSISTENT}, default=str),
    }
