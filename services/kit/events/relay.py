"""Publishes the outbox: one relay, the leader, works for each database; the others stand by."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import amqp
import psycopg
import structlog
from nameko.extensions import DependencyProvider
from psycopg.rows import namedtuple_row

from services.kit.amqp.broker_users import BrokerUsers
from services.kit.amqp.connection import BROKER_ERRORS, OutgoingMessage
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import (
    EVENTS_EXCHANGE,
    declare_exchange,
    declare_missing_subscription,
    events_exchange,
    is_queue,
    queue_name,
)
from services.kit.amqp.watch import BrokerWatch
from services.kit.concurrency import Doorbell
from services.kit.data.database import decrypted
from services.kit.data.encryption import CannotDecrypt
from services.kit.data.primary import primary_of
from services.kit.events.contract import LIVE
from services.kit.events.outbox import CHANNEL
from services.kit.operations import metrics
from services.kit.operations.logs import class_name
from services.kit.settings import DatabaseSettings, MessagingSettings, read_settings
from services.kit.system import external_of, the_system

log = structlog.get_logger()

_LOCK = 0x6F757462
"""The advisory lock of the leader; advisory locks are separate for each database."""

_DUE = """
select id, exchange, routing_key, body, properties, mandatory, recipients from (
    select *, sum(octet_length(body)) over (order by id) - octet_length(body) as bytes_before from (
        select * from outbox
        where next_attempt_at <= now() and current_setting('transaction_read_only') = 'off' order by id limit 500
    ) as due
) as counted
where bytes_before < 4000000 order by id
"""
"""Finds nothing in a read-only database: rows that cannot be deleted afterwards would be published repeatedly."""
_POSTPONE = """
update outbox set attempts = attempts + 1, last_error = refused.reason, recipients = refused.recipients,
    next_attempt_at = now() + least(power(2, attempts), 300) * interval '1 second'
from unnest(%s::bigint[], %s::text[], %s::text[]) as refused (id, reason, recipients) where outbox.id = refused.id
"""
_IS_WRITABLE = "select 1 where current_setting('transaction_read_only') = 'off'"
_MAKE_ALL_DUE = "update outbox set next_attempt_at = now() where next_attempt_at > now()"
_SIZE = """
select coalesce(extract(epoch from now() - min(created_at)), 0), count(*),
    array_agg(distinct last_error) filter (where attempts > 1)
from (select created_at, attempts, last_error from outbox order by id limit 10000) as oldest
"""
COMMITS = "select pg_logical_emit_message(true, 'relay', 'at work')"
"""A commit waits for the synchronous standby, if there must be one. A former primary that was started again has none:
its relay waits here, and publishes nothing of what no client was answered.
"""
POLL_SECONDS = 2.0
"""How long the leader waits for a commit's notification before it polls."""
_STANDBY_SECONDS = 1.0
_MEASURE_SECONDS = 5.0


_MOST_REASONS = 10
"""Most reasons for refused messages that readiness reports."""


