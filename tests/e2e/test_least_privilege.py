"""Least privilege on broker and databases of a running stack: each login can do only what its program needs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import amqp
import pytest
from amqp import AccessRefused
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from deploy.local import postgres
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack
from deploy.permissions import PROGRAMS, SERVICES
from services.contracts.events.all_events import EVENTS
from services.contracts.external import bank, insurer
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import (
    EVENTS_EXCHANGE,
    RPC_EXCHANGE,
    dead_letters_lock,
    events_exchange,
    own_exchange,
    owner_of,
    replies_exchange,
)
from services.kit.data.months import later, month_of

EXCHANGES = (
    *("", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic"),
    *(EVENTS_EXCHANGE, RPC_EXCHANGE, bank.EXCHANGE, bank.FEEDBACK_EXCHANGE),
    *(insurer.EXCHANGE, insurer.ENROLMENTS_EXCHANGE),
    *(way(service) for service in SERVICES for way in (own_exchange, events_exchange, replies_exchange)),
)
OUTSIDE = {
    "bank": ((bank.BATCHES_QUEUE, bank.RECEIPTS_QUEUE), (bank.FEEDBACK_EXCHANGE, bank.FEEDBACK_QUEUE)),
    "insurer": (
        (insurer.MEMBERS_QUEUE, insurer.RECEIPTS_QUEUE),
        (insurer.ENROLMENTS_EXCHANGE, insurer.ENROLMENTS_QUEUE),
    ),
}
"""The queues that an outside party reads, and the exchange and routing key by which it answers."""
every_outside_party = pytest.mark.parametrize("program", OUTSIDE)
BrokerOperation = Callable[[amqp.Channel], object]


class Login:
    """One program's connection to the broker."""

    def __init__(self, connection: amqp.Connection) -> None:
        self._connection = connection

    def is_refused(self, operation: BrokerOperation) -> bool:
        """Whether the broker refuses the user to do this."""
        channel = self._connection.channel()
        channel.confirm_select()
        try:
            operation(channel)
        except AccessRefused:
            return True
        finally:
            channel.close()  # a refused one too: amqp opens it anew, and a user may have so many only
        return False


@pytest.fixture(scope="module")
def logins(stack: Stack) -> Iterator[dict[str, Login]]:
    """Each program as the broker knows it."""
    with ExitStack() as after:
        connections = {program: open_connection(stack.addresses.amqp_uris[program], "test") for program in PROGRAMS}
        for connection in connections.values():
            after.callback(connection.close)
        yield {program: Login(connection) for program, connection in connections.items()}


@pytest.fixture(scope="module")
def queues(stack: Stack, nodes: Nodes) -> list[str]:
    """All queues that there are, but those that exist only while somebody reads dead letters."""
    found = nodes.rabbitmq.queue_depths(stack.addresses.amqp_uris["bank"].rpartition("/")[2])
    some = {bank.BATCHES_QUEUE, bank.FEEDBACK_QUEUE, insurer.MEMBERS_QUEUE, insurer.REJECTED_QUEUE}
    assert some | {"batching.members_queued", "membership.requests"} <= set(found)
    return [queue for queue in found if queue not in map(dead_letters_lock, SERVICES)]


def reading(queue: str) -> dict[str, BrokerOperation]:
    """All ways to a queue's messages."""
    return {
        "get": lambda channel: channel.basic_get(queue),
        "consume": lambda channel: channel.basic_consume(queue),
        "purge": lambda channel: channel.queue_purge(queue),
    }


def changing(queue: str) -> dict[str, BrokerOperation]:
    """All ways to change a queue and where its messages come from."""
    return {
        "delete": lambda channel: channel.queue_delete(queue, if_unused=True),
        "declare": lambda channel: channel.queue_declare(queue, durable=True, auto_delete=False),
        "bind": lambda channel: channel.queue_bind(queue, EVENTS_EXCHANGE, "#"),
        "unbind": lambda channel: channel.queue_unbind(queue, EVENTS_EXCHANGE, "nothing"),
    }


