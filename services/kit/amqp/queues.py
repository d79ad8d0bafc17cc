"""Names and arguments of exchanges and queues; the only place that declares them."""

from collections.abc import Iterable
from typing import Any

import amqp
from kombu import Connection, Exchange, Queue

from services.kit.events.contract import EventContract
from services.kit.system import the_system

EVENTS_EXCHANGE = "events"
"""What an outbox row calls the exchange of its service's events, and by which the release before sent all of them."""
RPC_EXCHANGE = "nameko-rpc"
"""The way of requests, which are the gateway's alone; the release before sent replies by it too."""
COUNTS_EXCHANGE = "gateway.counts"
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


def retry_queue(service: str, seconds: float) -> str:
    """Where messages of any queue of a service wait `seconds` before they come back."""
    return f"{service}.retry-{seconds:g}"


def delay_exchange(service: str, seconds: float) -> str:
    """By which a service sends a message to wait; the routing key is the queue that it comes back to."""
    return f"{service}.delay-{seconds:g}"


def dead_letters_lock(service: str) -> str:
    """A queue whose one consumer alone reads the service's dead letters."""
    return f"{service}.dead-letters-lock"


def own_exchange(service: str) -> str:
    """Where a service reaches its own queues by their names; by the default exchange it could reach everybody's."""
    return f"{service}.own"


def strays_exchange(service: str) -> str:
    """Where what comes back from waiting goes while its queue is missing: by a policy on the service's own exchange."""
    return f"{service}.strays"


def strays_queue(service: str) -> str:
    """The dead letters that such messages become."""
    return dead_queue(strays_exchange(service))


def events_exchange(producer: str) -> str:
    """Where a service publishes its events, and nobody else."""
    return f"{producer}.events"


def replies_exchange(service: str) -> str:
    """Where a service replies to requests, and nobody else."""
    return f"{service}.replies"


def request_queue(service: str) -> str:
    """Where a service's requests wait, named as Nameko does it."""
    return f"rpc-{service}"


def owner_of(queue: str) -> str:
    """The service that a queue belongs to: its name begins with it, but for that of an external queue."""
    prefix, external = queue.partition(".")[0], the_system().external
    return external.owner if prefix == external.prefix else prefix


