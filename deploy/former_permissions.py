"""Broker permissions of the release before 2026-11-29, needed during an upgrade from it.

Remove this with `former_release_until` when no system runs that release any more.
"""

import re
from collections.abc import Iterable

from deploy.permission_patterns import NOTHING, OfTopic, Permissions, any_of, keys_of
from gateway.live_updates import STREAMED
from services.contracts.events.all_events import EVENTS
from services.contracts.events.membership import SESSIONS_ENDED
from services.contracts.external import bank
from services.contracts.services import SERVICES
from services.kit.amqp.queues import COUNTS_EXCHANGE, EVENTS_EXCHANGE, RPC_EXCHANGE, former_request_queue, own_exchange
from services.kit.events.contract import LIVE

_REPLY_ADDRESS = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def former_permissions_of(program: str) -> Permissions:
    """Returns the former permissions of a service, the gateway or an outside party."""
    if program == "gateway":
        return _of_gateway()
    if program in ("bank", "insurer"):
        return Permissions(NOTHING, NOTHING, NOTHING)
    return _of_batching() if program == "batching" else _of_service(program)


def _of_service(service: str, more: Iterable[str] = (), unread: Iterable[str] = ()) -> Permissions:
    """A service owns what has its name, publishes its own events, consumes those of its contracts, and replies."""
    own = [rf"{service}\..+", re.escape(former_request_queue(service)), *more]
    shared = [EVENTS_EXCHANGE, RPC_EXCHANGE]
    published = [keys_of(event, event.recipients) for event in EVENTS.values() if event.producer == service]
    consumed = [keys_of(event, [service]) for event in EVENTS.values() if service in event.consumers]
    return Permissions(
        configure=any_of(own),
        write=any_of([*own, *shared]),
        read=any_of([*(name for name in own if name not in unread), *shared]),
        topics={
            EVENTS_EXCHANGE: OfTopic(any_of(published), any_of(consumed)),
            RPC_EXCHANGE: OfTopic(any_of([_REPLY_ADDRESS]), any_of([re.escape(f"{service}.*")])),
        },
    )


def _of_batching() -> Permissions:
    """Batching is a service that also owns the bank's exchanges and queues; it may not read what waits for the bank."""
    of_the_bank = [*map(re.escape, (bank.BATCHES_QUEUE, bank.RECEIPTS_QUEUE))]
    names = [bank.EXCHANGE, bank.FEEDBACK_QUEUE, bank.REJECTED_QUEUE]
    common = _of_service("batching", [*map(re.escape, names), *of_the_bank], of_the_bank)
    sent = any_of(map(re.escape, (bank.SUBMITTED, bank.RECALLED, bank.RECEIPT)))
    ways = {
        bank.EXCHANGE: OfTopic(sent, any_of(map(re.escape, (bank.BATCH_MESSAGES, bank.RECEIPT)))),
        bank.FEEDBACK_EXCHANGE: OfTopic(read=any_of([re.escape(bank.FEEDBACK_QUEUE)])),
    }
    return Permissions(common.configure, common.write, common.read, {**common.topics, **ways})


def _of_gateway() -> Permissions:
    """The gateway calls services; its queues for replies, live events and counts end with its connections."""
    own = [
        *(r"rpc\.reply-gateway-.+", r"gateway\.listen\..+", rf"{re.escape(COUNTS_EXCHANGE)}(\..+)?"),
        re.escape(own_exchange("gateway")),
    ]
    methods = rf"({'|'.join(SERVICES)})\.[a-z_]+"
    streamed = [keys_of(event, [LIVE]) for event in (*STREAMED, SESSIONS_ENDED)]
    return Permissions(
        configure=any_of(own),
        write=any_of([*own, RPC_EXCHANGE]),
        read=any_of([*own, EVENTS_EXCHANGE, RPC_EXCHANGE]),
        topics={
            EVENTS_EXCHANGE: OfTopic(read=any_of(streamed)),
            RPC_EXCHANGE: OfTopic(any_of([methods]), any_of([_REPLY_ADDRESS])),
        },
    )