def publishing(exchange: str, routing_key: str) -> BrokerOperation:
    return lambda channel: channel.basic_publish_confirm(amqp.Message(b"{}"), exchange, routing_key)


def allowed(login: Login, operations: dict[str, BrokerOperation]) -> list[str]:
    """The operations that the broker did not refuse."""
    return [name for name, operation in operations.items() if not login.is_refused(operation)]


@every_outside_party
def test_an_outside_party_reads_no_queue_but_its_own(logins: dict[str, Login], queues: list[str], program: str) -> None:
    others = [queue for queue in queues if queue not in OUTSIDE[program][0]]
    assert {queue: ways for queue in others if (ways := allowed(logins[program], reading(queue)))} == {}


@every_outside_party
def test_an_outside_party_changes_no_queue_not_even_its_own(
    logins: dict[str, Login], queues: list[str], program: str
) -> None:
    mine = f"{program}.mine"
    assert {queue: ways for queue in [*queues, mine] if (ways := allowed(logins[program], changing(queue)))} == {}


@every_outside_party
def test_an_outside_party_publishes_nothing_but_its_answers(logins: dict[str, Login], program: str) -> None:
    of_others = (bank.FEEDBACK_QUEUE, bank.SUBMITTED, insurer.ENROLMENTS_QUEUE, insurer.ELIGIBLE)
    keys = ("", *of_others, "batching.members_queued", "membership.list_members", *EVENTS)
    targets = [(exchange, key) for exchange in EXCHANGES for key in keys]
    taken = [target for target in targets if not logins[program].is_refused(publishing(*target))]
    assert taken == [OUTSIDE[program][1]]