def declare_subscription(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """The producer's exchange, the queue bound to its service's copies of an event, and first its dead-letter queue.

    It is bound as the releases before sent, too: no release sends by both.
    """
    _declare_copies(channel, queue, contract)
    declare_exchange(channel, EVENTS_EXCHANGE)
    for key in _former_keys(queue, contract):
        bind(channel, queue, EVENTS_EXCHANGE, key)


def declare_only_subscription(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """The same without the ways of the releases before, which are taken away where they are there."""
    _declare_copies(channel, queue, contract)
    declare_exchange(channel, EVENTS_EXCHANGE)
    for key in _former_keys(queue, contract):
        Queue(queue, Exchange(EVENTS_EXCHANGE), key, channel=channel).queue_unbind()


def declare_missing_subscription(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """Another service's subscription, made where it is missing."""
    if not is_queue(channel, queue):
        declare_subscription(channel, queue, contract)


def declare_exchange(channel: amqp.Channel, name: str) -> None:
    """A durable topic exchange."""
    Exchange(name, "topic", channel=channel).declare()


def declare_direct_exchange(channel: amqp.Channel, name: str) -> str:
    """A durable direct exchange, of which one program is the only producer; answers its name."""
    Exchange(name, "direct", channel=channel).declare()
    return name


def declare_counts_exchange(channel: amqp.Channel) -> None:
    """Where the gateway's processes tell one another their counts; it goes with the broker, and comes with them."""
    Exchange(COUNTS_EXCHANGE, "fanout", durable=False, channel=channel).declare()


def bind(channel: amqp.Channel, queue: str, exchange: str, routing_key: str = "") -> None:
    """Has a queue get what is published to an exchange by a routing key."""
    Queue(queue, Exchange(exchange), routing_key, channel=channel).queue_bind()


def declare_working_queue(channel: amqp.Channel, queue: str, dead: str) -> None:
    """A quorum queue whose dead letters go to `dead` with the broker's own confirms; its owner reaches both by name.

    The dead-letter queue comes first: without it the broker would drop what it cannot deliver.
    """
    declare_quorum_queue(channel, dead, {})
    declare_quorum_queue(channel, queue, {"x-delivery-limit": DELIVERY_LIMIT, **_dead_letters_to("", dead)})
    own = declare_direct_exchange(channel, own_exchange(owner_of(queue)))
    for name in (dead, queue):
        bind(channel, name, own, name)


def declare_quorum_queue(channel: amqp.Channel, name: str, arguments: dict[str, Any]) -> None:
    """A durable quorum queue with further arguments; raises QueueChanged where it exists with others."""
    try:
        Queue(name, queue_arguments={"x-queue-type": "quorum", **arguments}, channel=channel).queue_declare()
    except amqp.PreconditionFailed as error:
        raise QueueChanged(_changed(name, error)) from error


def declare_retry_queue(channel: amqp.Channel, service: str, seconds: float) -> None:
    """The waiting place for `seconds` before a message goes back to the queue of its routing key, and the way there."""
    name, way = retry_queue(service, seconds), delay_exchange(service, seconds)
    back = {**_dead_letters_to(own_exchange(service)), "x-message-ttl": int(seconds * 1000)}
    declare_quorum_queue(channel, name, back)
    Exchange(way, "fanout", channel=channel).declare()
    bind(channel, name, way)


def declare_strays(channel: amqp.Channel, service: str, queues: Iterable[str]) -> None:
    """A way out for what comes back to one of these queues, all of the service, while it is missing.

    RabbitMQ holds 32 dead letters that find no queue, and then all behind them. Only these queues have the way: what
    is published to another that is missing still comes back to its publisher.
    """
    way, dead = declare_direct_exchange(channel, strays_exchange(service)), strays_queue(service)
    declare_quorum_queue(channel, dead, {})
    bind(channel, dead, declare_direct_exchange(channel, own_exchange(service)), dead)
    for queue in queues:
        bind(channel, dead, way, queue)


def declare_dead_letters_lock(channel: amqp.Channel, service: str) -> str:
    """The queue, always empty, that one reader of the service's dead letters consumes; answers its name."""
    name = dead_letters_lock(service)
    Queue(name, channel=channel).queue_declare()
    return name


def is_queue(channel: amqp.Channel, name: str) -> bool:
    """Whether there is such a queue; asks on a channel of its own, which the broker closes where there is none."""
    return depth_of(channel.connection, name) is not None


def depth_of(connection: amqp.Connection | Connection, name: str) -> tuple[int, int] | None:
    """How many messages are ready in a queue, and how many consumers it has; None where there is no such queue."""
    try:
        with connection.channel() as probe:
            found = Queue(name, channel=probe).queue_declare(passive=True)
    except amqp.NotFound:
        return None
    return int(found.message_count), int(found.consumer_count)


def declare_passing_queue(channel: amqp.Channel, name: str) -> str:
    """A queue that belongs to one connection and goes with it."""
    Queue(name, durable=False, exclusive=True, channel=channel).queue_declare()
    return name


def declare_request_queue(channel: amqp.Channel, service: str) -> str:
    """The queue of a service's requests, named and bound as Nameko does it; answers its name."""
    name = request_queue(service)
    declare_exchange(channel, RPC_EXCHANGE)
    declare_direct_exchange(channel, replies_exchange(service))
    Queue(name, channel=channel).queue_declare()
    bind(channel, name, RPC_EXCHANGE, f"{service}.*")
    return name


def _declare_copies(channel: amqp.Channel, queue: str, contract: EventContract) -> None:
    """The queue with its dead letters, bound to what the producer sends to its service."""
    declare_working_queue(channel, queue, dead_queue(queue))
    declare_exchange(channel, events_exchange(contract.producer))
    bind(channel, queue, events_exchange(contract.producer), contract.key_for(owner_of(queue)))


def _former_keys(queue: str, contract: EventContract) -> list[str]:
    return [contract.key_for(owner_of(queue)), contract.routing_key]


def _dead_letters_to(exchange: str, queue: str | None = None) -> dict[str, Any]:
    """Without a queue, to the one that the message's routing key names."""
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
