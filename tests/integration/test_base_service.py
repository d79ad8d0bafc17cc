"""The operations of every service for operators: status and dead letters, in a service as a process."""

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import amqp
import pytest

from deploy.local.client import wait_until
from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.batching import BATCH_SUBMITTED
from services.kit.amqp.connection import open_connection
from services.kit.events.topology import depths
from services.kit.operations.operators import (
    DeadLetterDetailAnswer,
    ServiceDeadLettersAnswer,
    SettledAnswer,
    StatusAnswer,
)
from services.kit.rpc.methods import Caller
from tests.databases import DatabaseFactory
from tests.documents import loaded
from tests.integration.conftest import StartService
from tests.integration.service_environment import ServiceEnvironment, service_environment

QUEUE = "revocation.batch_submitted.dead"
OPERATOR = Caller(account_id=str(uuid4()), account_name="ops", roles=frozenset({"operator"}))


@pytest.fixture(scope="module")
def revocation(
    module_start_service: StartService, module_database: DatabaseFactory, module_amqp_uri: str
) -> Iterator[ServiceEnvironment]:
    with service_environment("revocation", module_amqp_uri) as environment:
        environment.subscribe(ACTS_RECORDED["revocation"])
        keys, database_url = os.environ["PERSONAL_DATA_KEYS"], module_database("revocation")
        module_start_service("services.revocation.service", database_url, module_amqp_uri, PERSONAL_DATA_KEYS=keys)
        yield environment


def call(revocation: ServiceEnvironment, method: str, answer: type[Any], **data: Any) -> dict[str, Any]:
    """An answer to an operator, read by its declaration."""
    return loaded(answer, revocation.call(method, OPERATOR, data)["result"])


def dead_letter(amqp_uri: str, *message_ids: str) -> None:
    """Puts messages into the queue of dead letters, once the service has declared it."""
    with open_connection(amqp_uri, "test") as connection:
        wait_until(lambda: list(depths(connection, [QUEUE])), "the queue is there")
        channel = connection.channel()
        for message_id in message_ids:
            headers = {"x-original-queue": "revocation.batch_submitted"}
            message = amqp.Message(b"{}", message_id=message_id, type=BATCH_SUBMITTED.type, application_headers=headers)
            channel.basic_publish(message, "", QUEUE)


def listed(revocation: ServiceEnvironment) -> list[str]:
    answer = call(revocation, "list_dead_letters", ServiceDeadLettersAnswer, queue=QUEUE)
    return [letter["id"] for letter in answer["items"]]


def test_operators_see_the_status_and_settle_dead_letters_on_record(
    revocation: ServiceEnvironment, module_amqp_uri: str
) -> None:
    wait_until(lambda: call(revocation, "get_status", StatusAnswer)["reasons"] == [], "the service is ready")
    dead_letter(module_amqp_uri, "a", "b", "c")
    wait_until(lambda: len(listed(revocation)) == 3, "the letters are there")

    first = call(revocation, "list_dead_letters", ServiceDeadLettersAnswer, limit=1)
    assert ([letter["id"] for letter in first["items"]], first["total"]) == (["a"], 3)
    letter = call(revocation, "get_dead_letter", DeadLetterDetailAnswer, queue=QUEUE, id="b")
    assert (letter["subject"], letter["original_queue"], letter["history"]) == ("提交办卡", QUEUE[:-5], [])

    discarded = call(revocation, "discard_dead_letters", SettledAnswer, queue=QUEUE, ids=["b"], reason="测试数据")
    assert discarded == {"ids": ["b"]}
    assert call(revocation, "replay_dead_letters", SettledAnswer, queue=QUEUE, ids=["c"]) == {"ids": ["c"]}
    published = [revocation.receive(ACTS_RECORDED["revocation"]).data for _ in range(2)]
    assert [(act["action"].partition(".")[2], act["records"]) for act in published] == [
        ("discard_dead_letters", ["dead_letter:b"]),
        ("replay_dead_letters", ["dead_letter:c"]),
    ]


@pytest.mark.parametrize(
    ("method", "more"),
    [("list_dead_letters", {}), ("get_dead_letter", {"id": "a"}), ("replay_dead_letters", {"all": True})],
)
def test_a_queue_that_is_not_the_services_own_is_not_found(
    revocation: ServiceEnvironment, method: str, more: dict[str, Any]
) -> None:
    answer = revocation.call(method, OPERATOR, {"queue": "batching.members_queued.dead", **more})
    assert answer["problem"]["code"] == "not_found"
