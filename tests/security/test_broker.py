"""Attacks with one program's broker password: bindings, forged events and forged requests have no effect."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import amqp
import pytest

from deploy import dead_letters
from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from deploy.local.rabbitmq import ADMINISTRATOR
from deploy.local.stack import Stack
from deploy.permissions import PROGRAMS, SERVICES
from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.revocation import REVOCATION_APPROVED
from services.contracts.examples import wire_example
from services.contracts.external import bank, insurer
from services.kit.amqp.connection import user_of
from services.kit.amqp.queues import (
    COUNTS_EXCHANGE,
    EVENTS_EXCHANGE,
    RPC_EXCHANGE,
    delay_exchange,
    events_exchange,
    own_exchange,
    replies_exchange,
)
from services.kit.data.encryption import FileKeyring, Keyring
from services.kit.dead_letters.letters import DeadLetters
from services.kit.events.envelope import new_message_id
from services.kit.rpc.caller_signature import Signer
from services.kit.rpc.operation import ANONYMOUS
from tests.documents import event_data
from tests.mothers import an_act
from tests.security.intruder import BrokerOperation, Intruder, ReplyQueue, dead_letter, discard, forged, intruder

APPROVED_DEAD = "batching.revocation_approved.dead"
ACTS_DEAD = "membership.act_recorded.dead"
CITY = {"account_id": str(uuid4()), "account_name": "city", "roles": ["administrator", "operator"]}
NOBODY = {"roles": [ANONYMOUS]}
TARGETS = (
    RPC_EXCHANGE,
    EVENTS_EXCHANGE,
    bank.EXCHANGE,
    insurer.EXCHANGE,
    *map(events_exchange, SERVICES),
    *map(replies_exchange, SERVICES),
)
"""Exchanges that others consume from."""
REPORTS = {"bank": bank.FEEDBACK_EXCHANGE, "insurer": insurer.ENROLMENTS_EXCHANGE}
"""The exchange by which an outside party answers."""
SENT = {"batching": bank.EXCHANGE, "membership": insurer.EXCHANGE}
"""The exchange by which a service sends to an outside party."""


@dataclass
class Broker:
    """The running stack's broker: each program's user, the administrator, and the gateway's key."""

    users: dict[str, Intruder]
    uris: dict[str, str]
    administrator: Intruder
    signer: Signer
    public_keys: str
    """The services' public keys, which the gateway encrypts requests with."""
    keys: Keyring
    """Of personal data, which every service has."""

    def reply_queue(self, service: str) -> ReplyQueue:
        return ReplyQueue(self.administrator.connection, service, self.public_keys)


@pytest.fixture(scope="module")
def broker(stack: Stack, nodes: Nodes) -> Iterator[Broker]:
    vhost = stack.addresses.amqp_uris["bank"].rpartition("/")[2]
    with ExitStack() as open_ones:
        users = {program: open_ones.enter_context(intruder(stack.addresses.amqp_uris[program])) for program in PROGRAMS}
        administrator = open_ones.enter_context(intruder(nodes.rabbitmq.uri(vhost)))
        of_gateway = stack.environment("gateway")
        signer, public_keys = Signer(of_gateway["CALLER_SIGNING_KEYS"]), of_gateway["REQUEST_PUBLIC_KEYS"]
        keys = FileKeyring(Path(stack.environment("validation")["PERSONAL_DATA_KEYS_FILE"]))
        yield Broker(users, dict(stack.addresses.amqp_uris), administrator, signer, public_keys, keys)


def own_ways(program: str) -> list[str]:
    """The exchanges that a program may publish to."""
    if program in REPORTS:
        return [REPORTS[program]]
    if program == "gateway":
        return [RPC_EXCHANGE, own_exchange("gateway"), COUNTS_EXCHANGE]
    ways = [way(program) for way in (events_exchange, replies_exchange, own_exchange)]
    return [*ways, delay_exchange(program, 1), *([SENT[program]] if program in SENT else [])]


