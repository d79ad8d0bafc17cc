"""Broker permissions: a user for each program, with permissions derived from the contracts.

The contracts say which events a service publishes and consumes, the gateway which ones pages receive.
RabbitMQ checks a routing key when something is published, not when exchanges are bound to one another, nor for an
alternate exchange, a dead-letter route or the header CC. So a service may bind nothing, may declare nothing but a lock
that it can neither read nor write, and may publish only to exchanges of which it is the only producer.
"""

import re
from collections.abc import Callable

from deploy.former_permissions import former_permissions_of
from deploy.permission_patterns import NOTHING, OfTopic, Permissions, any_of, exactly
from gateway.live_updates import STREAMED
from services.contracts.events.all_events import EVENTS
from services.contracts.events.membership import SESSIONS_ENDED
from services.contracts.external import bank, insurer
from services.contracts.services import SERVICES
from services.kit.amqp.queues import (
    COUNTS_EXCHANGE,
    RPC_EXCHANGE,
    dead_letters_lock,
    dead_queue,
    events_exchange,
    former_dead_letters_lock,
    former_request_queue,
    own_exchange,
    owner_of,
    replies_exchange,
    request_queue,
    strays_queue,
)
from services.kit.events.contract import LIVE
from services.kit.events.topology import event_queues

__all__ = ["OPTIONAL_PROGRAMS", "PROGRAMS", "SERVICES", "OfTopic", "Permissions", "permissions_of", "text"]

PROGRAMS = (*SERVICES, "gateway", "bank", "insurer")
OPTIONAL_PROGRAMS = ("insurer",)
"""Programs without which the system works; they have a user only where somebody gave it a password."""
_SECONDS = r"[0-9.]+"
_ABOUT = """# Broker permissions

Made from the contracts by `make docs` (`deploy/permissions.py`); do not edit. Each program has a user of its own.
Regular expressions are RabbitMQ's: *configure* declares and deletes, *write* publishes to an exchange and binds a
queue or an exchange, *read* consumes, gets and purges a queue and binds to an exchange. On a topic exchange *write* and
*read* are routing keys. A service binds nothing and declares only the lock of its dead letters, which ends with its
connection; no exchange has two producers. The administrator, who may do everything, is for deploying only.
"""


def permissions_of(program: str, *, beside_former: bool = False) -> Permissions:
    """Returns what a service, the gateway or an outside party may do; nobody may use the default exchange.

    `beside_former` lets processes of the previous release work as well during an upgrade.
    """
    allowed = _OF[program]() if program in _OF else _of_service(program)
    return allowed.beside(former_permissions_of(program)) if beside_former else allowed


def text() -> str:
    """Returns docs/broker-permissions.md."""
    rows = [row for program in PROGRAMS for row in _rows(program)]
    return f"{_ABOUT}\n| user | on | configure | write | read |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _of_service(service: str) -> Permissions:
    """A service publishes its own events and replies, and reads its queues and moves messages among them."""
    queues = [queue for queue in event_queues() if owner_of(queue) == service]
    ways = [events_exchange(service), replies_exchange(service), own_exchange(service)]
    read = [
        *queues,
        *map(dead_queue, queues),
        strays_queue(service),
        request_queue(service),
        # Of release 0.2, whose processes may still run.
        former_request_queue(service),
        former_dead_letters_lock(service),
    ]
    published = [
        re.escape(event.key_for(recipient))
        for event in EVENTS.values()
        if event.producer == service
        for recipient in event.recipients
    ]
    return Permissions(
        configure=exactly([dead_letters_lock(service)]),
        write=any_of([*map(re.escape, ways), rf"{service}\.delay-{_SECONDS}"]),
        read=any_of([*map(re.escape, read), rf"{service}\.retry-{_SECONDS}"]),
        topics={events_exchange(service): OfTopic(write=any_of(published))},
    )


def _of_membership() -> Permissions:
    """Membership is a service that also sends to the mutual-aid society and reads what the society sends."""
    ways = {
        insurer.EXCHANGE: OfTopic(write=exactly([insurer.ELIGIBLE, insurer.RECEIPT])),
        # As for the bank's exchange of feedback.
        insurer.ENROLMENTS_EXCHANGE: OfTopic(),
    }
    read = exactly([insurer.ENROLMENTS_QUEUE, insurer.REJECTED_QUEUE])
    return _of_service("membership").beside(Permissions(NOTHING, exactly([insurer.EXCHANGE]), read, ways))


