"""Messages of events as a relay publishes them."""

from typing import Any

from services.kit.amqp.connection import PERSISTENT, OutgoingMessage
from services.kit.amqp.queues import events_exchange
from services.kit.events.contract import EventContract
from services.kit.events.envelope import wrap
from services.kit.events.outbox import to_json


def event_message(contract: EventContract[Any], consumer: str, data: dict[str, Any]) -> OutgoingMessage:
    """Returns the copy of an event for one consumer."""
    document = wrap(contract, data, None)
    properties = {
        "content_type": "application/cloudevents+json",
        "delivery_mode": PERSISTENT,
        "message_id": document["id"],
    }
    exchange = events_exchange(contract.producer)
    return OutgoingMessage(exchange, contract.key_for(consumer), to_json(document), properties)
