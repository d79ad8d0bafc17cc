"""The private nodes: shared by later callers, fresh for each test, and removed when dropped."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Event, get_ident

import amqp
import kombu
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from deploy.local import nodes as private_nodes
from deploy.local import postgres, rabbitmq
from deploy.local.nodes import Nodes
from deploy.local.ports import is_free
from gateway.reading import UPLOAD_LIMIT
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import declare_working_queue
from tests.integration.messaging.world import DEAD, QUEUE, Outside, eventually


def test_nodes_that_run_are_found_and_not_started_again(nodes: Nodes) -> None:
    servers = postgres.pid(nodes.folder), rabbitmq.pid(nodes.folder)
    again = private_nodes.start(nodes.folder, durable=False)

    assert again == nodes
    assert (postgres.pid(nodes.folder), rabbitmq.pid(nodes.folder)) == servers


def test_databases_are_utf8_and_compare_by_code_point(nodes: Nodes) -> None:
    with create_engine(nodes.postgres.url()).connect() as connection:
        encoding, collation = connection.execute(
            text("select pg_encoding_to_char(encoding), datcollate from pg_database where datname = 'postgres'")
        ).one()

    assert (encoding, collation) == ("UTF8", "C.UTF-8")


def wait_until_gone(folder: Path) -> None:
    eventually(lambda: not (postgres.is_running(folder) or rabbitmq.is_running(folder)))


@pytest.fixture
def private(nodes: Nodes) -> Iterator[str]:
    """The name of a private database."""
    name = f"private_{os.getpid()}"
    nodes.postgres.prepare_private_database(name, "secret", "owner's")
    yield name
    nodes.postgres.drop_private_database(name)


def test_an_earlier_releases_tables_are_handed_over_to_the_owner(nodes: Nodes, private: str) -> None:
    with create_engine(nodes.postgres.url(private)).begin() as connection:
        connection.execute(text("create table batch (number text)"))
        connection.execute(text(f"alter table batch owner to {private}"))

    nodes.postgres.prepare_private_database(private, "secret", "owner's")

    with create_engine(nodes.postgres.url(private, private, "secret")).begin() as connection:
        connection.execute(text("insert into batch values ('1')"))
        owner = connection.scalar(text("select tableowner from pg_tables where tablename = 'batch'"))
    assert owner == f"{private}_owner"


def test_preparing_again_changes_the_passwords(nodes: Nodes, private: str) -> None:
    nodes.postgres.prepare_private_database(private, "another", "owner's")

    create_engine(nodes.postgres.url(private, private, "another")).connect().close()
    with pytest.raises(OperationalError, match="password authentication failed"):
        create_engine(nodes.postgres.url(private, private, "secret")).connect()


def test_nobody_connects_without_a_password(nodes: Nodes) -> None:
    rules = (postgres.data_folder(nodes.folder) / "pg_hba.conf").read_text().splitlines()
    methods = {rule.split()[-1] for rule in rules if rule.strip() and not rule.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_the_broker_takes_the_largest_file_that_is_asked_with(amqp_uri: str) -> None:
    largest = b"x" * (UPLOAD_LIMIT * 4 // 3)
    with Outside(amqp_uri) as outside:
        outside.channel.queue_declare("files", durable=True, auto_delete=False)

        outside.publish("", "files", largest)

        assert eventually(lambda: outside.get("files")).body == largest


def test_queue_depths_count_ready_and_unacknowledged_messages(
    amqp_uri: str, queue_depths: Callable[[str], dict[str, int]]
) -> None:
    with kombu.Connection(amqp_uri) as connection, connection.channel() as channel:
        for name, kind in (("imports", "classic"), ("bank.feedback", "quorum")):
            queue = kombu.Queue(name, channel=channel, queue_arguments={"x-queue-type": kind})
            queue.declare()
            producer = kombu.Producer(channel, on_return=pytest.fail)
            for number in range(3):
                producer.publish({"number": number}, routing_key=name)
            while queue.get() is None:
                time.sleep(0.01)

        assert queue_depths(amqp_uri) == {"imports": 3, "bank.feedback": 3}


def test_the_broker_answers_all_who_ask_it_at_the_same_moment(nodes: Nodes, amqp_uri: str) -> None:
    vhost = amqp_uri.rpartition("/")[2]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(nodes.rabbitmq.queue_depths, [vhost] * 400))

    assert answers == [{}] * 400


def test_virtual_hosts_of_two_tests_do_not_meet(nodes: Nodes, amqp_uri: str) -> None:
    with kombu.Connection(amqp_uri) as connection, connection.channel() as channel:
        kombu.Queue("pending", channel=channel, durable=True).declare()

    nodes.rabbitmq.create_vhost("another")
    try:
        assert nodes.rabbitmq.queue_depths("another") == {}
    finally:
        nodes.rabbitmq.delete_vhost("another")


@pytest.fixture
def own_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for nodes of the test's own, dropped after it."""
    yield tmp_path / "nodes"
    private_nodes.drop(tmp_path / "nodes")


