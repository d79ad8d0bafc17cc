"""Membership as a process: RPC, published events, and a kill in between."""

import os
from collections.abc import Iterator
from typing import Any

import amqp
import pytest
from nameko.standalone.rpc import ClusterRpcProxy
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session

from services.contracts.events.membership import MEMBERS_QUEUED
from services.contracts.operations.membership import members as rpc
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import declare_exchange, events_exchange
from services.kit.rpc.methods import Caller
from services.membership.members import members
from services.membership.models import Member
from tests.databases import DatabaseFactory
from tests.documents import read, unwrapped
from tests.integration.conftest import ServiceProcess, StartService
from tests.integration.membership.office import Office, an_account
from tests.integration.messaging.world import eventually
from tests.mothers import a_member_form

QUEUED = "test.members_queued"


@pytest.fixture(scope="module")
def engine(module_database: DatabaseFactory) -> Iterator[Engine]:
    """The database of the module."""
    engine = create_engine(module_database("membership").replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def office(engine: Engine) -> Office:
    return Office(engine)


@pytest.fixture(scope="module")
def service(engine: Engine, module_amqp_uri: str, module_start_service: StartService) -> ServiceProcess:
    """The process that the tests share."""
    return start(module_start_service, engine, module_amqp_uri)


@pytest.fixture
def channel(module_amqp_uri: str) -> Iterator[amqp.Channel]:
    """A queue that receives queued members, as batching's does."""
    connection = open_connection(module_amqp_uri, "test")
    channel = connection.channel()
    exchange = events_exchange("membership")
    declare_exchange(channel, exchange)
    channel.queue_declare(QUEUED, durable=True, auto_delete=False)
    channel.queue_bind(QUEUED, exchange, MEMBERS_QUEUED.key_for("batching"))
    yield channel
    connection.close()


def start(start_service: StartService, engine: Engine, amqp_uri: str) -> ServiceProcess:
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    secrets = {name: os.environ[name] for name in ("PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY")}
    return start_service("services.membership.service", url, amqp_uri, **secrets)


def call(amqp_uri: str, method: str, caller: Caller, data: dict[str, Any], request_id: str | None = None) -> Any:
    with ClusterRpcProxy({"AMQP_URI": amqp_uri}, timeout=60) as services:
        request = {"caller": caller.to_dict(), "data": data, "request_id": request_id}
        return getattr(services.membership, method)(request)


def numbers_given(office: Office) -> int:
    with Session(office.engine) as session:
        of_the_union = select(func.count(Member.member_no.distinct())).where(Member.union_id == office.union.union_id)
        return session.scalar(of_the_union) or 0


@pytest.mark.usefixtures("service")
def test_a_member_is_registered_numbered_and_queued_once_though_each_is_asked_twice(
    channel: amqp.Channel, office: Office, module_amqp_uri: str
) -> None:
    clerk, form = an_account(office, office.union, "clerk"), a_member_form()
    first, again = (call(module_amqp_uri, "register_member", clerk, form, "request-1") for _ in range(2))
    assert first == again
    eventually(lambda: numbers_given(office) == 1)
    named = {"member_ids": [first["result"]["member_id"]]}
    answers = [call(module_amqp_uri, "queue_members", clerk, named, "request-2") for _ in range(2)]
    assert answers[0] == answers[1]
    eventually(lambda: channel.queue_declare(QUEUED, passive=True).message_count == 1)
    published = unwrapped(MEMBERS_QUEUED, channel.basic_get(QUEUED, no_ack=True).body)
    assert str(published.data["applications"][0]["member_id"]) == first["result"]["member_id"]


@pytest.mark.usefixtures("service")
def test_a_request_is_refused_with_its_fields(office: Office, module_amqp_uri: str) -> None:
    asked = {"name": "王芳", "document_type": "library_card"}
    answer = call(module_amqp_uri, "register_member", office.clerk, asked)
    assert {field["field"] for field in answer["problem"]["fields"]} == {"document_type", "document_number"}


def test_everyone_gets_a_number_though_a_process_is_killed(
    start_service: StartService, database: DatabaseFactory, amqp_uri: str
) -> None:
    office = Office(create_engine(database("membership").replace("postgresql://", "postgresql+psycopg://")))
    rows = [read(rpc.RegisterMemberRequest, a_member_form()) for _ in range(3000)]
    with office.begin() as session:
        members.register_members(session, office.union.union_id, rows)
    killed = start(start_service, office.engine, amqp_uri)
    eventually(lambda: numbers_given(office) > 0)
    killed.kill()
    start(start_service, office.engine, amqp_uri)
    start(start_service, office.engine, amqp_uri)
    eventually(lambda: numbers_given(office) == 3000)
    office.engine.dispose()
