"""Sends a message to an outside party, or to a queue of its rejected messages, when the transaction commits."""

from typing import Any

from sqlalchemy.orm import Session

from services.kit.amqp.connection import OutgoingMessage
from services.kit.events.envelope import correlation, new_message_id
from services.kit.events.outbox import send_unchanged
from services.kit.operations.tracing import trace_headers


def send_body(  # noqa: PLR0913 - what AMQP needs of a message
    session: Session, exchange: str, name: str, body: bytes, *, content_type: str, headers: dict[str, Any]
) -> None:
    """Sends a body as it is, with these headers, an id, and the correlation id and trace of the work."""
    properties = {
        "content_type": content_type,
        "message_id": new_message_id(),
        "correlation_id": correlation.get(),
        "application_headers": {**trace_headers(), **headers},
    }
    send_unchanged(session, OutgoingMessage(exchange, name, body, properties))