class Relay(DependencyProvider):
    """The service's relay as a dependency that needs no call. It works on a database connection of its own.

    Leader election is by the database's advisory lock. The lock ends with the connection, so a relay that cannot reach
    the database stops publishing, and a standby takes over within a second. A relay that is killed loses nothing: rows
    are deleted when the broker has confirmed them, and published again if that could not be recorded. The connection
    is a direct one, since behind a pooler of transactions neither the lock nor LISTEN would be its own.
    """

    watch = BrokerWatch()

    def __init__(self) -> None:
        super().__init__()
        self.on_measured: list[Callable[[int, float], None]] = []
        """Called by the leader every few seconds: how many messages wait, and for how many seconds the oldest has.

        Not while the database is read-only.
        """

    def setup(self) -> None:
        """Reads the settings."""
        self._missing: set[str] = set()
        self._refusals: list[str] = []
        self._settings = read_settings(MessagingSettings)
        self._primary = primary_of(read_settings(DatabaseSettings).direct_url)
        self._stopping = False
        self._doorbell = Doorbell()
        self._thread: Any = None

    def start(self) -> None:
        """Starts the work."""
        self._thread = self.container.spawn_managed_thread(self._run)

    def stop(self) -> None:
        """Returns when all published rows are confirmed and deleted; the workers have ended before."""
        self._stopping = True
        self._doorbell.ring()
        if self._thread is not None:
            self._thread.wait()

    def why_not_ready(self) -> list[str]:
        """The reasons why the broker repeatedly refused messages of this relay, if it is the leader."""
        return [f"the outbox keeps what the broker does not take: {reason}" for reason in self._refusals]

    def _run(self) -> None:
        backoff = 0.2
        while not self._stopping:
            try:
                with self._primary.connect(
                    autocommit=True,
                    application_name=f"{self.container.service_name} relay",
                    options="-c statement_timeout=30000",
                    row_factory=namedtuple_row,
                ) as database:
                    backoff = 0.2
                    self._elect_leader(database)
            except Exception as error:
                log.warning("relay_interrupted", reason=class_name(error), backoff=backoff)
                time.sleep(backoff)
                backoff = min(backoff * 2, 5)

    def _elect_leader(self, database: "psycopg.Connection[Any]") -> None:
        stands_by = False
        while not self._stopping:
            if database.execute("select pg_try_advisory_lock(%s)", [_LOCK]).fetchone()[0]:  # type: ignore[index]
                self._work(database)
                return
            if not stands_by:
                stands_by = True
                log.info("relay_on_standby")
            self._doorbell.wait(None, _STANDBY_SECONDS)

    def _work(self, database: "psycopg.Connection[Any]") -> None:
        database.execute(COMMITS)
        log.info("relay_leads")
        metrics.relay_leads.set(1)
        publisher = ConfirmedPublisher(
            self._settings.amqp_uri, f"{self.container.service_name} relay", self._settings.publish_seconds
        )
        self._measured_at = 0.0
        backoff = 0.2
        try:
            database.execute(f"listen {CHANNEL}")
            if BrokerUsers.of(self._settings.amqp_uri, self.container.service_name).is_shared:
                publisher.declare(lambda channel: declare_queues_of_producer(channel, self.container.service_name))
            while not self._stopping:
                self._maintain(database)
                try:
                    is_empty = not self._publish(database, publisher)
                    backoff = 0.2
                except BROKER_ERRORS as error:
                    log.warning("broker_away", error=class_name(error), backoff=backoff)
                    time.sleep(backoff)
                    backoff = min(backoff * 2, 5)
                    continue
                if is_empty and not self._stopping:
                    self._wait_for_commit(database)
            self._publish(database, publisher)
        finally:
            publisher.drop()
            self._refusals = []
            metrics.relay_leads.set(0)
            metrics.outbox_size.set(0)
            metrics.outbox_age_seconds.set(0)

    def _wait_for_commit(self, database: "psycopg.Connection[Any]") -> None:
        """Returns when a commit's notification is here, after POLL_SECONDS, or when the relay is to stop.

        psycopg itself would wake ten times a second for signals, which a service gets otherwise.
        """
        if not any(database.notifies(timeout=0, stop_after=1)):
            self._doorbell.wait(database.pgconn.socket, POLL_SECONDS)
            any(database.notifies(timeout=0, stop_after=1))

    def _publish(self, database: "psycopg.Connection[Any]", publisher: ConfirmedPublisher) -> int:
        """As `publish_due`, but nothing to a blocked broker, which would receive all of it twice afterwards."""
        return 0 if self.watch.is_blocked else publish_due(database, publisher)

    def _maintain(self, database: "psycopg.Connection[Any]") -> None:
        if time.monotonic() - self._measured_at < _MEASURE_SECONDS:
            return
        self._measured_at = time.monotonic()
        size, age = self._measure(database)
        if database.execute(_IS_WRITABLE).fetchone() is None:
            return
        self._retry_after_restore(database)
        for tell in self.on_measured:
            tell(size, age)

    def _retry_after_restore(self, database: "psycopg.Connection[Any]") -> None:
        """Makes all postponed rows due when a queue that was missing exists again."""
        missing = set(self.watch.missing)
        if self._missing - missing:
            database.execute(_MAKE_ALL_DUE)
        self._missing = missing

    def _measure(self, database: "psycopg.Connection[Any]") -> tuple[int, float]:
        age, size, refusals = database.execute(_SIZE).fetchone()  # type: ignore[misc]
        self._refusals = (refusals or [])[:_MOST_REASONS]
        metrics.outbox_age_seconds.set(age)
        metrics.outbox_size.set(size)
        return size, float(age)