@pytest.mark.parametrize("program", [*SERVICES, *REPORTS])
def test_no_service_makes_an_exchange_or_a_queue_that_leads_elsewhere(broker: Broker, program: str) -> None:
    here = broker.users[program]
    names = (f"{program}.x", own_exchange(program), f"{program}.members_queued", f"{program}.requests", "bank.x")
    for name in names:
        assert here.is_refused(lambda channel, name=name: channel.exchange_declare(name, "fanout"))  # type: ignore[misc]
        assert here.is_refused(lambda channel, name=name: channel.queue_declare(name))  # type: ignore[misc]
        for target in TARGETS:
            routes: list[BrokerOperation] = [
                lambda channel, name=name, target=target: channel.exchange_declare(  # type: ignore[misc]
                    name, "fanout", arguments={"alternate-exchange": target}
                ),
                lambda channel, name=name, target=target: channel.queue_declare(  # type: ignore[misc]
                    name, arguments={"x-dead-letter-exchange": target, "x-dead-letter-routing-key": "membership.x"}
                ),
            ]
            assert all(here.is_refused(route) for route in routes)


@pytest.mark.parametrize("program", [*SERVICES, *REPORTS])
def test_no_service_binds_its_exchanges_to_those_of_others(broker: Broker, program: str) -> None:
    here = broker.users[program]
    for source in [*own_ways(program), *REPORTS.values()]:
        for target in (*TARGETS, *REPORTS.values()):
            assert here.is_refused(
                lambda channel, source=source, target=target: channel.exchange_bind(  # type: ignore[misc]
                    target, source, "membership.update_account"
                )
            )
        for queue in ("membership.requests", "batching.revocation_approved", "membership.act_recorded"):
            assert here.is_refused(
                lambda channel, source=source, queue=queue: channel.queue_bind(queue, source, "#")  # type: ignore[misc]
            )


def test_the_gateways_password_makes_no_way_into_events(broker: Broker) -> None:
    here = broker.users["gateway"]
    ways_of_others = [way(service) for service in SERVICES for way in (events_exchange, replies_exchange)]
    for target in [*ways_of_others, *SENT.values(), EVENTS_EXCHANGE]:
        ways: list[BrokerOperation] = [
            lambda channel, target=target: channel.exchange_bind(target, RPC_EXCHANGE, "#"),  # type: ignore[misc]
            lambda channel, target=target: channel.queue_declare(  # type: ignore[misc]
                f"gateway.listen.{uuid4()}", exclusive=True, arguments={"x-dead-letter-exchange": target}
            ),
            lambda channel, target=target: channel.exchange_declare(  # type: ignore[misc]
                "gateway.listen.x", "fanout", arguments={"alternate-exchange": target}
            ),
        ]
        assert all(here.is_refused(way) for way in ways)


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_exchange_has_two_producers(broker: Broker, program: str) -> None:
    keys = {
        bank.EXCHANGE: bank.SUBMITTED,
        bank.FEEDBACK_EXCHANGE: bank.FEEDBACK_QUEUE,
        insurer.EXCHANGE: insurer.ELIGIBLE,
        insurer.ENROLMENTS_EXCHANGE: insurer.ENROLMENTS_QUEUE,
        RPC_EXCHANGE: "membership.get_me",
    }
    keys |= {events_exchange(one): ACTS_RECORDED[one].key_for("membership") for one in SERVICES}
    others = {*TARGETS, *(way for one in PROGRAMS for way in own_ways(one))} - set(own_ways(program))
    for exchange in [*sorted(others), "", "amq.topic", "amq.direct", "amq.fanout", "amq.headers"]:
        key = keys.get(exchange, "membership.requests")
        assert broker.users[program].is_refused(
            lambda channel, exchange=exchange, key=key: channel.basic_publish_confirm(  # type: ignore[misc]
                amqp.Message(b""), exchange, key
            )
        )


@pytest.mark.parametrize("service", SERVICES)
def test_a_password_of_a_service_asks_nothing_of_another(broker: Broker, service: str) -> None:
    request = broker.reply_queue("membership").request("update_account", {}, CITY)
    with pytest.raises(amqp.AccessRefused):
        request.send(broker.users[service])


