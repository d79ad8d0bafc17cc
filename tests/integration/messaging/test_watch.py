"""Readiness names what blocks messages or changes: a missing queue, a full broker, a read-only database."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from deploy.broker import declare_all
from deploy.local import nodes as private_nodes
from deploy.local.rabbitmq import SHARE_OF_MEMORY, RabbitMQ
from services.contracts.events.batching import VALIDATION_REQUESTED
from services.contracts.examples import wire_example
from services.kit.amqp.queues import EVENTS_EXCHANGE, dead_queue, depth_of, queue_name
from services.kit.amqp.watch import RESTORE
from services.kit.data.database import outbox
from services.kit.events.envelope import wrap
from services.kit.events.outbox import publish, to_json
from tests.databases import ROOT, DatabaseFactory
from tests.documents import event_data
from tests.gateway_page import a_cookie
from tests.integration.conftest import TEST_SECRETS
from tests.integration.messaging.probe.contracts import PINGED
from tests.integration.messaging.world import QUEUE, Outside, World, eventually, reasons

FOLDER = ROOT / ".local" / "test-alarm"
HEARD = queue_name("validation", "validation_requested")
PUBLISHED = queue_name("batching", "members_validated")
SHORT = "the broker takes no messages: it is short of memory or disk"
READ_ONLY = "the database takes no changes: it is read-only"


@pytest.mark.parametrize("queue", [PUBLISHED, dead_queue(HEARD)], ids=["of a consumer", "of dead letters"])
def test_a_missing_queue_is_named_with_what_restores_it(validation: Any, outside: Outside, queue: str) -> None:
    outside.channel.queue_delete(queue)
    said = eventually(lambda: reasons(validation))
    assert said == [f"the queue {queue} is missing; the administrator restores it: {RESTORE}"]

    declare_all(outside.amqp_uri, beside_former=True)
    eventually(lambda: reasons(validation) == [])


def test_what_waits_for_a_missing_queue_goes_out_when_it_is_restored(validation: Any, outside: Outside) -> None:
    outside.channel.queue_delete(PUBLISHED)
    outside.publish(EVENTS_EXCHANGE, VALIDATION_REQUESTED.key_for("validation"), to_json(a_request()))
    eventually(lambda: any(f"{PUBLISHED}: unroutable" in reason for reason in reasons(validation)))

    declare_all(outside.amqp_uri, beside_former=True)
    eventually(lambda: outside.size(PUBLISHED) == 1)
    eventually(lambda: reasons(validation) == [])


def test_a_consumer_makes_its_own_queue_again(validation: Any, outside: Outside) -> None:
    outside.channel.queue_delete(HEARD)
    eventually(lambda: "broker_lost" in validation.log)
    eventually(lambda: (depth_of(outside.connection, HEARD) or (0, 0))[1] == 1)
    eventually(lambda: reasons(validation) == [])


def test_a_database_that_takes_no_changes_delays_but_loses_nothing(own_world: World) -> None:
    world = own_world
    probe = world.start(HOLD_SECONDS="0.2", ATTEMPTS_OF_UNKNOWN_ERRORS="1", RETRY_DELAYS="0.1")
    world.outside.knock("before")
    eventually(lambda: "heard" in world.effects("before"))
    with Session(world.engine) as session, session.begin():
        publish(session, PINGED, {"key": "committed"})
        change(world, "default_transaction_read_only", "on")

    assert eventually(lambda: READ_ONLY in reasons(probe))
    refused = world.outside.call("knock", {"key": "refused"})["problem"]
    assert (refused["status"], refused["code"], refused["retry_after"]) == (503, "database_read_only", 5)
    assert world.outside.call("count", {"key": "before"})["result"] == {"count": 2}
    world.outside.knock("meanwhile")
    eventually(lambda: probe.log.count("message_moved") > 3)

    change(world, "default_transaction_read_only", "off")
    for key in ("committed", "meanwhile"):
        eventually(world.happened(key))
    eventually(lambda: waiting(world) == [])
    assert [len(world.done(key)) for key in ("committed", "meanwhile")] == [1, 1]
    assert world.outside.size(f"{QUEUE}.dead") == 0
    eventually(lambda: reasons(probe) == [])


@pytest.mark.long("mounts a disk of its own, as root")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_database_whose_disk_is_full_is_not_ready(own_world: World) -> None:
    probe = own_world.start()
    with tiny_disk(own_world) as tablespace:
        change(own_world, "temp_tablespaces", tablespace)
        eventually(lambda: reasons(probe) == ["the database takes no changes: its disk is full"])
        change(own_world, "temp_tablespaces", "''")
        eventually(lambda: reasons(probe) == [])


@pytest.mark.long("a broker of its own runs short of memory")
def test_a_broker_that_is_short_of_memory_is_seen_and_said(
    alarming: RabbitMQ, start_service: Callable[..., Any]
) -> None:
    amqp_uri = alarming.uri("alarm")
    start_service("tests.integration.tiny_membership", "", amqp_uri)
    gateway = start_service("gateway.service", "", amqp_uri, GATEWAY_PORT="0", ENVIRONMENT="demo")
    cookie = a_cookie(TEST_SECRETS["SESSION_SECRET"], str(uuid4()))

    def get(path: str) -> requests.Response:
        return requests.get(f"{gateway.http_url}{path}", headers={"Cookie": cookie}, timeout=60)

    assert get("/api/v1/operations/queues").status_code == 200

    alarming.limit_memory(1e-9)
    eventually(lambda: SHORT in reasons(gateway))
    answer = get("/api/v1/members")
    assert (answer.status_code, answer.json()["code"]) == (503, "broker_blocked")
    assert answer.headers["Content-Type"] == "application/problem+json"
    services = {one["service"]: one for one in get("/api/v1/operations/services").json()["items"]}
    assert services["gateway"]["status"]["reasons"] == [SHORT]
    assert not services["membership"]["answers"]
    queues = {one["queue"]: one for one in get("/api/v1/operations/queues").json()["items"]}
    assert not queues["membership.requests"]["is_missing"]
    assert queues[PUBLISHED]["is_missing"]

    alarming.limit_memory(SHARE_OF_MEMORY)
    eventually(lambda: reasons(gateway) == [])
    assert get("/api/v1/members").json()["code"] == "unknown_request", "tiny membership has no members"


def a_request() -> dict[str, Any]:
    """An event that requests checks; none needs the registry, so that results are published at once."""
    return wrap(VALIDATION_REQUESTED, event_data(VALIDATION_REQUESTED, wire_example(VALIDATION_REQUESTED)), None)


@pytest.fixture(scope="module")
def outside(module_amqp_uri: str) -> Iterator[Outside]:
    declare_all(module_amqp_uri, beside_former=True)
    with Outside(module_amqp_uri) as client:
        yield client


@pytest.fixture(scope="module")
def validation(outside: Outside, module_database: DatabaseFactory, module_start_service: Callable[..., Any]) -> Any:
    """A process of validation on a prepared broker; it exchanges events with batching."""
    return module_start_service(
        "services.validation.service",
        module_database("validation"),
        outside.amqp_uri,
        REGISTRY_URL="http://127.0.0.1:9",
        PERSONAL_DATA_KEYS=os.environ["PERSONAL_DATA_KEYS"],
    )


@pytest.fixture
def alarming() -> Iterator[RabbitMQ]:
    """A broker of its own: an alarm is everybody's."""
    private_nodes.drop(FOLDER)
    broker = private_nodes.start_rabbitmq(FOLDER)
    broker.create_vhost("alarm")
    yield broker
    private_nodes.drop(FOLDER)


@contextmanager
def tiny_disk(world: World) -> Iterator[str]:
    """The name of a place for the database's files that has room for next to nothing."""
    name = f"tiny_{os.getpid()}"
    folder = Path(pwd.getpwnam("postgres").pw_dir) / name  # its user may not enter .local
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", folder], check=True)
    admin = create_engine(world.engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    try:
        shutil.chown(folder, "postgres")
        with admin.connect() as connection:
            connection.exec_driver_sql(f"create tablespace {name} location '{folder}'")
            try:
                yield name
            finally:
                connection.exec_driver_sql(f"drop tablespace {name}")
    finally:
        admin.dispose()
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


def change(world: World, setting: str, value: str) -> None:
    """Changes a setting of the probe's database, and ends the probe's connections, so that new ones have it."""
    url = world.engine.url
    with create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT").connect() as other:
        other.exec_driver_sql(f"alter database {url.database} set {setting} = {value}")
        other.exec_driver_sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            f" where datname = '{url.database}' and application_name like 'probe%%'"
        )


def waiting(world: World) -> list[str]:
    """The rows of the outbox."""
    with Session(world.engine) as session:
        return list(session.scalars(select(outbox.c.routing_key)))
