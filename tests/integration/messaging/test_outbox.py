"""What was told in a committed transaction reaches the broker; nothing else does."""

import time
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from services.common.contracts.batching import PENDING_CHANGED, VALIDATION_REQUESTED
from services.common.contracts.examples import wire_example
from services.common.messaging.connection import Outgoing
from services.common.messaging.envelope import wrap
from services.common.messaging.outbox import send, send_as_it_is, tell, to_json
from services.common.messaging.relay import declare_outlets
from services.common.persistence import outbox
from services.common.personal import Keyring
from tests.integration.messaging.probe.contracts import PINGED, UNHEARD
from tests.integration.messaging.world import World, eventually
from tests.tcp_proxy import TcpProxy


def test_what_is_rolled_back_is_never_told(world: World) -> None:
    world.start()
    with Session(world.engine) as session:
        tell(session, PINGED, {"key": "undone"})
        session.rollback()
        tell(session, PINGED, {"key": "done"})
        session.commit()
    eventually(world.happened("done"))
    assert world.effects("undone") == []
    eventually(lambda: waiting(world) == 0)


def test_a_commit_wakes_the_relay_at_once(world: World) -> None:
    world.start()
    time.sleep(1)
    delays = []
    for number in range(5):
        started = time.monotonic()
        with Session(world.engine) as session, session.begin():
            tell(session, PINGED, {"key": f"k{number}"})
        eventually(world.happened(f"k{number}"))
        delays.append(time.monotonic() - started)
    assert min(delays) < 0.5


def test_what_nobody_can_receive_stays_with_its_reason_until_someone_can(world: World) -> None:
    world.start()
    with Session(world.engine) as session, session.begin():
        tell(session, UNHEARD, {"key": "a"})
        tell(session, PINGED, {"key": "b"})
    eventually(world.happened("b"))
    row = eventually(lambda: refused(world))
    assert "unroutable" in row.last_error
    assert row.attempts >= 1
    world.outside.channel.queue_declare("late", durable=True, auto_delete=False)
    world.outside.channel.queue_bind("late", "events", UNHEARD.type)
    eventually(lambda: world.outside.get("late"))
    eventually(lambda: waiting(world) == 0)


def test_an_event_for_live_pages_only_may_go_unheard(world: World) -> None:
    world.start()
    with Session(world.engine) as session, session.begin():
        tell(session, PENDING_CHANGED, PENDING_CHANGED.load(wire_example(PENDING_CHANGED)))
    eventually(lambda: waiting(world) == 0)
    assert refused(world) is None


def test_an_event_waits_for_a_consumer_that_never_ran(world: World) -> None:
    declare_outlets(world.outside.channel, "batching")
    event = wrap(VALIDATION_REQUESTED, VALIDATION_REQUESTED.load(wire_example(VALIDATION_REQUESTED)), None)
    world.outside.publish("events", VALIDATION_REQUESTED.type, to_json(event))
    assert world.outside.size("validation.validation_requested") == 1


def test_an_exchange_that_is_not_there_holds_up_nothing_else(world: World) -> None:
    world.start()
    with Session(world.engine) as session, session.begin():
        send(session, "no-such-exchange", "x", {})
        tell(session, PINGED, {"key": "b"})
    eventually(world.happened("b"))
    assert "no such exchange" in eventually(lambda: refused(world)).last_error


def test_an_exchange_that_is_forbidden_holds_up_nothing_else(world: World) -> None:
    world.start()
    with Session(world.engine) as session, session.begin():
        tell(session, PINGED, {"key": "a"})
        send(session, "amq.rabbitmq.trace", "nowhere", {"x": 1})  # nobody may publish there
        tell(session, PINGED, {"key": "b"})
    eventually(lambda: world.happened("a")() and world.happened("b")())
    assert "not allowed" in eventually(lambda: refused(world)).last_error
    eventually(lambda: waiting(world) == 1)


def test_a_message_in_anothers_name_or_with_too_many_headers_holds_up_nothing_else(world: World) -> None:
    world.start()
    with Session(world.engine) as session, session.begin():
        tell(session, PINGED, {"key": "a"})
        for properties in ({"user_id": "somebody"}, {"application_headers": {"x": "y" * 200_000}}):
            send_as_it_is(session, Outgoing("events", PINGED.type, b"", properties))
        tell(session, PINGED, {"key": "b"})
    eventually(lambda: world.happened("a")() and world.happened("b")())
    eventually(lambda: waiting(world) == 2)


def test_a_message_that_amqp_cannot_carry_holds_up_nothing_else(world: World) -> None:
    world.start()
    with Session(world.engine) as session, session.begin():
        send(session, "", "x" * 300, {})
        tell(session, PINGED, {"key": "b"})
    eventually(world.happened("b"))
    assert "not publishable" in eventually(lambda: refused(world)).last_error


