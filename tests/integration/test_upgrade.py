"""During an upgrade, processes of the former release, which sign and encrypt nothing, work beside the new ones."""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import amqp
import pytest
import requests
from sqlalchemy import create_engine, text

from deploy.broker import User, declare_all, definitions
from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from deploy.permissions import PROGRAMS
from services.contracts.events.membership import IMPORT_PROGRESSED, OTP_ISSUED
from services.contracts.examples import wire_example
from services.kit.amqp.connection import OutgoingMessage, open_connection
from services.kit.amqp.publishing import ConfirmedPublisher
from services.kit.amqp.queues import (
    EVENTS_EXCHANGE,
    RPC_EXCHANGE,
    events_exchange,
    former_request_queue,
    queue_name,
)
from services.kit.dead_letters.letters import DeadLetters
from services.kit.events.envelope import wrap
from services.kit.events.outbox import to_json
from services.kit.rpc.caller_signature import public_keys
from tests.databases import DatabaseFactory, unique_name
from tests.documents import event_data
from tests.integration.conftest import StartService

HEARD = queue_name("notification", IMPORT_PROGRESSED.name)
KEYS = f"k1:{base64.b64encode(bytes(range(32))).decode()}"


@dataclass(frozen=True)
class Upgrade:
    """A broker that both releases may use, and by whose users."""

    uris: dict[str, str]
    settings: dict[str, str]
    database_url: str

    @contextmanager
    def channel(self, program: str) -> Iterator[amqp.Channel]:
        """As a program of the release before."""
        with open_connection(self.uris[program], "former") as connection:
            channel = connection.channel()
            channel.confirm_select()
            yield channel


@pytest.fixture(scope="module")
def upgrade(nodes: Nodes, module_database: DatabaseFactory) -> Iterator[Upgrade]:
    name = unique_name("upgrade")
    users = {program: User(f"{name}_{program}", secrets.token_hex(8)) for program in PROGRAMS}
    nodes.rabbitmq.create_vhost(name)
    nodes.rabbitmq.import_definitions(definitions(name, users, beside_former=True))
    declare_all(nodes.rabbitmq.uri(name), beside_former=True)
    in_an_hour = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    settings = {
        "FORMER_RELEASE_UNTIL": in_an_hour,
        "REQUEST_PRIVATE_KEYS": KEYS,
        "CLEAR_REQUESTS_UNTIL": in_an_hour,
        "CALLER_SIGNING_KEYS": KEYS,
        "CALLER_PUBLIC_KEYS": public_keys(KEYS),
    }
    uris = {program: nodes.rabbitmq.uri(name, user.name, user.password) for program, user in users.items()}
    yield Upgrade(uris, settings, module_database("notification"))
    nodes.rabbitmq.delete_vhost(name)
    nodes.rabbitmq.delete_users(user.name for user in users.values())


def test_a_service_of_the_former_release_is_accepted_by_this_gateway(
    upgrade: Upgrade, module_start_service: StartService
) -> None:
    """It comes first: no service of this release takes the request."""
    gateway = module_start_service("gateway.service", "", upgrade.uris["gateway"], GATEWAY_PORT="0", **upgrade.settings)
    with upgrade.channel("notification") as notification, ThreadPoolExecutor() as besides:
        asked = besides.submit(requests.get, f"{gateway.http_url}/api/v1/announcements", timeout=60)
        queue = former_request_queue("notification")
        request = wait_until(lambda: notification.basic_get(queue, no_ack=True), "the gateway asks")
        answer = to_json({"result": {"result": {"items": [], "total": 7}}, "error": None})
        reply = amqp.Message(answer, correlation_id=request.properties["correlation_id"])
        notification.basic_publish_confirm(reply, RPC_EXCHANGE, request.properties["reply_to"], mandatory=True)

        assert asked.result().json()["total"] == 7


@pytest.fixture(scope="module")
def notification(upgrade: Upgrade, module_start_service: StartService) -> None:
    module_start_service(
        "services.notification.service",
        upgrade.database_url,
        upgrade.uris["notification"],
        SMS_URL="http://127.0.0.1:9",
        PUBLIC_URL="http://127.0.0.1:9",
        **upgrade.settings,
    )


def tell_as_before(channel: amqp.Channel) -> str:
    """An event as the release before publishes it; answers its id."""
    document = wrap(IMPORT_PROGRESSED, event_data(IMPORT_PROGRESSED, wire_example(IMPORT_PROGRESSED)), None)
    message = amqp.Message(to_json(document), message_id=document["id"], delivery_mode=2)
    channel.basic_publish_confirm(message, EVENTS_EXCHANGE, IMPORT_PROGRESSED.key_for("notification"), mandatory=True)
    return str(document["id"])


def test_an_event_of_the_release_before_is_handled(upgrade: Upgrade, notification: None) -> None:
    with upgrade.channel("membership") as membership:
        message_id = tell_as_before(membership)

    engine = create_engine(upgrade.database_url)

    def is_handled() -> bool:
        with engine.connect() as connection:
            found = connection.scalar(text("select 1 from inbox where message_id = :id"), {"id": message_id})
            return found is not None

    wait_until(is_handled, "the event is handled")
    engine.dispose()
    assert DeadLetters(upgrade.uris["notification"]).read_all(f"{HEARD}.dead") == []


def test_a_gateway_of_the_release_before_is_answered_where_it_listens(upgrade: Upgrade, notification: None) -> None:
    address = str(uuid4())
    body = {"caller": {"roles": ["anonymous"]}, "data": {}, "deadline": time.time() + 60}
    with upgrade.channel("gateway") as gateway:
        queue = f"rpc.reply-gateway-{address}"
        gateway.queue_declare(queue, exclusive=True, auto_delete=True)
        gateway.queue_bind(queue, RPC_EXCHANGE, address)
        request = amqp.Message(to_json({"args": [body], "kwargs": {}}), reply_to=address, correlation_id=address)
        gateway.basic_publish_confirm(request, RPC_EXCHANGE, "notification.list_guides", mandatory=True)

        reply = wait_until(lambda: gateway.basic_get(queue, no_ack=True), "the reply comes")

    assert "result" in json.loads(reply.body)["result"]


def test_after_the_upgrade_queues_are_unbound_from_the_former_exchange(upgrade: Upgrade, nodes: Nodes) -> None:
    """It comes last."""
    uri = nodes.rabbitmq.uri(upgrade.uris["bank"].rpartition("/")[2])
    keys = (OTP_ISSUED.key_for("notification"), OTP_ISSUED.routing_key)
    former = [OutgoingMessage(EVENTS_EXCHANGE, key, b"{}") for key in keys]
    publisher = ConfirmedPublisher(uri, "administrator", 30)

    declare_all(uri)

    assert [reason.split(":")[0] for reason in publisher.publish(former).values()] == ["unroutable", "unroutable"]
    assert publisher.publish([OutgoingMessage(events_exchange("membership"), keys[0], b"{}")]) == {}
    publisher.drop()
