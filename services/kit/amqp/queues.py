"""Names and arguments of exchanges and queues; the only place that declares them."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import amqp
from kombu import Connection, Exchange, Queue

from services.kit.events.contract import EventContract
from services.kit.system import the_system

EVENTS_EXCHANGE = "events"
"""Stands in an outbox row for the exchange of its service's events; the previous release sent all events by it."""
RPC_EXCHANGE = "nameko-rpc"
"""The exchange of requests, to which only the gateway publishes; the previous release sent replies by it too."""
COUNTS_EXCHANGE = "gateway.counts"
DELIVERY_LIMIT = 20
"""Deliveries without an ack after which the broker dead-letters a message itself; a crash or restart counts as one."""


class QueueChanged(RuntimeError):
    """The queue exists on the broker with arguments other than the code's; an operator must migrate it."""


def queue_name(service: str, event_name: str) -> str:
    """The queue of a service for an event; the name does not depend on the method that handles it."""
    return f"{service}.{event_name}"


def dead_queue(queue: str) -> str:
    """The dead-letter queue of a queue."""
    return f"{queue}.dead"


def rejected_queue(queue: str) -> str:
    """The queue of messages that were rejected from an external queue."""
    return f"{queue}.rejected"


def retry_queue(service: str, seconds: float) -> str:
    """The queue in which messages of any queue of a service wait `seconds` before they return."""
    return f"{service}.retry-{seconds:g}"


def delay_exchange(service: str, seconds: float) -> str:
    """The exchange by which a service sends a message to a retry queue; the routing key is the queue it returns to."""
    return f"{service}.delay-{seconds:g}"


def dead_letters_lock(service: str) -> str:
    """An exclusive queue that serves as a lock: only the connection to which it belongs reads the dead letters."""
    return f"{service}.dead-letters-reader"


def former_dead_letters_lock(service: str) -> str:
    """The lock of release 0.2, whose one consumer read the service's dead letters."""
    return f"{service}.dead-letters-lock"


def own_exchange(service: str) -> str:
    """The exchange by which a service reaches its own queues by name; the default exchange would reach everyone's."""
    return f"{service}.own"


def strays_exchange(service: str) -> str:
    """The exchange for retried messages whose queue is missing; a policy makes it the own exchange's alternate."""
    return f"{service}.strays"


def strays_queue(service: str) -> str:
    """The dead-letter queue of such messages."""
    return dead_queue(strays_exchange(service))


def events_exchange(producer: str) -> str:
    """The exchange to which a service alone publishes its events."""
    return f"{producer}.events"


def replies_exchange(service: str) -> str:
    """The exchange to which a service alone publishes its replies."""
    return f"{service}.replies"


def request_queue(service: str) -> str:
    """The queue of a service's requests."""
    return f"{service}.requests"


def former_request_queue(service: str) -> str:
    """The queue of a service's requests in release 0.2 and before, on one node; it is read until it is deleted."""
    return f"rpc-{service}"


def owner_of(queue: str) -> str:
    """The service that owns a queue: the name's first part, except for external queues."""
    prefix = queue.partition(".")[0]
    return next((one.owner for one in the_system().external if one.prefix == prefix), prefix)


