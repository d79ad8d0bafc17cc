"""What the messaging tests share: the probe's database, plain AMQP from outside, and waiting with a deadline."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import amqp
import requests
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, create_engine, delete, distinct, func, select, text
from sqlalchemy.orm import Session

from services.kit.amqp.connection import OutgoingMessage, open_connection
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import declare_exchange, events_exchange, is_queue
from services.kit.data.database import create_messaging_tables, outbox
from services.kit.events.contract import EventContract
from services.kit.events.envelope import wrap
from services.kit.events.outbox import to_json
from tests.integration.messaging.probe.contracts import BATCH_QUEUE, PINGED
from tests.integration.messaging.probe.models import Effect

PROBE_CLIENT = "tests.integration.messaging.probe.client"
PROBE = "tests.integration.messaging.probe.service"
QUEUE = "probe.pinged"
DEAD = f"{QUEUE}.dead"
GROUPED_QUEUE = "probe.grouped"
GROUPED_DEAD = f"{GROUPED_QUEUE}.dead"
REQUESTS = "probe.requests"
REJECTED = f"{BATCH_QUEUE}.rejected"
_DEFAULTS = {
    "RETRY_DELAYS": "0.1,0.2",
    "WATCH_SECONDS": "1",
    "LOCK_TIMEOUT_SECONDS": "600",
    "STATEMENT_TIMEOUT_SECONDS": "600",
    "LOG_LEVEL": "DEBUG",
}
Value = TypeVar("Value")


def eventually(look: Callable[[], Value | None], seconds: float = 60) -> Value:
    """Calls `look` until its result is truthy and returns it; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} s"
        time.sleep(0.02)
    return found


def event(key: str, behaviour: str = "do", contract: EventContract = PINGED) -> tuple[str, bytes]:
    """Returns the id and the body of a knock."""
    document = wrap(contract, {"key": key, "behaviour": behaviour}, None)
    return document["id"], to_json(document)


def reasons(process: Any) -> list[str]:
    """Returns the reasons why a process is not ready."""
    return list(requests.get(f"{process.health_url}/readyz", timeout=60).json()["reasons"])


def records(process: Any) -> list[dict[str, Any]]:
    """Returns the JSON records in a process's log."""
    return [json.loads(line) for line in process.log.splitlines() if line.startswith("{") and line.endswith("}")]


class Outside:
    """A plain AMQP client outside of the system."""

    def __init__(self, amqp_uri: str) -> None:
        self.amqp_uri = amqp_uri
        self.connection = open_connection(amqp_uri, "test")
        self.channel: amqp.Channel = self.connection.channel()
        self.channel.confirm_select()

    def __enter__(self) -> "Outside":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection, which deletes its exclusive queues."""
        with suppress(amqp.AMQPError, OSError):
            self.connection.close()

    def knock(self, key: str, behaviour: str = "do") -> str:
        """Publishes a knock as an event; returns its id."""
        message_id, body = event(key, behaviour)
        self.publish("events", PINGED.type, body, message_id=message_id)
        return message_id

    def publish(self, exchange: str, routing_key: str, body: bytes, **properties: Any) -> None:
        """Publishes a persistent message and waits for the confirm."""
        self.channel.basic_publish_confirm(
            amqp.Message(body, delivery_mode=2, **properties), exchange, routing_key, mandatory=True
        )

    def publish_all(self, queue: str, bodies: Sequence[str]) -> None:
        """Publishes persistent messages to a queue and waits for all confirms together."""
        publisher = ConfirmedPublisher(self.amqp_uri, "test", 60)
        messages = [OutgoingMessage("", queue, body.encode(), {"delivery_mode": 2}) for body in bodies]
        assert publisher.publish(messages) == {}
        publisher.drop()

    def call(self, name: str, data: dict[str, Any], **request: Any) -> dict[str, Any]:
        """Calls the probe as a clerk by Nameko's RPC protocol; returns the result or the problem."""
        return self.answer_to(self.request(name, data, **request))

    def request(self, name: str, data: dict[str, Any], **request: Any) -> str:
        """Sends a request; returns the queue of its reply."""
        queue = self.own_queue()
        self.channel.queue_bind(queue, "nameko-rpc", queue)
        body = {"caller": {"account_id": "a1", "roles": ["clerk"]}, "data": data, **request}
        properties = {"reply_to": queue, "correlation_id": queue, "content_type": "application/json"}
        self.publish("nameko-rpc", f"probe.{name}", to_json({"args": [body], "kwargs": {}}), **properties)
        return queue

    def answer_to(self, queue: str) -> dict[str, Any]:
        """Returns the reply that arrives in a queue."""
        answer: dict[str, Any] = self.body_of(eventually(lambda: self.get(queue)))["result"]
        return answer

    def own_queue(self) -> str:
        """Declares a queue that is deleted with this client."""
        return str(self.channel.queue_declare("", exclusive=True).queue)

    def queue_for_one(self) -> str:
        """Declares a queue that refuses a second message; it is deleted with this client."""
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        return str(self.channel.queue_declare("", exclusive=True, arguments=limits).queue)

    def subscribe(self, contract: EventContract) -> str:
        """Declares a queue that receives an event's live copies from now on; it is deleted with this client."""
        queue, exchange = self.own_queue(), events_exchange(contract.producer)
        declare_exchange(self.channel, exchange)
        self.channel.queue_bind(queue, exchange, contract.key_for(contract.recipients[-1]))
        return queue

    def get(self, queue: str) -> amqp.Message | None:
        """Takes a message off a queue."""
        self.channel.auto_decode = False
        return self.channel.basic_get(queue, no_ack=True)

    def all_of(self, queue: str) -> list[amqp.Message]:
        """Takes all messages that are ready in a queue."""
        messages: list[amqp.Message] = []
        size = self.size(queue)
        tag = self.channel.basic_consume(queue, callback=messages.append, no_ack=True)
        while len(messages) < size:
            self.connection.drain_events(timeout=60)
        self.channel.basic_cancel(tag)
        return messages

    def body_of(self, message: amqp.Message) -> Any:
        """The JSON body of a message."""
        return json.loads(message.body)

    def size(self, queue: str) -> int:
        """Returns the number of ready messages in a queue."""
        return int(self.channel.queue_declare(queue, passive=True).message_count)


