"""Names and arguments of exchanges and queues; the only place that declares them."""

from typing import Any

import amqp

EVENTS_EXCHANGE = "events"
RPC_EXCHANGE = "nameko-rpc"
DELIVERY_LIMIT = 20
"""Deliveries without an ack after which the broker dead-letters a message by itself: crashes and restarts count."""


class QueueChanged(RuntimeError):
    """The broker holds the queue or exchange with other arguments than the code's; someone must migrate it."""


def queue_name(service: str, event_name: str) -> str:
    """The queue of a service for an event: it does not depend on the method that handles it."""
    return f"{service}.{event_name}"


def dead_queue(queue: str) -> str:
    """Where the dead letters of a queue lie."""
    return f"{queue}.dead"


def rejected_queue(queue: str) -> str:
    """Where what we refuse of a foreign queue lies."""
    return f"{queue}.rejected"


def retry_queue(queue: str, seconds: float) -> str:
    """Where messages of a queue wait `seconds` before they come back."""
    return f"{queue}.retry.{seconds:g}"


def declare_subscription(channel: amqp.Channel, queue: str, routing_key: str) -> None:
    """The exchange `events`, the queue bound to one kind of event, and before it its dead-letter queue."""
    declare_exchange(channel, EVENTS_EXCHANGE)
    declare_working_queue(channel, queue, dead_queue(queue))
    channel.queue_bind(queue, EVENTS_EXCHANGE, routing_key)


def declare_exchange(channel: amqp.Channel, name: str) -> None:
    """A durable topic exchange."""
    try:
        channel.exchange_declare(name, "topic", durable=True, auto_delete=False)
    except amqp.PreconditionFailed as error:
        raise QueueChanged(_changed("exchange", name, error)) from error


def declare_working_queue(channel: amqp.Channel, queue: str, dead: str) -> None:
    """A quorum queue whose dead letters go to `dead` with the broker's own confirms.

    The dead-letter queue comes first: without it the broker would drop what it cannot deliver.
    """
    _declare_quorum(channel, dead, {})
    _declare_quorum(channel, queue, {"x-delivery-limit": DELIVERY_LIMIT, **_dead_letters_to(dead)})


def declare_retry_queue(channel: amqp.Channel, queue: str, seconds: float) -> str:
    """The waiting place for `seconds` before a message goes back to `queue`; answers its name."""
    name = retry_queue(queue, seconds)
    _declare_quorum(channel, name, {"x-message-ttl": int(seconds * 1000), **_dead_letters_to(queue)})
    return name


def declare_passing_queue(channel: amqp.Channel, name: str) -> str:
    """A queue that belongs to one connection and goes with it."""
    channel.queue_declare(name, exclusive=True, auto_delete=True)
    return name


def declare_request_queue(channel: amqp.Channel, service: str) -> str:
    """The queue of a service's requests, named and bound as Nameko does it; answers its name."""
    name = f"rpc-{service}"
    declare_exchange(channel, RPC_EXCHANGE)
    channel.queue_declare(name, durable=True, auto_delete=False)
    channel.queue_bind(name, RPC_EXCHANGE, f"{service}.*")
    return name


def _dead_letters_to(queue: str) -> dict[str, Any]:
    return {
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _declare_quorum(channel: amqp.Channel, name: str, arguments: dict[str, Any]) -> None:
    try:
        channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum", **arguments})
    except amqp.PreconditionFailed as error:
        raise QueueChanged(_changed("queue", name, error)) from error


def _changed(kind: str, name: str, error: amqp.PreconditionFailed) -> str:
    return (
        f"The {kind} {name} exists with other arguments than this code declares. Let its messages be handled by the"
        f" release that made it, delete it, and start again. The broker says: {error}"
    )