def test_large_raw_bodies_arrive_as_they_are(world: World) -> None:
    world.start()
    world.outside.channel.queue_declare("bank", durable=True, auto_delete=False)
    body = bytes(range(256)) * 40_000
    with Session(world.engine) as session, session.begin():
        for number in range(3):
            send(session, "", "bank", body, {"x-signature": "s", "n": number})
    for number in range(3):
        message = eventually(lambda: world.outside.get("bank"))
        assert message.body == body
        assert message.headers == {"x-signature": "s", "n": number}


def test_a_standby_takes_over_when_the_relay_at_work_is_killed(world: World) -> None:
    first = world.start()
    eventually(lambda: "relay_at_work" in first.log)
    second = world.start()
    first.kill()
    with Session(world.engine) as session, session.begin():
        tell(session, PINGED, {"key": "a"})
    eventually(world.happened("a"))
    assert "relay_at_work" in second.log


def test_only_one_relay_is_at_work(world: World) -> None:
    probes = [world.start() for _ in range(3)]
    eventually(lambda: any("relay_at_work" in probe.log for probe in probes))
    time.sleep(2)
    assert sum("relay_at_work" in probe.log for probe in probes) == 1


def test_a_relay_that_is_killed_at_work_loses_nothing(world: World) -> None:
    keys = [f"k{number}" for number in range(3000)]
    world.outside.channel.queue_declare("bank", durable=True, auto_delete=False)
    with Session(world.engine) as session, session.begin():
        for key in keys:
            send(session, "", "bank", {"key": key})
    for _ in range(3):
        probe = world.start()
        time.sleep(0.05)
        probe.kill()
    world.start()
    eventually(lambda: waiting(world) == 0)
    arrived = set()
    while message := world.outside.get("bank"):
        arrived.add(world.outside.body_of(message)["key"])
    assert arrived == set(keys)


@pytest.mark.parametrize("trouble", ["cut", "freeze", "refuse"])
def test_trouble_with_the_broker_delays_but_loses_nothing(world: World, trouble: str) -> None:
    with TcpProxy(world.amqp_uri) as proxy:
        world.start(AMQP_URI=proxy.url, PUBLISH_SECONDS="2", HEARTBEAT_SECONDS="2")
        with Session(world.engine) as session, session.begin():
            tell(session, PINGED, {"key": "before"})
        eventually(world.happened("before"))
        getattr(proxy, trouble)()
        with Session(world.engine) as session, session.begin():
            tell(session, PINGED, {"key": "meanwhile"})
        time.sleep(3)
        proxy.cut()
        proxy.thaw()
        proxy.welcome()
        eventually(world.happened("meanwhile"))
        eventually(lambda: waiting(world) == 0)
        assert len(world.done("meanwhile")) == 1


def test_a_message_rests_encrypted_until_it_is_published(world: World) -> None:
    with Session(world.engine) as session, session.begin():
        send(session, "", "bank", {"document_number": "31010119750308002X"})
    with world.engine.connect() as connection:
        [kept] = connection.scalars(text("select body from outbox"))
    assert b"31010119750308002X" not in bytes(kept)
    world.outside.channel.queue_declare("bank", durable=True, auto_delete=False)
    world.start()
    message = eventually(lambda: world.outside.get("bank"))
    assert world.outside.body_of(message) == {"document_number": "31010119750308002X"}


def test_a_message_that_cannot_be_opened_waits_with_its_reason_and_holds_nothing_up(world: World) -> None:
    sealed_elsewhere = Keyring({"lost": b"l" * 32}).encrypt("{}")
    with Session(world.engine) as session, session.begin():
        send(session, "", "bank", b"{}")
        session.execute(text("update outbox set body = :body"), {"body": sealed_elsewhere})
        tell(session, PINGED, {"key": "a"})
    world.start()
    eventually(world.happened("a"))
    with world.engine.connect() as connection:
        assert eventually(lambda: connection.scalar(text("select last_error from outbox"))) == "There is no key lost."


def test_a_message_that_an_earlier_version_left_plain_is_published(world: World) -> None:
    world.outside.channel.queue_declare("bank", durable=True, auto_delete=False)
    with Session(world.engine) as session, session.begin():
        send(session, "", "bank", {})
        session.execute(text("update outbox set body = :body"), {"body": b'{"plain":true}'})
    world.start()
    assert world.outside.body_of(eventually(lambda: world.outside.get("bank"))) == {"plain": True}


def waiting(world: World) -> int:
    """How many messages lie in the outbox."""
    with Session(world.engine) as session:
        return session.scalar(select(func.count()).select_from(outbox)) or 0


def refused(world: World) -> Any:
    """A row of the outbox that the broker refused."""
    with Session(world.engine) as session:
        return session.execute(select(outbox).where(outbox.c.attempts > 0)).one_or_none()
