"""Events of committed transactions reach the broker; no others do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from services.contracts.events.batching import PENDING_CHANGED, VALIDATION_REQUESTED
from services.contracts.examples import wire_example
from services.kit.amqp.connection import OutgoingMessage
from services.kit.data.database import outbox
from services.kit.data.encryption import Keyring
from services.kit.events.envelope import wrap
from services.kit.events.outbox import publish, send, send_unchanged, to_json
from services.kit.events.relay import declare_queues_of_producer
from tests.documents import event_data
from tests.integration.messaging.probe.contracts import PINGED, UNHEARD
from tests.integration.messaging.world import World, eventually
from tests.tcp_proxy import TcpProxy


def test_events_of_a_rolled_back_transaction_are_never_published(world: World, key: str) -> None:
    with Session(world.engine) as session:
        publish(session, PINGED, {"key": f"{key} undone"})
        session.rollback()
        publish(session, PINGED, {"key": f"{key} done"})
        session.commit()
    eventually(world.happened(f"{key} done"))
    assert world.effects(f"{key} undone") == []
    eventually(lambda: waiting(world) == 0)


def test_a_commit_wakes_the_relay(own_world: World) -> None:
    """Without a notification this relay would poll again in an hour."""
    probe = own_world.start(RELAY_POLL_SECONDS="3600")
    for key in ("k0", "k1", "k2", "k3", "k4"):
        with Session(own_world.engine) as session, session.begin():
            with session.begin_nested() as savepoint:
                publish(session, PINGED, {"key": f"{key} undone"})
                savepoint.rollback()
            publish(session, PINGED, {"key": key})
        eventually(own_world.happened(key))
    probe.kill()


def test_what_nobody_can_receive_stays_with_its_reason_until_someone_can(world: World, key: str) -> None:
    with Session(world.engine) as session, session.begin():
        publish(session, UNHEARD, {"key": key})
        publish(session, PINGED, {"key": key})
    eventually(world.happened(key))
    row = eventually(lambda: refused(world))
    assert "unroutable" in row.last_error
    assert row.attempts >= 1
    late = world.outside.subscribe(UNHEARD)
    eventually(lambda: world.outside.get(late))
    eventually(lambda: waiting(world) == 0)


def test_an_event_for_live_pages_only_may_go_unheard(world: World) -> None:
    declare_queues_of_producer(world.outside.channel, "batching")
    with Session(world.engine) as session, session.begin():
        publish(session, PENDING_CHANGED, event_data(PENDING_CHANGED, wire_example(PENDING_CHANGED)))
    eventually(lambda: waiting(world) == 0)
    assert refused(world) is None


def test_an_event_waits_for_a_consumer_that_never_ran(world: World) -> None:
    declare_queues_of_producer(world.outside.channel, "batching")
    event = wrap(VALIDATION_REQUESTED, event_data(VALIDATION_REQUESTED, wire_example(VALIDATION_REQUESTED)), None)
    world.outside.publish("events", VALIDATION_REQUESTED.type, to_json(event))
    assert world.outside.size("validation.validation_requested") == 1


def test_an_exchange_that_is_not_there_holds_up_nothing_else(world: World, key: str) -> None:
    with Session(world.engine) as session, session.begin():
        send(session, "no-such-exchange", "x", {})
        publish(session, PINGED, {"key": key})
    eventually(world.happened(key))
    assert "no such exchange" in eventually(lambda: refused(world)).last_error


def test_an_exchange_that_is_forbidden_holds_up_nothing_else(world: World, key: str) -> None:
    with Session(world.engine) as session, session.begin():
        publish(session, PINGED, {"key": f"{key} before"})
        send(session, "amq.rabbitmq.trace", "nowhere", {"x": 1})  # nobody may publish there
        publish(session, PINGED, {"key": f"{key} behind"})
    eventually(lambda: world.happened(f"{key} before")() and world.happened(f"{key} behind")())
    assert "not allowed" in eventually(lambda: refused(world)).last_error
    eventually(lambda: waiting(world) == 1)


def test_a_message_in_anothers_name_or_with_too_many_headers_holds_up_nothing_else(world: World, key: str) -> None:
    with Session(world.engine) as session, session.begin():
        publish(session, PINGED, {"key": f"{key} before"})
        for properties in ({"user_id": "somebody"}, {"application_headers": {"x": "y" * 200_000}}):
            send_unchanged(session, OutgoingMessage("events", PINGED.type, b"", properties))
        publish(session, PINGED, {"key": f"{key} behind"})
    eventually(lambda: world.happened(f"{key} before")() and world.happened(f"{key} behind")())
    eventually(lambda: waiting(world) == 2)


def test_a_message_that_amqp_cannot_carry_holds_up_nothing_else(world: World, key: str) -> None:
    with Session(world.engine) as session, session.begin():
        send(session, "", "x" * 300, {})
        publish(session, PINGED, {"key": key})
    eventually(world.happened(key))
    assert "not publishable" in eventually(lambda: refused(world)).last_error


def test_large_raw_bodies_arrive_as_they_are(world: World) -> None:
    bank = world.outside.own_queue()
    body = bytes(range(256)) * 40_000
    with Session(world.engine) as session, session.begin():
        for number in range(3):
            send(session, "", bank, body, {"x-signature": "s", "n": number})
    for number in range(3):
        message = eventually(lambda: world.outside.get(bank))
        assert message.body == body
        assert message.headers == {"x-signature": "s", "n": number}


def test_a_standby_takes_over_when_the_relay_at_work_is_killed(own_world: World) -> None:
    first = own_world.start()
    eventually(lambda: "relay_leads" in first.log)
    second = own_world.start()
    eventually(lambda: "relay_on_standby" in second.log)
    first.kill()
    with Session(own_world.engine) as session, session.begin():
        publish(session, PINGED, {"key": "a"})
    eventually(own_world.happened("a"))
    assert "relay_leads" in second.log


def test_only_one_relay_is_at_work(own_world: World) -> None:
    probes = [own_world.start() for _ in range(3)]
    eventually(lambda: sum("relay_on_standby" in probe.log for probe in probes) == 2)
    eventually(lambda: any("relay_leads" in probe.log for probe in probes))
    assert sum("relay_leads" in probe.log for probe in probes) == 1


def test_a_relay_that_is_killed_at_work_loses_nothing(own_world: World) -> None:
    """Each time it is killed when the broker has confirmed a set, and before that is noted: the worst moment."""
    world = own_world
    keys = [f"k{number}" for number in range(1500)]
    bank = world.outside.own_queue()
    with Session(world.engine) as session, session.begin():
        for key in keys:
            send(session, "", bank, {"key": key})
    for position in (0, 700, 0):
        with row_locked(world, position):
            probe = world.start()
            world.wait_until_held()
            probe.kill()
            end_what_it_asked(world)
    world.start()
    eventually(lambda: waiting(world) == 0)
    arrived = [world.outside.body_of(message)["key"] for message in world.outside.all_of(bank)]
    assert set(arrived) == set(keys)
    assert len(arrived) == 3000, "three sets of 500 came twice"


@pytest.mark.parametrize(
    "trouble",
    [
        "freeze",
        pytest.param("cut", marks=pytest.mark.long("another error of the broker")),
        pytest.param("refuse", marks=pytest.mark.long("another error of the broker")),
    ],
)
def test_errors_of_the_broker_delay_events_but_lose_none(own_world: World, trouble: str) -> None:
    world = own_world
    with TcpProxy(world.amqp_uri) as proxy:
        probe = world.start(AMQP_URI=proxy.url, PUBLISH_SECONDS="2", HEARTBEAT_SECONDS="2")
        with Session(world.engine) as session, session.begin():
            publish(session, PINGED, {"key": "before"})
        eventually(lambda: "heard" in world.effects("before"))
        getattr(proxy, trouble)()
        with Session(world.engine) as session, session.begin():
            publish(session, PINGED, {"key": "meanwhile"})
        eventually(lambda: "broker_away" in probe.log)
        proxy.cut()
        proxy.thaw()
        proxy.welcome()
        eventually(world.happened("meanwhile"))
        eventually(lambda: waiting(world) == 0)
        world.outside.knock("behind")
        eventually(world.happened("behind"))
        assert len(world.done("meanwhile")) == 1


def test_a_message_rests_encrypted_until_it_is_published(world: World) -> None:
    bank = world.outside.own_queue()
    with Session(world.engine) as session, session.begin():
        send(session, "", bank, {"document_number": "31010119750308002X"})
        kept = session.scalar(text("select body from outbox where routing_key = :queue"), {"queue": bank})
    assert b"31010119750308002X" not in bytes(kept)
    message = eventually(lambda: world.outside.get(bank))
    assert world.outside.body_of(message) == {"document_number": "31010119750308002X"}


def test_a_message_that_cannot_be_opened_waits_with_its_reason_and_holds_nothing_up(world: World, key: str) -> None:
    sealed_elsewhere = Keyring({"lost": b"l" * 32}).encrypt("{}")
    with Session(world.engine) as session, session.begin():
        put_in_place(session, world.outside.own_queue(), sealed_elsewhere)
        publish(session, PINGED, {"key": key})
    eventually(world.happened(key))
    assert eventually(lambda: refused(world)).last_error == "There is no key lost."


def test_a_message_that_an_earlier_version_left_plain_is_published(world: World) -> None:
    bank = world.outside.own_queue()
    with Session(world.engine) as session, session.begin():
        put_in_place(session, bank, b'{"plain":true}')
    assert world.outside.body_of(eventually(lambda: world.outside.get(bank))) == {"plain": True}


def put_in_place(session: Session, queue: str, body: bytes) -> None:
    """A message of the outbox whose body rests as these bytes."""
    send(session, "", queue, {})
    session.execute(text("update outbox set body = :body where routing_key = :queue"), {"body": body, "queue": queue})


@contextmanager
def row_locked(world: World, position: int) -> Iterator[None]:
    """Locks the row at this position of the outbox, so that it cannot be deleted."""
    with world.engine.begin() as connection:
        oldest = select(outbox.c.id).order_by(outbox.c.id).offset(position).limit(1)
        connection.execute(oldest.with_for_update())
        yield


def end_what_it_asked(world: World) -> None:
    """Ends the killed relay's database session at once, with its last statement."""
    with world.engine.begin() as connection:
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and application_name = 'probe relay'"
            )
        )
    world.wait_until_held(0)


def waiting(world: World) -> int:
    """How many messages lie in the outbox."""
    with Session(world.engine) as session:
        return session.scalar(select(func.count()).select_from(outbox)) or 0


def refused(world: World) -> Any:
    """A row of the outbox that the broker refused."""
    with Session(world.engine) as session:
        return session.execute(
            select(outbox.c.attempts, outbox.c.last_error).where(outbox.c.attempts > 0)
        ).one_or_none()
