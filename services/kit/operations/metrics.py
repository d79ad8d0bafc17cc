"""The Prometheus metrics that all programs share: messages, requests, queues, the outbox, the database, the build.

A series exists from the start of the process, so that an alert sees its first increase.
"""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, Info

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGES = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 21600, 86400)

messages_handled = Counter("messages_handled", "Messages whose effects were committed.", ["queue"])
messages_redelivered = Counter("messages_redelivered", "Messages that the broker delivered again.", ["queue"])
messages_failed = Counter("messages_failed", "Attempts to handle a message that failed.", ["queue", "cause"])
messages_retried = Counter("messages_retried", "Messages put into a retry queue.", ["queue"])
messages_dead = Counter("messages_dead_lettered", "Messages moved to a dead-letter queue or rejected.", ["queue"])
messages_refused = Counter("messages_refused", "Events that another than their producer published.", ["queue"])
message_age_seconds = Histogram(
    "message_age_seconds", "Age of an event when it is handled: how late its consumer is.", ["queue"], buckets=_AGES
)
handler_seconds = Histogram("handler_seconds", "One attempt to handle a message or a set.", ["queue"], buckets=_SECONDS)
message_in_hand_seconds = Gauge(
    "message_in_hand_seconds", "How long a message or chunk is being handled, with retries; 0 without one.", ["queue"]
)
queue_messages = Gauge("queue_messages", "Ready messages in a queue of this service.", ["queue"])
queue_consumers = Gauge("queue_consumers", "Consumers of a queue of this service.", ["queue"])
queues_missing = Gauge("queues_missing", "Queues and exchanges that this process needs and the broker lacks.")
broker_blocked = Gauge("broker_blocked", "1 while the broker accepts no messages, being short of memory or disk.")
rpc_refused = Counter("rpc_refused", "Requests that are not the gateway's, or not signed by it.", ["service"])
rpc_seconds = Histogram("rpc_seconds", "Requests answered by this service.", ["name", "outcome"], buckets=_SECONDS)
rpc_call_seconds = Histogram("rpc_call_seconds", "Requests asked of others.", ["name", "outcome"], buckets=_SECONDS)
rpc_expired = Counter("rpc_expired", "Requests dropped because their deadline had passed.", ["service"])
outbox_published = Counter("outbox_published", "Messages of the outbox that the broker confirmed.")
outbox_refused = Counter("outbox_refused", "Messages of the outbox that the broker returned or refused.")
outbox_size = Gauge("outbox_size", "Messages that wait in the outbox; 0 in a process whose relay is not the leader.")
outbox_age_seconds = Gauge("outbox_age_seconds", "Age of the oldest message in the outbox; likewise.")
database_connections = Gauge("database_connections", "Connections of the pool that are in use.")
database_connections_limit = Gauge("database_connections_limit", "Connections that the pool opens at most.")
relay_leads = Gauge("relay_leads", "1 in the one process of a service that publishes its outbox.")
ready = Gauge("ready", "1 while the process can work; /readyz says what it lacks.")
workers_busy = Gauge("workers_busy", "Requests and messages that are being handled.")
workers_limit = Gauge("workers_limit", "Requests and messages that are handled at once at most.")
_build = Info("build", "The program, its release and its Python.")


def describe_build(service: str, release: str, workers: int) -> None:
    """Sets what stays the same while the process runs."""
    _build.info({"service": service, "release": release, "python": platform.python_version()})
    workers_limit.set(workers)


def begin_series_of_queue(queue: str, seconds_in_hand: Callable[[], float]) -> None:
    """Creates the series of a queue that this process consumes; the function says how long a message is in hand."""
    message_in_hand_seconds.labels(queue).set_function(seconds_in_hand)
    for metric in (
        *(messages_handled, messages_redelivered, messages_retried, messages_dead, messages_refused),
        *(message_age_seconds, handler_seconds),
    ):
        metric.labels(queue)


def begin_series_of_requests(service: str) -> None:
    """Creates the series of a service's request queue."""
    rpc_refused.labels(service)
    rpc_expired.labels(service)


def begin_series_of_request(name: str) -> None:
    """Creates the series of a request that is answered."""
    rpc_seconds.labels(name, "answered")


@contextmanager
def busy_worker() -> Iterator[None]:
    """Counts a worker as busy."""
    workers_busy.inc()
    try:
        yield
    finally:
        workers_busy.dec()