@pytest.mark.parametrize("publisher", ["nobody", "administrator"])
def test_an_event_that_its_producer_did_not_publish_is_a_dead_letter_and_stays_one(
    broker: Broker, publisher: str
) -> None:
    message_id, body = forged(REVOCATION_APPROVED, event_data(REVOCATION_APPROVED, wire_example(REVOCATION_APPROVED)))
    named = {"user_id": ADMINISTRATOR} if publisher == "administrator" else {}
    to = events_exchange("revocation"), REVOCATION_APPROVED.key_for("batching")
    claims = {"x-publisher": user_of(broker.uris["revocation"])}

    broker.administrator.publish(*to, body, message_id=message_id, application_headers=claims, **named)

    letter = dead_letter(broker.uris["batching"], APPROVED_DEAD, message_id)
    assert "published by" in letter.reason
    assert DeadLetters(broker.uris["batching"]).replay(APPROVED_DEAD, lambda one: one.id == message_id) == [message_id]
    again = dead_letter(broker.uris["batching"], APPROVED_DEAD, message_id)
    assert len(again.replays) == 1
    assert "published by" in again.reason
    discard(broker.uris["batching"], APPROVED_DEAD, message_id)


@pytest.mark.parametrize("name", ["somebody", "revocation", "gateway"])
def test_nobody_publishes_under_anothers_name(broker: Broker, name: str) -> None:
    _, body = forged(ACTS_RECORDED["validation"], an_act())
    to = events_exchange("validation"), ACTS_RECORDED["validation"].key_for("membership")
    with pytest.raises(amqp.PreconditionFailed):
        broker.users["validation"].publish(*to, body, user_id=name)


def test_a_request_that_the_gateway_has_signed_is_answered(broker: Broker) -> None:
    reply_queue = broker.reply_queue("notification")
    request = reply_queue.request("list_guides", {}, NOBODY)
    user = user_of(broker.uris["gateway"])
    assert "result" in reply_queue.reply_to(
        request.send(broker.users["gateway"], request.signed(broker.signer), user_id=user)
    )


@pytest.mark.parametrize(
    "how", ["clear", "unsigned", "no user", "other user", "other data", "other call", "other operation", "other key"]
)
def test_a_request_that_is_not_the_gateways_own_is_refused(broker: Broker, how: str) -> None:
    keys = "" if how == "clear" else broker.public_keys
    reply_queue = ReplyQueue(broker.administrator.connection, "notification", keys)
    request, other = reply_queue.request("list_guides", {}, NOBODY), reply_queue.request("list_guides", {}, CITY)
    name = user_of(broker.uris["gateway"])
    by, user = broker.users["gateway"], {"user_id": name}
    headers = request.signed(broker.signer)
    if how == "unsigned":
        headers = {}
    elif how == "no user":
        user = {}
    elif how == "other user":
        by, user = broker.administrator, {"user_id": ADMINISTRATOR}
    elif how == "other data":
        other.call_id = request.call_id
        request = other
    elif how == "other call":
        request.call_id = new_message_id()
    elif how == "other operation":
        request.routing_key = "notification.list_announcements"
    elif how == "other key":
        headers = request.signed(Signer("demo1:b3RoZXIga2V5IHRoYW4gdGhhdCBvZiB0aGUgc3RhY2s="))

    answer = reply_queue.reply_to(request.send(by, headers, **user))

    assert answer["problem"]["code"] == "request_refused"


def test_a_signed_request_is_carried_out_once_and_not_after_its_time(
    broker: Broker, queue_depths: Callable[[str], dict[str, int]]
) -> None:
    reply_queue = broker.reply_queue("notification")
    name = user_of(broker.uris["gateway"])
    late = reply_queue.request("list_guides", {}, NOBODY, seconds=-60)
    once = reply_queue.request("list_guides", {}, NOBODY)
    for request in (late, once, once):
        request.send(broker.users["gateway"], request.signed(broker.signer), user_id=name)
    wait_until(lambda: queue_depths(broker.uris["gateway"])["notification.requests"] == 0, "all three are handled")
    barrier = reply_queue.request("list_guides", {}, NOBODY)
    barrier.send(broker.users["gateway"], barrier.signed(broker.signer), user_id=name)

    assert sorted(answers_until(reply_queue, barrier.call_id)) == sorted([once.call_id, barrier.call_id])