def declare_queues_of_producer(channel: amqp.Channel, producer: str) -> None:
    """Declares the producer's exchange, all consumers' queues, even of ones that never ran, and external queues."""
    declare_exchange(channel, events_exchange(producer))
    for external in external_of(producer):
        if not is_queue(channel, external.queues[0]):
            external.declare(channel)
    for contract in the_system().events.values():
        for consumer in contract.consumers if contract.producer == producer else ():
            declare_missing_subscription(channel, queue_name(consumer, contract.name), contract)


def publish_due(database: "psycopg.Connection[Any]", publisher: ConfirmedPublisher) -> int:
    """Publishes due rows, at most 500; deletes those of which the broker confirmed all copies.

    Returns how many were due. A refused row stays with the reason, a doubled interval, and the recipients that still
    lack it, so that nobody else gets it again. Raises BROKER_ERRORS and then leaves all rows.
    """
    rows = database.execute(_DUE).fetchall()
    if not rows:
        return 0
    copies, refused = _copies(rows)
    reasons = publisher.publish([copy.message for copy in copies])
    for number, reason in reasons.items():
        copy = copies[number]
        refused.setdefault(copy.position, {})[copy.recipient] = _with_queue(copy, reason)
    confirmed = [row.id for position, row in enumerate(rows) if position not in refused]
    database.execute("delete from outbox where id = any(%s)", [confirmed])
    metrics.outbox_published.inc(len(confirmed))
    if refused:
        _postpone(database, [rows[position] for position in refused], list(refused.values()))
    return len(rows)


@dataclass(frozen=True)
class _Copy:
    """One recipient's copy of the row at a position; a message that is no event has no recipient."""

    position: int
    recipient: str | None
    message: OutgoingMessage


_Reasons = dict[str | None, str]
"""Why the broker refused a row's copies, by recipient."""


def _postpone(database: "psycopg.Connection[Any]", rows: Sequence[Any], refused: Sequence[_Reasons]) -> None:
    reasons = ["; ".join(of_row.values()) for of_row in refused]
    lacking = [" ".join(filter(None, of_row)) or row.recipients for row, of_row in zip(rows, refused, strict=True)]
    database.execute(_POSTPONE, [[row.id for row in rows], reasons, lacking])
    metrics.outbox_refused.inc(len(rows))
    addresses = Counter((row.exchange, row.routing_key, reason) for row, reason in zip(rows, reasons, strict=True))
    for (exchange, routing_key, reason), count in addresses.items():
        log.error("outbox_refused", exchange=exchange, routing_key=routing_key, reason=reason, messages=count)


def _copies(rows: Sequence[Any]) -> tuple[list[_Copy], dict[int, _Reasons]]:
    """The messages to publish, with decrypted bodies; and by position why other rows cannot be decrypted."""
    copies: list[_Copy] = []
    undecryptable: dict[int, _Reasons] = {}
    for position, row in enumerate(rows):
        try:
            body = decrypted(bytes(row.body))
        except CannotDecrypt as error:
            undecryptable[position] = {None: str(error)}
            continue
        message = OutgoingMessage(_exchange(row), row.routing_key, body, row.properties, row.mandatory)
        for recipient in _recipients(row):
            copy = message.copy_for(f"{row.routing_key}.{recipient}", recipient != LIVE) if recipient else message
            copies.append(_Copy(position, recipient, copy))
    return copies, undecryptable


def _exchange(row: Any) -> str:
    """The exchange to publish to: for an event, its producer's own."""
    exchange: str = row.exchange
    return events_exchange(row.routing_key.partition(".")[0]) if exchange == EVENTS_EXCHANGE else exchange


def _recipients(row: Any) -> Sequence[str | None]:
    """The recipients that lack a copy; for a row of the previous release, all recipients of the contract."""
    if row.recipients:
        return tuple(row.recipients.split())
    contract = the_system().events.get(row.routing_key) if row.exchange == EVENTS_EXCHANGE else None
    return (None,) if contract is None else contract.recipients


def _with_queue(copy: _Copy, reason: str) -> str:
    """The reason and, for an event, the queue that did not receive it."""
    if copy.recipient in (None, LIVE):
        return reason
    event_name = copy.message.routing_key.split(".")[1]
    return f"{queue_name(str(copy.recipient), event_name)}: {reason}"
