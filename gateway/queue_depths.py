"""Reads the depths of the broker's queues by passive declaration, which needs no permission on a queue."""

from collections.abc import Iterable

from services.contracts.external import bank, insurer
from services.contracts.services import SERVICES
from services.kit.amqp.connection import BROKER_ERRORS, drop, limit_waits, open_connection
from services.kit.amqp.queues import request_queue
from services.kit.events import topology
from services.kit.problems import Unavailable
from services.kit.rpc.request import RETRY_AFTER
from services.kit.settings import MessagingSettings, read_settings

_SECONDS = 5.0
_KINDS = {
    **{request_queue(service): "requests" for service in SERVICES},
    **dict.fromkeys(topology.event_queues(), "events"),
    bank.BATCHES_QUEUE: "to_bank",
    bank.RECEIPTS_QUEUE: "to_bank",
    bank.FEEDBACK_QUEUE: "from_bank",
    insurer.MEMBERS_QUEUE: "to_insurer",
    insurer.RECEIPTS_QUEUE: "to_insurer",
    insurer.ENROLMENTS_QUEUE: "from_insurer",
    **dict.fromkeys(topology.dead_queues(), "dead"),
}


def depths(names: Iterable[str]) -> list[tuple[str, int, int]]:
    """Returns name, ready messages and consumers of each existing queue; raises Unavailable if the broker is away."""
    connection = None
    try:
        connection = open_connection(read_settings(MessagingSettings).amqp_uri, "gateway depths")
        limit_waits(connection, _SECONDS)
        return list(topology.depths(connection, names))
    except BROKER_ERRORS as error:
        raise Unavailable(RETRY_AFTER) from error
    finally:
        drop(connection)


def depths_of_all() -> tuple[list[tuple[str, int, int]], list[str]]:
    """Returns the depths of all permanent queues, and the names of those that should exist but are missing.

    Retry queues are never missing: each is declared when it is first needed.
    """
    found = depths(topology.all_queues(read_settings(MessagingSettings).retry_delays))
    names = {name for name, _, _ in found}
    return found, [queue for queue in topology.all_queues(()) if queue not in names]


def kind_of(queue: str) -> str:
    """Returns what a queue is for."""
    return _KINDS.get(queue, "retry")
