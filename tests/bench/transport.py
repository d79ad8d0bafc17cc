"""Messages a second through our kombu transport, against kombu's own: published with confirms, and consumed."""

import time
from collections.abc import Callable

from kombu import Connection, Consumer, Producer, Queue

from deploy.local.nodes import Nodes
from services.kit.amqp.connection import OutgoingMessage, open_connection
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import declare_quorum_queue
from tests.bench.environment import Options, fresh_vhost
from tests.bench.report import Report, Row
from tests.bench.runs import Runs, ratio

TITLE = "AMQP transport"
MESSAGES = 10_000
RUNS = 5
_BODY = b"{" + b" " * 398 + b"}"
_QUEUE = "bench"
_PREFETCH = 600
_ACKED_AT_ONCE = 200


def measure(on: Nodes, _secrets: dict[str, str], options: Options) -> Report:
    """Runs both transports in turn, several times."""
    messages, runs = (500, 1) if options.quick else (MESSAGES, RUNS)
    contenders: dict[str, Callable[[str, int], None]] = {
        "kombu publishes": _kombu_publishes,
        "ours publishes": _we_publish,
        "kombu consumes": lambda uri, count: _consume(Connection(uri), count),
        "ours consumes": lambda uri, count: _consume(open_connection(uri, "bench"), count),
    }
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, contender in contenders.items():
            with fresh_vhost(on) as amqp_uri:
                with open_connection(amqp_uri, "bench") as connection:
                    declare_quorum_queue(connection.channel(), _QUEUE, {})
                if "consumes" in name:
                    _we_publish(amqp_uri, messages)
                began = time.monotonic()
                contender(amqp_uri, messages)
                figures[name].append(messages / (time.monotonic() - began))
    measured = {name: Runs(found) for name, found in figures.items()}
    return Report(
        "transport",
        TITLE,
        [_row(measured, "Published", "publishes"), _row(measured, "Consumed", "consumes")],
        f"{messages:,} messages of {len(_BODY)} bytes on a quorum queue of one node; each published one is confirmed, "
        f"{_ACKED_AT_ONCE} consumed ones are acked at once, {_PREFETCH} are unacked at most. kombu's Producer waits "
        "for each confirm (`confirm_publish`); its Consumer takes one message a call.",
    )


def _row(measured: dict[str, Runs], what: str, verb: str) -> Row:
    ours, kombu = measured[f"ours {verb}"], measured[f"kombu {verb}"]
    return Row(
        f"{what} with guarantees",
        kombu.show("a second"),
        ours.show("a second"),
        ratio(ours, kombu).show("times", 1),
        "–",
        None,
    )


def _kombu_publishes(amqp_uri: str, count: int) -> None:
    with Connection(amqp_uri, transport_options={"confirm_publish": True}) as connection:
        producer = Producer(connection.channel())
        for _ in range(count):
            producer.publish(_BODY, _QUEUE, content_type="application/json", content_encoding="utf-8")


def _we_publish(amqp_uri: str, count: int) -> None:
    publisher = ConfirmedPublisher(amqp_uri, "bench", 30)
    properties = {"content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 2}
    refused = publisher.publish([OutgoingMessage("", _QUEUE, _BODY, properties) for _ in range(count)])
    publisher.drop()
    if refused:
        raise RuntimeError(f"{len(refused)} messages were refused")


def _consume(connection: Connection, count: int) -> None:
    taken = 0

    def take(message: object) -> None:
        nonlocal taken
        taken += 1
        if taken % _ACKED_AT_ONCE == 0 or taken == count:
            message.ack(multiple=True)  # type: ignore[attr-defined]

    with (
        connection,
        Consumer(connection.channel(), [Queue(_QUEUE)], on_message=take, prefetch_count=_PREFETCH, auto_declare=False),
    ):
        drain = getattr(connection.connection, "drain_all", connection.drain_events)
        while taken < count:
            drain(timeout=30)