@dataclass
class World:
    """The probe's database and broker, an external client, and the started probes."""

    engine: Engine
    database_url: str
    amqp_uri: str
    outside: Outside
    start_service: Callable[..., Any]
    probes: list[Any] = field(default_factory=list)
    log_begins_at: int = 0

    @property
    def log(self) -> str:
        """Returns the first probe's log since the test began."""
        return str(self.probes[0].log[self.log_begins_at :])

    def start(self, **settings: str) -> Any:
        """Starts a probe and waits until it is ready; its retry delays are short, and it may wait long at a gate."""
        environment = {**_DEFAULTS, **settings}
        amqp_uri = environment.pop("AMQP_URI", self.amqp_uri)
        self.probes.append(self.start_service(PROBE, self.database_url, amqp_uri, **environment))
        return self.probes[-1]

    def stop_probes(self) -> None:
        """Ends all probes gracefully."""
        while self.probes:
            self.probes.pop().stop()

    def kill_probes(self) -> None:
        """Ends all probes at once."""
        while self.probes:
            self.probes.pop().kill()

    def clear(self, outside: Outside) -> None:
        """Deletes what earlier tests left in the outbox, the dead-letter queues and the probe's queues."""
        with self.engine.begin() as connection:
            connection.execute(delete(outbox))
        for queue in (QUEUE, DEAD, GROUPED_QUEUE, GROUPED_DEAD, BATCH_QUEUE, REJECTED):
            if is_queue(outside.channel, queue):
                outside.channel.queue_purge(queue)

    def effects(self, key: str) -> list[str]:
        """Returns the effects under a key, in order."""
        with Session(self.engine) as session:
            return list(session.scalars(select(Effect.note).where(Effect.key == key).order_by(Effect.id)))

    def done(self, key: str) -> list[str]:
        """Returns the effects under a key, without those of live listeners."""
        return [note for note in self.effects(key) if note != "heard"]

    def happened(self, key: str) -> Callable[[], list[str]]:
        """Returns a function for `eventually` that reads the effects under a key."""
        return lambda: self.effects(key)

    def count(self, of: str = "") -> int:
        """Returns the number of effects under keys with this prefix."""
        with Session(self.engine) as session:
            counted = select(func.count()).select_from(Effect).where(Effect.key.startswith(of))
            return session.scalar(counted) or 0

    def count_keys(self, of: str = "") -> int:
        """Returns the number of keys with this prefix that have an effect."""
        with Session(self.engine) as session:
            return session.scalar(select(func.count(distinct(Effect.key))).where(Effect.key.startswith(of))) or 0

    def metric(self, name: str, **labels: str) -> float:
        """Returns a metric of the last probe; 0 if it has counted nothing."""
        page = requests.get(f"{self.probes[-1].health_url}/metrics", timeout=60).text
        samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
        return sum(sample.value for sample in samples if (sample.name, sample.labels) == (name, labels))

    @contextmanager
    def gate(self, key: str) -> Iterator[None]:
        """Closes the gate of a key meanwhile; handlers with the behaviour `gate` wait there."""
        with self.engine.begin() as connection:
            connection.execute(text("select pg_advisory_xact_lock(hashtext(:key))"), {"key": key})
            yield

    def begin_to_stop(self, reader: str) -> Any:
        """Stops the first probe; returns it once its reader of this name takes nothing new."""
        self.probes[0].running.terminate()
        said = {"event": "reading_stopped", "reader": reader}
        eventually(lambda: any(said.items() <= record.items() for record in records(self.probes[0])))
        return self.probes[0]

    def wait_until_held(self, transactions: int = 1) -> None:
        """Waits until this many transactions of probes wait at a gate or for one another."""
        eventually(lambda: self._held() == transactions)

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Ends all connections to the probe's database, and refuses new ones meanwhile."""
        name = self.engine.url.database
        self.engine.dispose()
        with create_engine(self.engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT").connect() as other:
            other.exec_driver_sql(f"alter database {name} allow_connections false")
            try:
                other.exec_driver_sql(
                    f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
                )
                yield
            finally:
                other.exec_driver_sql(f"alter database {name} allow_connections true")

    def _held(self) -> int:
        waiting = (
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        with self.engine.connect() as connection:
            return int(connection.scalar(text(waiting)) or 0)


@contextmanager
def probe_engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database with the probe's tables."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        create_messaging_tables(_Operations(connection))
        Effect.metadata.tables["effect"].create(connection)
    yield engine
    engine.dispose()


class _Operations:
    """The part of Alembic's operations that `create_messaging_tables` needs."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def get_bind(self) -> Any:
        return self._connection

    def execute(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement)
