"""The queues and exchanges of the system, as its contracts name them and its services own them."""

from collections.abc import Iterable, Iterator

import amqp
from kombu import Connection, Queue

from services.kit.amqp.queues import (
    RPC_EXCHANGE,
    dead_queue,
    delay_exchange,
    events_exchange,
    own_exchange,
    owner_of,
    queue_name,
    replies_exchange,
    request_queue,
    retry_queue,
    strays_exchange,
    strays_queue,
)
from services.kit.system import external_of, the_system


def event_queues() -> list[str]:
    """The queues in which events wait for their consumers."""
    return list(
        dict.fromkeys(
            queue_name(consumer, event.name) for event in the_system().events.values() for consumer in event.consumers
        )
    )


def dead_queues(service: str | None = None) -> list[str]:
    """The dead-letter queues of one service or of all."""
    found = [
        *map(dead_queue, event_queues()),
        *map(strays_queue, the_system().services),
        *(external.rejected for external in the_system().external),
    ]
    return [queue for queue in found if service in (None, owner_of(queue))]


def all_queues(retry_delays: Iterable[float]) -> list[str]:
    """All durable queues, whether they were needed yet or not."""
    delays = list(retry_delays)
    return [
        *map(request_queue, the_system().services),
        *(queue for external in the_system().external for queue in external.queues),
        *(name for queue in event_queues() for name in (queue, dead_queue(queue))),
        *map(strays_queue, the_system().services),
        *(retry_queue(service, seconds) for service in the_system().services for seconds in delays),
    ]


def needed_queues(service: str) -> list[str]:
    """The queues of the messages that a service sends or receives."""
    if service not in the_system().services:
        return []
    consumed = consumed_queues(service)
    published = [
        queue_name(consumer, event.name)
        for event in the_system().events.values()
        if event.producer == service
        for consumer in event.consumers
    ]
    outside = [queue for external in external_of(service) for queue in external.needed]
    own = [*consumed, *(dead_queue(queue) for queue in consumed if queue in event_queues()), *outside]
    return list(dict.fromkeys([*own, *published]))


def consumed_queues(service: str) -> list[str]:
    """The queues that each process of a service reads all the time."""
    if service not in the_system().services:
        return []
    heard = [queue for queue in event_queues() if owner_of(queue) == service]
    outside = (queue for external in external_of(service) for queue in external.consumed)
    return [request_queue(service), *heard, *outside]


def needed_exchanges(program: str, retry_delays: Iterable[float]) -> list[str]:
    """The exchanges that a service or the gateway publishes to or binds queues to."""
    if program not in the_system().services:
        live = {event.producer for event in the_system().events.values() if event.is_live}
        return [
            RPC_EXCHANGE,
            own_exchange(program),
            *map(replies_exchange, the_system().services),
            *map(events_exchange, sorted(live)),
        ]
    ways = (events_exchange, replies_exchange, own_exchange, strays_exchange)
    outside = [exchange for external in external_of(program) for exchange in external.exchanges]
    delays = (delay_exchange(program, seconds) for seconds in retry_delays)
    return [RPC_EXCHANGE, *(way(program) for way in ways), *delays, *outside]


def missing_exchanges(connection: Connection, exchanges: Iterable[str]) -> list[str]:
    """Those of the exchanges that do not exist. Needs no permission on them."""
    missing, channel = [], connection.channel()
    for exchange in exchanges:
        try:
            channel.exchange_declare(exchange, "direct", passive=True)
        except amqp.NotFound:
            channel = connection.channel()
            missing.append(exchange)
    channel.close()
    return missing


def depths(connection: Connection, queues: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Name, ready messages and consumers of each queue that exists. Needs no permission on them."""
    channel = connection.channel()
    for queue in queues:
        try:
            found = Queue(queue, channel=channel).queue_declare(passive=True)
        except amqp.NotFound:
            channel = connection.channel()
            continue
        yield queue, int(found.message_count), int(found.consumer_count)
    channel.close()