def declare_subscription(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """Declares a subscription: dead-letter queue, producer's exchange, and the queue bound to its copies of an event.

    The queue is also bound as earlier releases sent; no release sends by both.
    """
    _declare_copies(channel, queue, contract)
    declare_exchange(channel, EVENTS_EXCHANGE)
    for key in _former_keys(queue, contract):
        bind(channel, queue, EVENTS_EXCHANGE, key)


def declare_only_subscription(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """Declares a subscription without the bindings of earlier releases, and removes these where they exist."""
    _declare_copies(channel, queue, contract)
    declare_exchange(channel, EVENTS_EXCHANGE)
    for key in _former_keys(queue, contract):
        Queue(queue, Exchange(EVENTS_EXCHANGE), key, channel=channel).queue_unbind()


def declare_missing_subscription(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """Declares another service's subscription where it is missing."""
    if not is_queue(channel, queue):
        declare_subscription(channel, queue, contract)


def declare_exchange(channel: amqp.Channel, name: str) -> None:
    """Declares a durable topic exchange."""
    Exchange(name, "topic", channel=channel).declare()


def declare_direct_exchange(channel: amqp.Channel, name: str) -> str:
    """Declares a durable direct exchange with one program as its only producer; returns its name."""
    Exchange(name, "direct", channel=channel).declare()
    return name


def declare_counts_exchange(channel: amqp.Channel) -> None:
    """Declares the exchange for gossip of rate-limit counters; it is not durable, so each process declares it."""
    Exchange(COUNTS_EXCHANGE, "fanout", durable=False, channel=channel).declare()


def bind(channel: amqp.Channel, queue: str, exchange: str, routing_key: str = "") -> None:
    """Binds a queue to an exchange by a routing key."""
    Queue(queue, Exchange(exchange), routing_key, channel=channel).queue_bind()


def declare_working_queue(channel: amqp.Channel, queue: str, dead: str) -> None:
    """Declares a quorum queue that dead-letters to `dead` at least once; its owner reaches both by name.

    The dead-letter queue comes first: without it the broker would drop what it cannot deliver.
    """
    declare_quorum_queue(channel, dead, {})
    declare_quorum_queue(channel, queue, {"x-delivery-limit": DELIVERY_LIMIT, **_dead_letters_to("", dead)})
    own = declare_direct_exchange(channel, own_exchange(owner_of(queue)))
    for name in (dead, queue):
        bind(channel, name, own, name)


def declare_quorum_queue(channel: amqp.Channel, name: str, arguments: dict[str, Any]) -> None:
    """Declares a durable quorum queue with further arguments; raises QueueChanged where it exists with others."""
    try:
        Queue(name, queue_arguments={"x-queue-type": "quorum", **arguments}, channel=channel).queue_declare()
    except amqp.PreconditionFailed as error:
        raise QueueChanged(_changed(name, error)) from error


def declare_retry_queue(channel: amqp.Channel, service: str, seconds: float) -> None:
    """Declares where a message waits `seconds` before it returns to its routing key's queue: exchange and queue."""
    name, way = retry_queue(service, seconds), delay_exchange(service, seconds)
    back = {**_dead_letters_to(own_exchange(service)), "x-message-ttl": int(seconds * 1000)}
    declare_quorum_queue(channel, name, back)
    Exchange(way, "fanout", channel=channel).declare()
    bind(channel, name, way)


def declare_strays(channel: amqp.Channel, service: str, queues: Iterable[str]) -> None:
    """Declares where retried messages go while their queue, one of these of the service, is missing.

    After 32 dead letters that find no queue, RabbitMQ blocks all behind them. Only these queues are covered: a message
    that is published to any other missing queue is still returned to its publisher.
    """
    way, dead = declare_direct_exchange(channel, strays_exchange(service)), strays_queue(service)
    declare_quorum_queue(channel, dead, {})
    bind(channel, dead, declare_direct_exchange(channel, own_exchange(service)), dead)
    for queue in queues:
        bind(channel, dead, way, queue)


def is_queue(channel: amqp.Channel, name: str) -> bool:
    """Whether the queue exists; checked on a channel of its own, which the broker closes where it does not."""
    return depth_of(channel.connection, name) is not None


def depth_of(connection: amqp.Connection | Connection, name: str) -> tuple[int, int] | None:
    """The numbers of ready messages and of consumers of a queue; None where it does not exist."""
    try:
        with connection.channel() as probe:
            found = Queue(name, channel=probe).queue_declare(passive=True)
    except amqp.NotFound:
        return None
    return int(found.message_count), int(found.consumer_count)


def declare_transient_queue(channel: amqp.Channel, name: str) -> str:
    """Declares a queue that belongs to one connection and is deleted with it; returns its name."""
    Queue(name, durable=False, exclusive=True, channel=channel).queue_declare()
    return name


def declare_request_queue(channel: amqp.Channel, service: str) -> str:
    """Declares the queue of a service's requests, and the exchanges of requests and replies; returns its name.

    It is a quorum queue, which goes on without the node that led it. `bind_requests` leads requests to it.
    """
    declare_exchange(channel, RPC_EXCHANGE)
    declare_direct_exchange(channel, replies_exchange(service))
    declare_quorum_queue(channel, request_queue(service), {})
    return request_queue(service)


def bind_requests(channel: amqp.Channel, service: str) -> None:
    """Leads the service's requests to its queue, and no longer to that of release 0.2.

    In this order, since a request on neither would be lost. One that arrives in between comes by both queues.
    """
    bind(channel, request_queue(service), RPC_EXCHANGE, f"{service}.*")
    former = former_request_queue(service)
    if is_queue(channel, former):
        Queue(former, Exchange(RPC_EXCHANGE), f"{service}.*", channel=channel).queue_unbind()


def declare_former_request_queue(channel: amqp.Channel, service: str) -> None:
    """Declares what processes of release 0.2 and before read: the queue of requests, bound, and the lock."""
    for name in (former_request_queue(service), former_dead_letters_lock(service)):
        Queue(name, channel=channel).queue_declare()
    bind(channel, former_request_queue(service), RPC_EXCHANGE, f"{service}.*")


def is_former_in_use(connection: amqp.Connection, service: str) -> bool:
    """Whether processes of release 0.2 or before run: those of this release read both queues of requests."""
    former, current = (depth_of(connection, name(service)) for name in (former_request_queue, request_queue))
    return former is not None and former[1] > (current or (0, 0))[1]


def delete_former_queues(connection: amqp.Connection, service: str) -> None:
    """Deletes what only processes of release 0.2 and before read, where it is empty."""
    for name in (former_request_queue(service), former_dead_letters_lock(service)):
        with suppress(amqp.PreconditionFailed, amqp.NotFound), connection.channel() as channel:
            channel.queue_delete(name, if_empty=True)


def _declare_copies(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """Declares the queue with its dead-letter queue, bound to the copies that the producer sends to its service."""
    declare_working_queue(channel, queue, dead_queue(queue))
    declare_exchange(channel, events_exchange(contract.producer))
    bind(channel, queue, events_exchange(contract.producer), contract.key_for(owner_of(queue)))


def _former_keys(queue: str, contract: EventContract) -> list[str]:
    return [contract.key_for(owner_of(queue)), contract.routing_key]


def _dead_letters_to(exchange: str, queue: str | None = None) -> dict[str, Any]:
    """Arguments for dead-lettering to a queue; without one, to the queue that the message's routing key names."""
    return {
        "x-dead-letter-exchange": exchange,
        **({"x-dead-letter-routing-key": queue} if queue else {}),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _changed(name: str, error: amqp.PreconditionFailed) -> str:
    return (
        f"The queue {name} exists with other arguments than this code declares. Let its messages be handled by the"
        f" release that made it, delete it, and start again. The broker says: {error}"
    )
