"""Sends messages that become dead letters, and finds them as an operator does."""

import base64
import hashlib
import json
from typing import Any
from uuid import uuid4

import amqp
import requests

from deploy.local.client import ApiClient, wait_until
from deploy.local.stack import Stack
from services.contracts.events.revocation import REVOCATION_APPROVED
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import events_exchange

DEAD = "batching.revocation_approved.dead"
CARD = "6222021234567890128"


def send_unsigned(stack: Stack, application_id: str) -> str:
    """Sends an unsigned result of the bank on this application; returns the id of its dead letter."""
    result = {"application_id": application_id, "outcome": "issued", "card_no": CARD}
    feedback = {"feedback_id": f"unsigned-{uuid4()}", "batch_no": "cbc1", "results": [result]}
    body = json.dumps(feedback).encode()
    order = {"body": base64.b64encode(body).decode(), "headers": {}}
    requests.post(f"{stack.simulator_urls['bank']}/raw", json=order, timeout=30).raise_for_status()
    return f"sha256-{hashlib.sha256(body).hexdigest()[:16]}"


def publish_nonsense(stack: Stack, message_id: str) -> None:
    """Publishes an event that violates its contract, as revocation."""
    connection = open_connection(stack.addresses.amqp_uris["revocation"], "test")
    channel = connection.channel()
    channel.confirm_select()
    document = {"specversion": "1.0", "id": message_id, "type": REVOCATION_APPROVED.type, "data": {"batch_no": CARD}}
    message = amqp.Message(json.dumps(document), message_id=message_id, type=REVOCATION_APPROVED.type, delivery_mode=2)
    exchange, routing_key = events_exchange("revocation"), REVOCATION_APPROVED.key_for("batching")
    channel.basic_publish_confirm(message, exchange, routing_key, mandatory=True)
    connection.close()


def letter_in(operator: ApiClient, queue: str, letter_id: str) -> dict[str, Any] | None:
    """Returns a dead letter from the list, or None: a concurrent reader holds all messages of a queue for a moment."""
    letters = operator.all_pages("operations/dead-letters", queue=queue)
    return next((one for one in letters if one["id"] == letter_id), None)


def settle(operator: ApiClient, queue: str, how: str, **order: Any) -> list[str]:
    """Replays or discards dead letters, retrying while another reader holds them; returns their ids."""
    path = f"operations/dead-letters/{queue}/{how}"
    ids: list[str] = wait_until(lambda: operator.post(path, order)["ids"], "the letters are settled")
    return ids
