"""Messages: at rest, outboxes and queues are empty, and each dead letter is explained."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.invariants.system import Snapshots, System
from deploy.invariants.violations import Violation
from deploy.permissions import SERVICES
from services.contracts.external import bank, insurer
from services.kit.amqp.connection import open_connection
from services.kit.broker_hosts import broker_hosts
from services.kit.dead_letters.letters import DeadLetter, DeadLetters
from services.kit.events.topology import all_queues, dead_queues, depths

_REJECTED_QUEUES = (bank.REJECTED_QUEUE, insurer.REJECTED_QUEUE)
_OUTBOX = "select id, routing_key, attempts, last_error, created_at from outbox order by id"


@dataclass(frozen=True)
class BrokerState:
    """The broker's content: queue depths, unexplained dead letters, and rejected messages."""

    depths: dict[str, int]
    unexplained: list[Violation]
    rejected: dict[str, frozenset[str]]
    """The ids of rejected messages of outside parties, by queue."""


def inspect_broker(system: System) -> BrokerState:
    """Reads all queues, without the messages that consumers hold unacknowledged."""
    sizes = queue_depths(system)
    unexplained: list[Violation] = []
    rejected: dict[str, set[str]] = {queue: set() for queue in _REJECTED_QUEUES}
    for service in SERVICES:
        for letter in DeadLetters(system.amqp_uris[service]).iterate(dead_queues(service)):
            if letter.external_id:
                rejected[letter.queue].add(letter.external_id)
            if not _is_explained(letter):
                unexplained.append(_unexplained(letter))
    return BrokerState(sizes, unexplained, {queue: frozenset(ids) for queue, ids in rejected.items()})


def queue_depths(system: System) -> dict[str, int]:
    """Returns the number of ready messages in each queue."""
    # As a service: each missing queue costs a channel, and the bank's user may open only a few.
    connection = open_connection(system.amqp_uris[SERVICES[0]], "invariants")
    try:
        return {name: ready for name, ready, _ in depths(connection, all_queues(system.retry_delays))}
    finally:
        connection.close()


def vhost_of(system: System) -> str:
    """Returns the broker's virtual host, the part of the address that is not secret."""
    return broker_hosts(system.amqp_uris[SERVICES[0]])[0].vhost


def waiting_messages(sizes: dict[str, int]) -> Iterator[Violation]:
    """Every queue but those of dead letters is empty."""
    for queue in sorted(sizes.keys() - set(dead_queues())):
        if sizes[queue]:
            yield Violation("queue_empty", queue, f"{sizes[queue]} messages wait")


def outboxes_are_empty(snapshots: Snapshots) -> Iterator[Violation]:
    """All events in the outboxes have been published."""
    for service in SERVICES:
        for row in snapshots.rows(service, _OUTBOX):
            detail = f"{row['routing_key']} since {row['created_at']}, {row['attempts']} tries, {row['last_error']}"
            yield Violation("outbox_empty", f"{service}/{row['id']}", detail)


def _is_explained(letter: DeadLetter) -> bool:
    """Whether a dead letter is explained: those of outside parties are, by their reason; our events never are."""
    return letter.queue in _REJECTED_QUEUES and bool(letter.reason)


def _unexplained(letter: DeadLetter) -> Violation:
    summary = letter.summary()
    detail = f"{summary.type}, {summary.cause}: {summary.reason}, {summary.attempts} attempts"
    return Violation("dead_letter_explained", f"{letter.queue}/{letter.id}", detail)
