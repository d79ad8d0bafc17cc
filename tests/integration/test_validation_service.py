"""The validation service as a process, between its broker, its database and the registry."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import amqp
import pytest
from nameko.standalone.rpc import ClusterRpcProxy

from services.common.contracts.batching import VALIDATION_REQUESTED
from services.common.contracts.rpc.validation import CheckAnswer, RulesAnswer
from services.common.contracts.validation import MEMBERS_VALIDATED
from services.common.messaging.connection import open_connection
from services.common.messaging.envelope import Event, unwrap, wrap
from services.common.messaging.outbox import to_json
from services.common.messaging.queues import EVENTS_EXCHANGE, dead_queue, declare_exchange, queue_name
from services.validation.rules import RULES
from tests.integration.conftest import ServiceProcess, StartService
from tests.mothers import a_person, a_validation_request
from tests.registry_simulator import RegistrySimulator, running_registry

RESULTS = "test.members_validated"


@pytest.fixture
def simulator() -> Iterator[RegistrySimulator]:
    with running_registry() as running:
        yield running


@dataclass
class Validation:
    """The service's surroundings: batching asks, everybody hears the results, the gateway asks for checks."""

    start: Callable[[], ServiceProcess]
    channel: amqp.Channel
    amqp_uri: str

    def request(self, data: dict[str, Any], times: int = 1) -> dict[str, Any]:
        """Sends the event, the very same one several times; answers its document."""
        document = wrap(VALIDATION_REQUESTED, data, None)
        for _ in range(times):
            message = amqp.Message(to_json(document), message_id=document["id"], delivery_mode=2)
            self.channel.basic_publish_confirm(message, EVENTS_EXCHANGE, VALIDATION_REQUESTED.type, mandatory=True)
        return document

    def heard(self, seconds: float = 60) -> Event:
        """The next event of results."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.channel.basic_get(RESULTS, no_ack=True)
            if message is not None:
                return unwrap(MEMBERS_VALIDATED, message.body)
            time.sleep(0.02)
        pytest.fail(f"no results in {seconds} s")

    def hears_nothing_for(self, seconds: float) -> bool:
        time.sleep(seconds)
        return self.channel.basic_get(RESULTS, no_ack=True) is None

    def size(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).message_count)

    def ask(self, method: str, data: dict[str, Any], **caller: Any) -> Any:
        """What the service answers to a caller, `{"result": ...}` or `{"problem": ...}`, over Nameko's own client."""
        with ClusterRpcProxy({"AMQP_URI": self.amqp_uri}, timeout=60) as services:
            return getattr(services.validation, method)({"caller": {"account_id": "a", **caller}, "data": data})


@pytest.fixture
def validation(
    start_service: StartService, database: Callable[[str], str], amqp_uri: str, simulator: RegistrySimulator
) -> Iterator[Validation]:
    connection = open_connection(amqp_uri, "test")
    channel = connection.channel()
    channel.confirm_select()
    declare_exchange(channel, EVENTS_EXCHANGE)
    channel.queue_declare(RESULTS, durable=True, auto_delete=False)
    channel.queue_bind(RESULTS, EVENTS_EXCHANGE, MEMBERS_VALIDATED.type)
    database_url = database("validation")

    def start() -> ServiceProcess:
        return start_service(
            "services.validation.service",
            database_url,
            amqp_uri,
            REGISTRY_URL=simulator.url,
            REGISTRY_PAUSES="0.2,0.5",
            REGISTRY_READ_SECONDS="0.5",
            REGISTRY_REST_SECONDS="0.2",
            PERSONAL_DATA_KEYS=os.environ["PERSONAL_DATA_KEYS"],
        )

    yield Validation(start, channel, amqp_uri)
    connection.close()


def results_of(event: Event) -> dict[UUID, str]:
    return {result["application_id"]: result["result"] for result in event.data["results"]}


def test_a_check_is_answered_and_can_be_looked_at(validation: Validation) -> None:
    validation.start()
    request = a_validation_request(a_person())
    document = validation.request(request)
    application_id = request["applications"][0]["application_id"]

    event = validation.heard()
    assert results_of(event) == {application_id: "passed"}
    assert event.correlation_id == document["correlationid"]
    assert event.causation_id == document["id"]

    asked = {"application_id": str(application_id)}
    own, other = str(request["union_id"]), str(uuid4())
    shown = validation.ask("get_check", asked, roles=["clerk"], union_id=own)["result"]
    assert CheckAnswer().load(shown)["result"] == "passed"
    for stranger in ({"roles": ["clerk"], "union_id": other}, {"roles": ["member"], "union_id": own}):
        assert "problem" in validation.ask("get_check", asked, **stranger)
    rules = validation.ask("list_rules", {}, roles=["operator"])["result"]
    assert [rule["rule"] for rule in RulesAnswer().load(rules)["items"]] == [rule.id for rule in RULES]


def test_a_request_that_comes_twice_is_answered_once(validation: Validation) -> None:
    validation.start()
    validation.request(a_validation_request(a_person()), times=3)
    last = a_validation_request(a_person())
    validation.request(last)
    validation.heard()
    assert list(results_of(validation.heard())) == [last["applications"][0]["application_id"]]


def test_checks_go_on_by_themselves_when_the_registry_is_back(
    validation: Validation, simulator: RegistrySimulator
) -> None:
    simulator.behave("down")
    validation.start()
    request = a_validation_request(*[a_person()] * 3)
    validation.request(request)
    assert set(results_of(validation.heard()).values()) == {"waiting"}
    assert validation.hears_nothing_for(2)

    simulator.behave("normal")
    assert list(results_of(validation.heard()).values()) == ["passed"] * 3


def test_waiting_checks_outlast_a_killed_process(validation: Validation, simulator: RegistrySimulator) -> None:
    simulator.behave("slow", latency_ms=5000)
    first = validation.start()
    validation.request(a_validation_request(a_person()))
    assert set(results_of(validation.heard()).values()) == {"waiting"}
    time.sleep(1.2)
    first.kill()

    simulator.behave("normal")
    validation.start()
    assert set(results_of(validation.heard()).values()) == {"passed"}
    assert validation.hears_nothing_for(1.5)


def test_two_processes_decide_each_waiting_check_once(validation: Validation, simulator: RegistrySimulator) -> None:
    simulator.behave("error")
    validation.start()
    validation.start()
    requests = [a_validation_request(*[a_person()] * 20) for _ in range(5)]
    for request in requests:
        validation.request(request)
        assert set(results_of(validation.heard()).values()) == {"waiting"}

    simulator.behave("normal")
    decided: list[UUID] = []
    while len(decided) < 100:
        decided += results_of(validation.heard())
    assert sorted(decided) == sorted(one["application_id"] for request in requests for one in request["applications"])
    assert validation.hears_nothing_for(1)


def test_a_request_that_contradicts_itself_becomes_a_dead_letter(validation: Validation) -> None:
    validation.start()
    request = a_validation_request(a_person(), a_person())
    request["persons"].pop()
    validation.request(request)
    validation.request(a_validation_request(a_person()))
    validation.heard()
    assert validation.size(dead_queue(queue_name("validation", VALIDATION_REQUESTED.name))) == 1
