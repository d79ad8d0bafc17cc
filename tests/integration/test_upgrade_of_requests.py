"""Requests go on while processes of release 0.2, which read another queue, are replaced one by one in any order."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import amqp
import pytest
import requests
from kombu import Connection

from deploy.broker import User, declare_all, definitions, former_request_queues
from deploy.local.client import wait_until
from deploy.local.nodes import Nodes
from deploy.permissions import PROGRAMS, SERVICES
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import (
    declare_former_request_queue,
    declare_request_queue,
    depth_of,
    former_dead_letters_lock,
    former_request_queue,
    replies_exchange,
    request_queue,
)
from services.kit.dead_letters.letters import DeadLetters, InUse
from services.kit.events.outbox import to_json
from services.kit.rpc.caller_signature import public_keys
from tests.databases import DatabaseFactory, unique_name
from tests.integration.conftest import ServiceProcess, StartService
from tests.integration.messaging.world import reasons
from tests.integration.test_upgrade import KEYS

pytestmark = pytest.mark.long("an upgrade from 0.2.0, with processes of both releases")

FORMER, CURRENT = former_request_queue("notification"), request_queue("notification")
DEAD = "notification.import_progressed.dead"


@dataclass
class Running:
    """A broker as release 0.2 had declared it, and a gateway of this release."""

    uris: dict[str, str]
    administrator: Connection
    administrator_uri: str
    gateway: ServiceProcess

    def ask(self) -> requests.Response:
        return requests.get(f"{self.gateway.http_url}/api/v1/announcements", timeout=60)

    def declare(self) -> None:
        declare_all(self.administrator_uri)

    def consumers(self, queue: str) -> int:
        found = depth_of(self.administrator, queue)
        return -1 if found is None else found[1]

    def start_notification(self, start: StartService, database_url: str) -> ServiceProcess:
        settings = {"SMS_URL": "http://127.0.0.1:9", "PUBLIC_URL": "http://127.0.0.1:9"}
        return start(
            "services.notification.service",
            database_url,
            self.uris["notification"],
            CALLER_PUBLIC_KEYS=public_keys(KEYS),
            **settings,
        )


@pytest.fixture
def running(nodes: Nodes, start_service: StartService) -> Iterator[Running]:
    name = unique_name("requests")
    users = {program: User(f"{name}_{program}", secrets.token_hex(8)) for program in PROGRAMS}
    nodes.rabbitmq.create_vhost(name)
    nodes.rabbitmq.import_definitions(definitions(name, users))
    uris = {program: nodes.rabbitmq.uri(name, user.name, user.password) for program, user in users.items()}
    administrator = open_connection(nodes.rabbitmq.uri(name), "administrator")
    channel = administrator.channel()
    for service in SERVICES:
        declare_request_queue(channel, service)
        declare_former_request_queue(channel, service)
    with former_process(uris["notification"]):
        declare_all(nodes.rabbitmq.uri(name))
        gateway = start_service("gateway.service", "", uris["gateway"], GATEWAY_PORT="0", CALLER_SIGNING_KEYS=KEYS)
    yield Running(uris, administrator, nodes.rabbitmq.uri(name), gateway)
    gateway.stop()
    administrator.close()
    nodes.rabbitmq.delete_vhost(name)
    nodes.rabbitmq.delete_users(user.name for user in users.values())


class former_process:  # noqa: N801
    """A process of release 0.2: it reads its queue of requests, and answers each with an empty list."""

    def __init__(self, amqp_uri: str) -> None:
        self._connection = open_connection(amqp_uri, "former")
        self._channel: amqp.Channel = self._connection.channel()

    def __enter__(self) -> "former_process":
        self._channel.basic_consume(FORMER, callback=self._answer)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def answer_one(self) -> None:
        self._connection.drain_events(timeout=60)

    def _answer(self, request: amqp.Message) -> None:
        body = to_json({"result": {"result": {"items": [], "total": 7}}, "error": None})
        reply = amqp.Message(body, correlation_id=request.properties["correlation_id"])
        self._channel.basic_publish(reply, replies_exchange("notification"), request.properties["reply_to"])
        request.channel.basic_ack(request.delivery_tag)


def test_while_a_former_process_runs_requests_come_by_the_queue_that_both_releases_read(
    running: Running, start_service: StartService, database: DatabaseFactory
) -> None:
    with former_process(running.uris["notification"]) as former, ThreadPoolExecutor() as besides:
        asked = besides.submit(running.ask)
        former.answer_one()
        assert asked.result().json()["total"] == 7

        current = running.start_notification(start_service, database("notification"))
        running.declare()
        assert (running.consumers(FORMER), running.consumers(CURRENT)) == (2, 1)
    wait_until(lambda: running.consumers(FORMER) == 1, "the former process is gone")
    assert running.ask().json()["total"] == 0
    assert reasons(current) == []


def test_when_all_are_replaced_requests_come_by_the_new_queue_and_the_former_is_gone(
    running: Running, start_service: StartService, database: DatabaseFactory
) -> None:
    current = running.start_notification(start_service, database("notification"))
    assert running.ask().json()["total"] == 0

    with ThreadPoolExecutor(4) as clients:
        answers = clients.map(lambda _: running.ask().status_code, range(200))
        running.declare()
        assert set(answers) == {200}

    assert former_request_queues(running.administrator_uri) == []
    wait_until(lambda: "former requests" in current.log, "the former queue is read no more")
    assert running.ask().json()["total"] == 0
    assert running.consumers(CURRENT) == 1
    wait_until(lambda: reasons(current) == [], "it is ready")


def test_dead_letters_are_read_by_one_of_either_release_at_a_time(running: Running) -> None:
    with open_connection(running.uris["notification"], "former") as former:
        former.channel().basic_consume(former_dead_letters_lock("notification"), exclusive=True)
        with pytest.raises(InUse):
            DeadLetters(running.uris["notification"], wait_seconds=0).read_all(DEAD)
    wait_until(lambda: running.consumers(former_dead_letters_lock("notification")) == 0, "the former reader is gone")
    assert DeadLetters(running.uris["notification"]).read_all(DEAD) == []