def _of_batching() -> Permissions:
    """Batching is a service that also sends to the bank and reads what the bank sends."""
    common = _of_service("batching")
    ways = {
        bank.EXCHANGE: OfTopic(write=exactly([bank.SUBMITTED, bank.RECALLED, bank.RECEIPT])),
        # The exchange has its queue's name: a reader of the queue must not bind to the exchange.
        bank.FEEDBACK_EXCHANGE: OfTopic(),
    }
    return common.beside(
        Permissions(NOTHING, exactly([bank.EXCHANGE]), exactly([bank.FEEDBACK_QUEUE, bank.REJECTED_QUEUE]), ways)
    )


def _of_gateway() -> Permissions:
    """The gateway calls services; its queues for replies, live events and counts end with its connections.

    Only the gateway may call services, so its bindings give it no exchange that it could not publish to itself.
    """
    own = [r"rpc\.reply-gateway-.+", r"gateway\.listen\..+", rf"{re.escape(COUNTS_EXCHANGE)}(\..+)?"]
    streamed = {
        events_exchange(service): OfTopic(
            read=exactly(event.key_for(LIVE) for event in (*STREAMED, SESSIONS_ENDED) if event.producer == service)
        )
        for service in SERVICES
    }
    ways = [RPC_EXCHANGE, own_exchange("gateway")]
    sources = [way(service) for service in SERVICES for way in (events_exchange, replies_exchange)]
    return Permissions(
        configure=any_of(own),
        write=any_of([*own, *map(re.escape, ways)]),
        read=any_of([*own, *map(re.escape, sources)]),
        topics={**streamed, RPC_EXCHANGE: OfTopic(write=any_of([rf"({'|'.join(SERVICES)})\.[a-z_]+"]))},
    )


def _of_bank() -> Permissions:
    """The bank reads its two queues and sends feedback, nothing else.

    A reader of a queue may also empty it: RabbitMQ has no right to consume without the right to purge.
    """
    return Permissions(
        configure=NOTHING,
        write=exactly([bank.FEEDBACK_EXCHANGE]),
        read=exactly([bank.BATCHES_QUEUE, bank.RECEIPTS_QUEUE]),
        topics={bank.FEEDBACK_EXCHANGE: OfTopic(write=exactly([bank.FEEDBACK_QUEUE]))},
        limits={"max-connections": bank.MOST_CONNECTIONS, "max-channels": bank.MOST_CHANNELS},
    )


def _of_insurer() -> Permissions:
    """The mutual-aid society reads its two queues and sends enrolments, nothing else."""
    return Permissions(
        configure=NOTHING,
        write=exactly([insurer.ENROLMENTS_EXCHANGE]),
        read=exactly([insurer.MEMBERS_QUEUE, insurer.RECEIPTS_QUEUE]),
        topics={insurer.ENROLMENTS_EXCHANGE: OfTopic(write=exactly([insurer.ENROLMENTS_QUEUE]))},
        limits={"max-connections": insurer.MOST_CONNECTIONS, "max-channels": insurer.MOST_CHANNELS},
    )


_OF: dict[str, Callable[[], Permissions]] = {
    "membership": _of_membership,
    "batching": _of_batching,
    "gateway": _of_gateway,
    "bank": _of_bank,
    "insurer": _of_insurer,
}
"""The permissions of programs that are no service, or a service and more."""


def _rows(program: str) -> list[str]:
    permissions = permissions_of(program)
    cells = (permissions.configure, permissions.write, permissions.read)
    rows = [f"| {program} | queues and exchanges | {' | '.join(map(_cell, cells))} |"]
    if permissions.limits:
        rows.append(f"| | at once | {', '.join(f'`{name}` {most}' for name, most in permissions.limits.items())} | | |")
    for exchange, topic in permissions.topics.items():
        rows.append(f"| | topics of `{exchange}` | | {_cell(topic.write)} | {_cell(topic.read)} |")
    return rows


def _cell(pattern: str) -> str:
    """Formats a regular expression for a table's cell and escapes its bars, which would end the cell."""
    return "nothing" if pattern == NOTHING else f"`{pattern}`".replace("|", r"\|")
