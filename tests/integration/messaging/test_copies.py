"""Each consumer of an event gets a copy of its own, whichever other queue accepts the event."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from deploy.broker import declare_all
from deploy.local.nodes import Nodes
from services.contracts.events.all_events import EVENTS
from services.contracts.events.batching import CARDS_ISSUED
from services.contracts.events.membership import MEMBERS_QUEUED
from services.contracts.examples import wire_example
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import EVENTS_EXCHANGE, declare_subscription, events_exchange, queue_name
from services.kit.data.database import outbox
from services.kit.events.contract import LIVE, EventContract
from services.kit.events.outbox import publish
from services.kit.events.relay import publish_due
from tests.databases import unique_name
from tests.documents import event_data
from tests.integration.messaging.world import Outside, probe_engine

HEARD = [(event, consumer) for event in EVENTS.values() for consumer in event.consumers]
each_consumer_of_each_event = pytest.mark.parametrize(
    ("event", "consumer"), HEARD, ids=[f"{event.type}-{consumer}" for event, consumer in HEARD]
)


@dataclass
class Post:
    """An outbox, the relay's connections, and a broker as `deploy.broker declare` makes it."""

    engine: Engine
    database: "psycopg.Connection[Any]"
    publisher: ConfirmedPublisher
    outside: Outside

    def write(self, event: EventContract) -> None:
        """An event in a committed transaction."""
        with Session(self.engine) as session, session.begin():
            publish(session, event, event_data(event, wire_example(event)))

    def publish(self) -> list[Any]:
        """The rows that are left in the outbox when the relay has tried all."""
        self.database.execute("update outbox set next_attempt_at = now()")
        publish_due(self.database, self.publisher)
        with Session(self.engine) as session:
            return list(session.execute(select(outbox.c.attempts, outbox.c.last_error).order_by(outbox.c.id)))

    def open_pages(self, event: EventContract) -> str:
        """A queue like that of a gateway, which receives all live updates."""
        queue = self.outside.own_queue()
        self.outside.channel.queue_bind(queue, events_exchange(event.producer), event.key_for(LIVE))
        return queue

    def copies(self, event: EventContract) -> dict[str, int]:
        """How many messages lie in the queue of each consumer of the event, where there is one."""
        queues = {consumer: queue_name(consumer, event.name) for consumer in event.consumers}
        return {consumer: len(self.outside.all_of(queue)) for consumer, queue in queues.items()}


@pytest.fixture(scope="module")
def shared_post(nodes: Nodes, module_amqp_uri: str) -> Iterator[Post]:
    declare_all(module_amqp_uri, beside_former=True)
    name = unique_name("copies")
    nodes.postgres.create_database(name)
    url = nodes.postgres.url(name)
    publisher = ConfirmedPublisher(module_amqp_uri, "test relay", 60)
    with (
        probe_engine(url) as engine,
        psycopg.connect(url.replace("+psycopg", ""), autocommit=True, row_factory=namedtuple_row) as database,
        Outside(module_amqp_uri) as outside,
    ):
        yield Post(engine, database, publisher, outside)
    publisher.drop()
    nodes.postgres.drop_database(name)


@pytest.fixture
def post(shared_post: Post) -> Post:
    """The module's, with an empty outbox."""
    with shared_post.engine.begin() as connection:
        connection.execute(delete(outbox))
    return shared_post


@each_consumer_of_each_event
def test_an_event_whose_consumers_queue_is_missing_waits_for_it_alone(
    post: Post, event: EventContract, consumer: str
) -> None:
    missing = queue_name(consumer, event.name)
    pages = post.open_pages(event)
    post.outside.channel.queue_delete(missing)
    post.write(event)

    (left,) = post.publish()
    assert missing in left.last_error
    (left,) = post.publish()
    assert left.attempts == 2

    declare_subscription(post.outside.channel, missing, event)
    assert post.publish() == []
    assert post.copies(event) == dict.fromkeys(event.consumers, 1)
    assert len(post.outside.all_of(pages)) == event.is_live
    post.outside.channel.queue_delete(pages)


def test_a_missing_queue_holds_up_no_other_event(post: Post) -> None:
    missing = queue_name("batching", MEMBERS_QUEUED.name)
    post.outside.channel.queue_delete(missing)
    for event in (MEMBERS_QUEUED, CARDS_ISSUED, MEMBERS_QUEUED):
        post.write(event)

    assert [missing in left.last_error for left in post.publish()] == [True, True]
    assert post.copies(CARDS_ISSUED) == dict.fromkeys(CARDS_ISSUED.consumers, 1)
    declare_all(post.outside.amqp_uri, beside_former=True)
    assert post.publish() == []
    assert post.copies(MEMBERS_QUEUED) == {"batching": 2}


def test_an_event_of_the_release_before_goes_to_each_consumer_too(post: Post) -> None:
    post.write(CARDS_ISSUED)
    post.database.execute("update outbox set recipients = null")

    assert post.publish() == []
    assert post.copies(CARDS_ISSUED) == dict.fromkeys(CARDS_ISSUED.consumers, 1)


def test_what_a_relay_of_the_release_before_publishes_comes_once(post: Post) -> None:
    """It sends one copy for all, by the type alone."""
    post.outside.publish(EVENTS_EXCHANGE, CARDS_ISSUED.type, b"{}")

    assert post.copies(CARDS_ISSUED) == dict.fromkeys(CARDS_ISSUED.consumers, 1)


def test_a_queue_that_the_release_before_made_gets_each_copy_once(post: Post) -> None:
    """`deploy.broker declare --beside-former` binds it to its producer's exchange too."""
    queue = queue_name("batching", MEMBERS_QUEUED.name)
    post.outside.channel.queue_unbind(queue, events_exchange("membership"), MEMBERS_QUEUED.key_for("batching"))
    post.write(MEMBERS_QUEUED)
    (left,) = post.publish()
    assert queue in left.last_error

    declare_all(post.outside.amqp_uri, beside_former=True)

    assert post.publish() == []
    assert post.copies(MEMBERS_QUEUED) == {"batching": 1}