@pytest.mark.long("kills nodes; nodes of its own")
def test_nodes_keep_what_they_hold_and_where_they_are_over_a_kill_and_a_stop(own_folder: Path) -> None:
    first = private_nodes.start(own_folder)
    first.postgres.create_database("membership")
    first.rabbitmq.create_vhost("cards")

    for pid in (postgres.pid(own_folder), rabbitmq.pid(own_folder)):
        assert pid
        os.kill(pid, signal.SIGKILL)
    wait_until_gone(own_folder)
    after_the_kill = private_nodes.start(own_folder)
    private_nodes.stop(own_folder)
    wait_until_gone(own_folder)
    after_the_stop = private_nodes.start(own_folder)

    assert first == after_the_kill == after_the_stop
    assert after_the_stop.postgres.has_database("membership")
    assert after_the_stop.rabbitmq.queue_depths("cards") == {}


def declare_until_the_end(uri: str, begun: Event) -> None:
    """Declare working queues, one after another, until the broker closes the connection."""
    with suppress(amqp.AMQPError, OSError), open_connection(uri, "test") as connection:
        for number in count():
            with connection.channel() as channel:
                declare_working_queue(channel, f"probe.{get_ident()}-{number}", DEAD)
            begun.set()


@pytest.mark.long("nodes of its own")
def test_a_virtual_host_deleted_while_its_clients_declare_takes_no_other_queue_along(own_folder: Path) -> None:
    broker = rabbitmq.start(own_folder)
    with ThreadPoolExecutor(4) as pool:
        for attempt in range(20):
            broker.create_vhost(f"gone-{attempt}")
            begun = Event()
            clients = [pool.submit(declare_until_the_end, broker.uri(f"gone-{attempt}"), begun) for _ in range(4)]
            assert begun.wait(60)
            broker.delete_vhost(f"gone-{attempt}")
            for client in clients:
                client.result(60)

    broker.create_vhost("kept")
    with Outside(broker.uri("kept")) as outside:
        declare_working_queue(outside.channel, QUEUE, DEAD)
        outside.publish("", QUEUE, b"bad")
        bad = eventually(lambda: outside.channel.basic_get(QUEUE))
        outside.channel.basic_reject(bad.delivery_tag, requeue=False)

        assert eventually(lambda: outside.get(DEAD)).body == b"bad"


@pytest.mark.long("nodes of its own")
def test_dropped_nodes_leave_neither_files_nor_processes(own_folder: Path) -> None:
    private_nodes.start(own_folder)
    port_mapper = json.loads((own_folder / "rabbitmq" / "state.json").read_text())["port_mapper_port"]

    private_nodes.drop(own_folder)

    wait_until_gone(own_folder)
    assert is_free(port_mapper)
    assert {path.name for path in own_folder.iterdir()} == {"postgres.lock", "rabbitmq.lock"}
