"""Who may do what on the broker: a user for each program, with permissions that follow from the contracts.

What a service reads and tells is in the contracts, what pages hear in the gateway: nothing is listed here a second
time.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.notices import STREAMED
from services.common.contracts import bank
from services.common.contracts.all_events import EVENTS
from services.common.contracts.event import LIVE, EventContract
from services.common.contracts.membership import SESSIONS_ENDED
from services.common.messaging.queues import (
    COUNTS_EXCHANGE,
    EVENTS_EXCHANGE,
    RPC_EXCHANGE,
    own_exchange,
    request_queue,
)

SERVICES = ("membership", "validation", "batching", "revocation", "notification")
PROGRAMS = (*SERVICES, "gateway", "bank")
_REPLY_ADDRESS = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NOTHING = "^$"
_ABOUT = """# Broker permissions

Made from the contracts by `make docs` (`deploy/permissions.py`); do not edit. Each program has a user of its own.
Regular expressions are RabbitMQ's: *configure* declares and deletes, *write* publishes to an exchange and binds a
queue, *read* consumes, gets and purges a queue and binds to an exchange. On a topic exchange *write* and *read* are
routing keys. The administrator, who may do everything, is for deploying only.
"""


@dataclass(frozen=True)
class OfTopic:
    """The routing keys of a topic exchange that a user may publish with, and bind queues by."""

    write: str = _NOTHING
    read: str = _NOTHING


@dataclass(frozen=True)
class Permissions:
    """RabbitMQ's three regular expressions over names of queues and exchanges, and those of topic exchanges."""

    configure: str
    """Declare and delete."""
    write: str
    """Publish to an exchange, bind a queue."""
    read: str
    """Consume, get and purge a queue, bind to an exchange."""
    topics: dict[str, OfTopic] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    """What the user may have at once, by RabbitMQ's own names."""


def permissions_of(program: str) -> Permissions:
    """What the user of a service, of the gateway or of the bank may do; nobody reaches the default exchange."""
    if program == "gateway":
        return _of_gateway()
    if program == "bank":
        return _of_bank()
    return _of_batching() if program == "batching" else _of_service(program)


def text() -> str:
    """The table for people."""
    rows = [row for program in PROGRAMS for row in _rows(program)]
    return f"{_ABOUT}\n| user | on | configure | write | read |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _of_service(service: str, more: Iterable[str] = (), unread: Iterable[str] = ()) -> Permissions:
    """A service has what bears its name, tells its own events, hears those that it consumes, and replies."""
    own = [rf"{service}\..+", re.escape(request_queue(service)), *more]
    shared = [EVENTS_EXCHANGE, RPC_EXCHANGE]
    told = [_keys_of(event, event.recipients) for event in EVENTS.values() if event.producer == service]
    heard = [_keys_of(event, [service]) for event in EVENTS.values() if service in event.consumers]
    return Permissions(
        configure=_any_of(own),
        write=_any_of([*own, *shared]),
        read=_any_of([*(name for name in own if name not in unread), *shared]),
        topics={
            EVENTS_EXCHANGE: OfTopic(_any_of(told), _any_of(heard)),
            RPC_EXCHANGE: OfTopic(_any_of([_REPLY_ADDRESS]), _any_of([re.escape(f"{service}.*")])),
        },
    )


def _of_batching() -> Permissions:
    """As a service, and what lies between us and the bank is batching's: all but reading what waits for the bank."""
    of_the_bank = [*map(re.escape, (bank.BATCHES_QUEUE, bank.RECEIPTS_QUEUE))]
    names = [bank.EXCHANGE, bank.FEEDBACK_QUEUE, bank.REJECTED_QUEUE]
    common = _of_service("batching", [*map(re.escape, names), *of_the_bank], of_the_bank)
    sent = _any_of(map(re.escape, (bank.SUBMITTED, bank.RECALLED, bank.RECEIPT)))
    ways = {
        bank.EXCHANGE: OfTopic(sent, _any_of(map(re.escape, (bank.BATCH_MESSAGES, bank.RECEIPT)))),
        bank.FEEDBACK_EXCHANGE: OfTopic(read=_any_of([re.escape(bank.FEEDBACK_QUEUE)])),
    }
    return Permissions(common.configure, common.write, common.read, {**common.topics, **ways})


def _of_gateway() -> Permissions:
    """The gateway asks services; its queues of replies, of events for pages and of counts go with its connections."""
    own = [
        *(r"rpc\.reply-gateway-.+", r"gateway\.listen\..+", rf"{re.escape(COUNTS_EXCHANGE)}(\..+)?"),
        re.escape(own_exchange("gateway")),
    ]
    asked = rf"({'|'.join(SERVICES)})\.[a-z_]+"
    heard = [_keys_of(event, [LIVE]) for event in (*STREAMED, SESSIONS_ENDED)]
    return Permissions(
        configure=_any_of(own),
        write=_any_of([*own, RPC_EXCHANGE]),
        read=_any_of([*own, EVENTS_EXCHANGE, RPC_EXCHANGE]),
        topics={
            EVENTS_EXCHANGE: OfTopic(read=_any_of(heard)),
            RPC_EXCHANGE: OfTopic(_any_of([asked]), _any_of([_REPLY_ADDRESS])),
        },
    )


def _of_bank() -> Permissions:
    """The bank takes what waits for it and sends feedback, and nothing else.

    Who reads a queue may empty it: RabbitMQ knows no right to consume without the right to purge.
    """
    feedback = _any_of([re.escape(bank.FEEDBACK_QUEUE)])
    return Permissions(
        configure=_NOTHING,
        write=_any_of([re.escape(bank.FEEDBACK_EXCHANGE)]),
        read=_any_of(map(re.escape, (bank.BATCHES_QUEUE, bank.RECEIPTS_QUEUE))),
        topics={bank.FEEDBACK_EXCHANGE: OfTopic(write=feedback)},
        limits={"max-connections": bank.MOST_CONNECTIONS, "max-channels": bank.MOST_CHANNELS},
    )


def _keys_of(event: EventContract, recipients: Iterable[str]) -> str:
    """The keys of copies for these recipients, and the former one, by which the release before tells and hears."""
    return rf"{re.escape(event.type)}(\.({'|'.join(recipients)}))?"


def _any_of(patterns: Iterable[str]) -> str:
    alternatives = "|".join(patterns)
    return f"^({alternatives})$" if alternatives else _NOTHING


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
    """A regular expression in a table's cell: its bars would end the cell."""
    return "nothing" if pattern == _NOTHING else f"`{pattern}`".replace("|", r"\|")