@pytest.mark.parametrize("program", PROGRAMS)
def test_nobody_makes_or_removes_what_all_share(logins: dict[str, Login], program: str) -> None:
    for exchange in (EVENTS_EXCHANGE, RPC_EXCHANGE):
        assert logins[program].is_refused(lambda channel, name=exchange: channel.exchange_delete(name))  # type: ignore[misc]
        assert logins[program].is_refused(
            lambda channel, name=exchange: channel.exchange_declare(name, "topic", durable=True)  # type: ignore[misc]
        )
    assert logins[program].is_refused(lambda channel: channel.exchange_declare("another", "topic"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_part_in_anothers_queues(logins: dict[str, Login], queues: list[str], service: str) -> None:
    mine = {queue for queue in queues if owner_of(queue) == service}
    others = [queue for queue in queues if queue not in mine]
    ways = {queue: {**reading(queue), **changing(queue)} for queue in others}
    assert {queue: done for queue in others if (done := allowed(logins[service], ways[queue]))} == {}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_changes_no_queue_not_even_its_own(logins: dict[str, Login], queues: list[str], service: str) -> None:
    mine = [queue for queue in queues if owner_of(queue) == service]
    assert {queue: ways for queue in mine if (ways := allowed(logins[service], changing(queue)))} == {}


@pytest.mark.parametrize("program", [*SERVICES, "gateway"])
def test_nobody_publishes_anothers_event_or_reaches_a_queue_by_its_name(logins: dict[str, Login], program: str) -> None:
    foreign = [event for event in EVENTS.values() if event.producer != program]
    keys = [(event, key) for event in foreign for key in (event.type, *map(event.key_for, event.recipients))]
    ways = [(exchange, key) for event, key in keys for exchange in (EVENTS_EXCHANGE, events_exchange(event.producer))]
    assert [way for way in ways if not logins[program].is_refused(publishing(*way))] == []
    others = ["", *(own_exchange(service) for service in SERVICES if service != program)]
    assert [
        name for name in others if not logins[program].is_refused(publishing(name, "batching.members_queued"))
    ] == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_asks_another_as_the_gateway_does(logins: dict[str, Login], service: str) -> None:
    assert logins[service].is_refused(publishing(RPC_EXCHANGE, "membership.list_members"))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_binds_no_queue_to_events_that_are_for_others(logins: dict[str, Login], service: str) -> None:
    mine = next(event for event in EVENTS.values() if service in event.consumers)
    queue = f"{service}.{mine.name}"
    for exchange in (EVENTS_EXCHANGE, *map(events_exchange, SERVICES)):
        assert logins[service].is_refused(lambda channel, exchange=exchange: channel.queue_bind(queue, exchange, "#"))  # type: ignore[misc]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reaches_no_database_but_its_own(stack: Stack, service: str) -> None:
    own = make_url(stack.addresses.database_urls[service])
    create_engine(own).connect().close()
    others = {make_url(url).database for url in stack.addresses.database_urls.values()} - {own.database}
    for role in (own, own.set(username=postgres.owner_of(own.database or ""))):
        for other in (*others, "postgres", "template0", "template1"):
            with pytest.raises(OperationalError, match=r"permission denied for database|not currently accepting"):
                create_engine(role.set(database=other)).connect()


def test_no_database_lets_everybody_in(stack: Stack, nodes: Nodes) -> None:
    mine = [make_url(url).database for url in stack.addresses.database_urls.values()]
    with create_engine(nodes.postgres.url()).connect() as connection:
        is_open = text(
            "select datname from pg_database where has_database_privilege('public', datname, 'connect')"
            " and datname = any(:names) and datallowconn"
        )
        assert connection.scalars(is_open, {"names": [*mine, "postgres", "template1"]}).all() == []


@pytest.mark.parametrize(
    "statement",
    [
        "create table another (id int)",
        "create temporary table another (id int)",
        "alter table batch_person add column another int",
        "alter table batch_person disable trigger all",
        "drop trigger {trigger} on batch_person",
        "truncate batch",
        "drop table batch",
        "set session_replication_role = replica",
        "create extension btree_gin",
        "set role {owner}",
    ],
)
def test_a_running_service_does_not_change_its_tables(stack: Stack, statement: str) -> None:
    url = make_url(stack.addresses.database_urls["batching"])
    with create_engine(url).connect() as connection:
        trigger = connection.scalar(
            text("select tgname from pg_trigger where tgrelid = 'batch_person'::regclass limit 1")
        )
        assert trigger
        with pytest.raises(ProgrammingError, match=r"must be owner|denied"):
            connection.execute(text(statement.format(owner=f"{url.username}_owner", trigger=f'"{trigger}"')))


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("drop table {month}", "must be owner"),
        ("alter table audit_entry detach partition {month}", "must be owner"),
        ("select drop_archived_month('{this}')", "audit events of the last 180 days stay"),
        ("select add_month('member', '{next}')", "member has no months"),
        ("delete from audit_archive", "never changes"),
    ],
)
def test_membership_removes_no_month_of_the_audit_log_that_is_young(stack: Stack, statement: str, why: str) -> None:
    this = month_of(datetime.now(UTC))
    names = {"this": f"{this:%Y_%m}", "month": f"audit_entry_{this:%Y_%m}", "next": later(this)}
    with create_engine(stack.addresses.database_urls["membership"]).connect() as connection:
        connection.execute(text("select add_month('audit_entry', :month)"), {"month": later(this, 5)})
        with pytest.raises(DBAPIError, match=why):
            connection.execute(text(statement.format(**names)))


def test_no_role_of_a_service_is_a_superuser(stack: Stack, nodes: Nodes) -> None:
    urls = [*stack.addresses.database_urls.values(), *stack.addresses.owner_urls.values()]
    with create_engine(nodes.postgres.url()).connect() as connection:
        rights = "rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls"
        mighty = text(f"select rolname from pg_roles where rolname = any(:names) and ({rights})")
        assert connection.scalars(mighty, {"names": [make_url(url).username for url in urls]}).all() == []


def test_each_process_runs_with_its_own_users(stack: Stack) -> None:
    users = [make_url(uri).username for uri in stack.addresses.amqp_uris.values()]
    roles = [make_url(url).username for url in stack.addresses.database_urls.values()]
    assert len(set(users)) == len(PROGRAMS)
    assert len(set(roles)) == len(SERVICES)