def answers_until(reply_queue: ReplyQueue, last: str) -> list[str]:
    """The calls that were answered, up to the last."""
    answered: list[str] = []
    deadline = time.monotonic() + 60
    while last not in answered:
        assert time.monotonic() < deadline, f"no answer to {last}"
        answered += reply_queue.received()
        time.sleep(0.02)
    return answered


def act_at(milliseconds: int) -> UUID:
    """The id of an audit event of this moment."""
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | uuid4().int & (1 << 60) - 1)


FORGED_ACTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "act_of_another_service": ({"action": "revocation.approve_revocation"}, {}),
    "act_not_yet_done": (
        {"action": "validation.replay_dead_letters", "act_id": act_at(247_561_536_000_000)},
        {"time": "9815-01-01T00:00:00+00:00"},
    ),
    "act_of_another_time": ({"action": "validation.replay_dead_letters", "act_id": act_at(1_700_000_000_000)}, {}),
    "act_without_time": ({"action": "validation.replay_dead_letters", "act_id": uuid4()}, {}),
}


@pytest.mark.parametrize("reason", FORGED_ACTS)
def test_no_forged_audit_event_enters_the_log(broker: Broker, reason: str) -> None:
    data, envelope = FORGED_ACTS[reason]
    contract = ACTS_RECORDED["validation"]
    message_id, body = forged(contract, {**an_act(), **data}, {"personal": broker.keys.encrypt_token("{}")}, **envelope)
    user = user_of(broker.uris["validation"])

    broker.users["validation"].publish(
        events_exchange("validation"), contract.key_for("membership"), body, message_id=message_id, user_id=user
    )

    assert dead_letter(broker.uris["membership"], ACTS_DEAD, message_id).reason.startswith(reason)
    discard(broker.uris["membership"], ACTS_DEAD, message_id)


def test_no_audit_event_of_an_unnamed_publisher_enters_the_log(broker: Broker) -> None:
    contract = ACTS_RECORDED["validation"]
    message_id, body = forged(contract, {**an_act(), "action": "validation.replay_dead_letters"})

    broker.users["validation"].publish(
        events_exchange("validation"), contract.key_for("membership"), body, message_id=message_id
    )

    assert "nobody" in dead_letter(broker.uris["membership"], ACTS_DEAD, message_id).reason
    discard(broker.uris["membership"], ACTS_DEAD, message_id)


@pytest.mark.parametrize("way", ["own", "delay"])
def test_a_password_of_a_service_forges_no_moved_event_of_another(broker: Broker, way: str) -> None:
    """A program can publish to its own queues by its own exchanges, but cannot forge events of others."""
    contract = ACTS_RECORDED["revocation"]
    data = {**an_act(), "action": "revocation.approve_revocation"}
    message_id, body = forged(contract, data, {"personal": broker.keys.encrypt_token("{}")})
    claims = {"x-publisher": user_of(broker.uris["revocation"])}
    exchange = own_exchange("membership") if way == "own" else delay_exchange("membership", 1)

    broker.users["membership"].publish(
        exchange,
        "membership.act_recorded",
        body,
        message_id=message_id,
        user_id=user_of(broker.uris["membership"]),
        application_headers=claims,
    )

    assert "without proof" in dead_letter(broker.uris["membership"], ACTS_DEAD, message_id).reason
    letters = DeadLetters(broker.uris["membership"])
    assert letters.replay(ACTS_DEAD, lambda one: one.id == message_id) == [message_id]
    assert "without proof" in dead_letter(broker.uris["membership"], ACTS_DEAD, message_id).reason
    discard(broker.uris["membership"], ACTS_DEAD, message_id)


def test_the_tool_lists_the_dead_letters_of_the_service_whose_user_it_is(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AMQP_URI", broker.uris["revocation"])
    assert dead_letters.main(["list"]) == 0
    assert "There are no dead letters." in capsys.readouterr().out

    for command in (["list", APPROVED_DEAD], ["replay", APPROVED_DEAD, "--all"]):
        assert dead_letters.main(command) in {1, 2}
        assert "AMQP_URI must be that of batching" in capsys.readouterr().err
