"""Names and arguments of exchanges and queues; the only place that declares them."""

from typing import Any

import amqp

from services.common.contracts import bank
from services.common.contracts.event import EventContract

EVENTS_EXCHANGE = "events"
RPC_EXCHANGE = "nameko-rpc"
COUNTS_EXCHANGE = "gateway.counts"
RECEIPTS_BYTES = 256 << 20
"""A bank that reads no receipts must not fill the broker: the oldest go. Who misses one sends the feedback again."""
DELIVERY_LIMIT = 20
"""Deliveries without an ack after which the broker dead-letters a message by itself: crashes and restarts count."""


class QueueChanged(RuntimeError):
    """The broker holds the queue with other arguments than the code's; someone must migrate it."""


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
    return f"{queue}.retry-{seconds:g}"


def dead_letters_lock(service: str) -> str:
    """A queue that belongs to the one connection that reads the service's dead letters just now."""
    return f"{service}.dead-letters-in-use"


def own_exchange(service: str) -> str:
    """Where a service reaches its own queues by their names; by the default exchange it could reach everybody's."""
    return f"{service}.own"


def request_queue(service: str) -> str:
    """Where a service's requests wait, named as Nameko does it."""
    return f"rpc-{service}"


def owner_of(queue: str) -> str:
    """The service that a queue belongs to: its name begins with it; the bank's queues are batching's."""
    prefix = queue.partition(".")[0]
    return "batching" if prefix == "bank" else prefix


def declare_subscription(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """The exchange `events`, the queue bound to its service's copies of an event, and before it its dead-letter queue.

    It is bound by the former key too, by which the release before sends one copy for all: no release sends both.
    """
    declare_exchange(channel, EVENTS_EXCHANGE)
    declare_working_queue(channel, queue, dead_queue(queue))
    for key in (contract.key_for(owner_of(queue)), contract.routing_key):
        channel.queue_bind(queue, EVENTS_EXCHANGE, key)


def declare_external_subscription(connection: amqp.Connection, queue: str, contract: EventContract) -> bool:
    """Another service's subscription, made where it is missing; False where we may not make it."""
    if depth_of(connection, queue) is not None:
        return True
    try:
        with connection.channel() as own:
            declare_subscription(own, queue, contract)
    except amqp.AccessRefused:
        return False
    return True


def declare_exchange(channel: amqp.Channel, name: str) -> None:
    """A durable topic exchange. Only where it is not there: services may not make or delete those that all share."""
    if not _is_exchange(channel, name):
        channel.exchange_declare(name, "topic", durable=True, auto_delete=False)


def declare_counts_exchange(channel: amqp.Channel) -> None:
    """Where the gateway's processes tell one another their counts; it goes with the broker, and comes with them."""
    channel.exchange_declare(COUNTS_EXCHANGE, "fanout", durable=False, auto_delete=False)


def declare_working_queue(channel: amqp.Channel, queue: str, dead: str) -> None:
    """A quorum queue whose dead letters go to `dead` with the broker's own confirms; its owner reaches both by name.

    The dead-letter queue comes first: without it the broker would drop what it cannot deliver.
    """
    _declare_quorum(channel, dead, {})
    _declare_quorum(channel, queue, {"x-delivery-limit": DELIVERY_LIMIT, **_dead_letters_to("", dead)})
    own = own_exchange(owner_of(queue))
    channel.exchange_declare(own, "direct", durable=True, auto_delete=False)
    for name in (dead, queue):
        channel.queue_bind(name, own, name)


def declare_retry_queue(channel: amqp.Channel, queue: str, seconds: float) -> str:
    """The waiting place for `seconds` before a message goes back to `queue`; answers its name."""
    name, own = retry_queue(queue, seconds), own_exchange(owner_of(queue))
    _declare_quorum(channel, name, {"x-message-ttl": int(seconds * 1000), **_dead_letters_to(own, queue)})
    channel.queue_bind(name, own, name)
    return name


def is_queue(channel: amqp.Channel, name: str) -> bool:
    """Whether there is such a queue; asks on a channel of its own, which the broker closes where there is none."""
    return depth_of(channel.connection, name) is not None


def depth_of(connection: amqp.Connection, name: str) -> tuple[int, int] | None:
    """How many messages are ready in a queue, and how many consumers it has; None where there is no such queue."""
    try:
        with connection.channel() as probe:
            found = probe.queue_declare(name, passive=True)
    except amqp.NotFound:
        return None
    return int(found.message_count), int(found.consumer_count)


def declare_bank(channel: amqp.Channel) -> None:
    """The ways out to `bank.batches` and `bank.receipts`, and the way in: an exchange for the bank alone that leads to
    batching's queue.
    """
    declare_exchange(channel, bank.EXCHANGE)
    channel.queue_declare(bank.BATCHES_QUEUE, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    channel.queue_bind(bank.BATCHES_QUEUE, bank.EXCHANGE, bank.BATCH_MESSAGES)
    _declare_quorum(channel, bank.RECEIPTS_QUEUE, {"x-max-length-bytes": RECEIPTS_BYTES, "x-overflow": "drop-head"})
    channel.queue_bind(bank.RECEIPTS_QUEUE, bank.EXCHANGE, bank.RECEIPT)
    declare_exchange(channel, bank.FEEDBACK_EXCHANGE)
    declare_working_queue(channel, bank.FEEDBACK_QUEUE, rejected_queue(bank.FEEDBACK_QUEUE))
    channel.queue_bind(bank.FEEDBACK_QUEUE, bank.FEEDBACK_EXCHANGE, bank.FEEDBACK_QUEUE)


def declare_passing_queue(channel: amqp.Channel, name: str) -> str:
    """A queue that belongs to one connection and goes with it."""
    channel.queue_declare(name, exclusive=True, auto_delete=True)
    return name


def declare_request_queue(channel: amqp.Channel, service: str) -> str:
    """The queue of a service's requests, named and bound as Nameko does it; answers its name."""
    name = request_queue(service)
    declare_exchange(channel, RPC_EXCHANGE)
    channel.queue_declare(name, durable=True, auto_delete=False)
    channel.queue_bind(name, RPC_EXCHANGE, f"{service}.*")
    return name


def _is_exchange(channel: amqp.Channel, name: str) -> bool:
    try:
        with channel.connection.channel() as probe:
            probe.exchange_declare(name, "topic", passive=True)
    except amqp.NotFound:
        return False
    return True


def _dead_letters_to(exchange: str, queue: str) -> dict[str, Any]:
    return {
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-routing-key": queue,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _declare_quorum(channel: amqp.Channel, name: str, arguments: dict[str, Any]) -> None:
    try:
        channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum", **arguments})
    except amqp.PreconditionFailed as error:
        raise QueueChanged(_changed(name, error)) from error


def _changed(name: str, error: amqp.PreconditionFailed) -> str:
    return (
        f"The queue {name} exists with other arguments than this code declares. Let its messages be handled by the"
        f" release that made it, delete it, and start again. The broker says: {error}"
    )
