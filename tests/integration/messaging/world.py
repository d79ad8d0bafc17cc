"""What the messaging tests share: the probe's database, plain AMQP from outside, and waiting with a deadline."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import amqp
from sqlalchemy import Engine, create_engine, distinct, func, select
from sqlalchemy.orm import Session

from services.common.messaging.connection import open_connection
from services.common.messaging.envelope import wrap
from services.common.messaging.outbox import to_json
from services.common.persistence import create_messaging_tables
from tests.integration.messaging.probe.contracts import PINGED
from tests.integration.messaging.probe.models import Effect

ASKER = "tests.integration.messaging.probe.asker"
PROBE = "tests.integration.messaging.probe.service"
Value = TypeVar("Value")


def eventually(look: Callable[[], Value | None], seconds: float = 60) -> Value:
    """What `look` answers once it is true; fails past the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} s"
        time.sleep(0.05)
    return found


def event(key: str, behaviour: str = "do") -> tuple[str, bytes]:
    """The id and the body of a knock."""
    document = wrap(PINGED, {"key": key, "behaviour": behaviour}, None)
    return document["id"], to_json(document)


class Outside:
    """A plain AMQP client beside the system."""

    def __init__(self, amqp_uri: str) -> None:
        self.connection = open_connection(amqp_uri, "test")
        self.channel: amqp.Channel = self.connection.channel()
        self.channel.confirm_select()

    def knock(self, key: str, behaviour: str = "do") -> str:
        """Publishes a knock as an event; answers its id."""
        message_id, body = event(key, behaviour)
        self.publish("events", PINGED.type, body, message_id=message_id)
        return message_id

    def publish(self, exchange: str, routing_key: str, body: bytes, **properties: Any) -> None:
        """Publishes a persistent message and waits for the confirm."""
        self.channel.basic_publish_confirm(
            amqp.Message(body, delivery_mode=2, **properties), exchange, routing_key, mandatory=True
        )

    def publish_unconfirmed(self, exchange: str, routing_key: str, body: bytes) -> None:
        """Publishes a persistent message without waiting."""
        self.channel.basic_publish(amqp.Message(body, delivery_mode=2), exchange, routing_key)

    def ask(self, name: str, data: dict[str, Any], **request: Any) -> dict[str, Any]:
        """Asks the probe as a clerk by Nameko's RPC wire; answers the result or the problem."""
        return self.answer_to(self.request(name, data, **request))

    def request(self, name: str, data: dict[str, Any], **request: Any) -> str:
        """Sends a request; answers the queue of its reply."""
        queue = str(self.channel.queue_declare("", exclusive=True).queue)
        self.channel.queue_bind(queue, "nameko-rpc", queue)
        body = {"caller": {"account_id": "a1", "roles": ["clerk"]}, "data": data, **request}
        properties = {"reply_to": queue, "correlation_id": queue, "content_type": "application/json"}
        self.publish("nameko-rpc", f"probe.{name}", to_json({"args": [body], "kwargs": {}}), **properties)
        return queue

    def answer_to(self, queue: str) -> dict[str, Any]:
        """The reply that comes to a queue."""
        answer: dict[str, Any] = self.body_of(eventually(lambda: self.get(queue)))["result"]
        return answer

    def get(self, queue: str) -> amqp.Message | None:
        """Takes a message off a queue."""
        self.channel.auto_decode = False
        return self.channel.basic_get(queue, no_ack=True)

    def body_of(self, message: amqp.Message) -> Any:
        """The JSON body of a message."""
        return json.loads(message.body)

    def size(self, queue: str) -> int:
        """How many messages are ready in a queue."""
        return int(self.channel.queue_declare(queue, passive=True).message_count)


@dataclass
class World:
    """The probe's database and broker, a client outside, and the probes that were started."""

    engine: Engine
    database_url: str
    amqp_uri: str
    outside: Outside
    start_service: Callable[..., Any]
    probes: list[Any] = field(default_factory=list)

    def start(self, **settings: str) -> Any:
        """A probe process that is ready, with short retry delays."""
        environment = {"RETRY_DELAYS": "0.2,0.4", **settings}
        amqp_uri = environment.pop("AMQP_URI", self.amqp_uri)
        self.probes.append(self.start_service(PROBE, self.database_url, amqp_uri, **environment))
        return self.probes[-1]

    def stop_probes(self) -> None:
        """Ends all probes gracefully."""
        while self.probes:
            self.probes.pop().stop()

    def effects(self, key: str) -> list[str]:
        """The notes of the effects under a key, in order."""
        with Session(self.engine) as session:
            return list(session.scalars(select(Effect.note).where(Effect.key == key).order_by(Effect.id)))

    def done(self, key: str) -> list[str]:
        """The effects under a key without those of listeners."""
        return [note for note in self.effects(key) if note != "heard"]

    @contextmanager
    def database_away(self) -> Iterator[None]:
        """Ends all connections to the probe's database, and lets none in meanwhile."""
        name = self.engine.url.database
        self.engine.dispose()
        with create_engine(self.engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT").connect() as other:
            other.exec_driver_sql(f"alter database {name} allow_connections false")
            other.exec_driver_sql(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
            yield
            other.exec_driver_sql(f"alter database {name} allow_connections true")

    def count(self) -> int:
        """How many effects there are."""
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).select_from(Effect)) or 0

    def count_keys(self) -> int:
        """How many keys have an effect."""
        with Session(self.engine) as session:
            return session.scalar(select(func.count(distinct(Effect.key)))) or 0

    def happened(self, key: str) -> Callable[[], list[str]]:
        """Looks for effects: for `eventually`."""
        return lambda: self.effects(key)


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
    """As much of Alembic's operations as `create_messaging_tables` needs."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def get_bind(self) -> Any:
        return self._connection

    def execute(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement)
