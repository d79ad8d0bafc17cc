"""The validation service as a process, between its broker, its database and the registry."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import amqp
import pytest
from nameko.standalone.rpc import ClusterRpcProxy
from sqlalchemy import create_engine, text

from deploy.local.client import wait_until
from services.contracts.events.batching import VALIDATION_REQUESTED
from services.contracts.events.validation import MEMBERS_VALIDATED
from services.contracts.operations.validation import CheckAnswer, RulesAnswer
from services.kit.amqp.connection import open_connection
from services.kit.amqp.queues import EVENTS_EXCHANGE, dead_queue, declare_exchange, events_exchange, queue_name
from services.kit.events.envelope import Event, wrap
from services.kit.events.outbox import to_json
from services.validation.rules import RULES
from tests.databases import DatabaseFactory
from tests.documents import loaded, unwrapped
from tests.integration.conftest import ServiceProcess, StartService
from tests.mothers import a_person, a_validation_request
from tests.registry_simulator import RegistrySimulator, running_registry

RESULTS = "test.members_validated"


@dataclass
class Validation:
    """The service's environment: batching requests checks, consumers receive results, the gateway queries them."""

    channel: amqp.Channel
    database_url: str
    amqp_uri: str
    simulator: RegistrySimulator

    def start(self, start_service: StartService, read_seconds: float = 60) -> ServiceProcess:
        """A process that asks again soon; `read_seconds` is how long it waits for the registry's answer."""
        return start_service(
            "services.validation.service",
            self.database_url,
            self.amqp_uri,
            REGISTRY_URL=self.simulator.url,
            REGISTRY_PAUSES="0.2,0.5",
            REGISTRY_READ_SECONDS=str(read_seconds),
            REGISTRY_DEADLINE_SECONDS="60",
            REGISTRY_REST_SECONDS="0.2",
            PERSONAL_DATA_KEYS=os.environ["PERSONAL_DATA_KEYS"],
        )

    def request(self, data: dict[str, Any], times: int = 1) -> dict[str, Any]:
        """Sends the event, the very same one several times; answers its document."""
        document = wrap(VALIDATION_REQUESTED, data, None)
        for _ in range(times):
            message = amqp.Message(to_json(document), message_id=document["id"], delivery_mode=2)
            self.channel.basic_publish_confirm(message, EVENTS_EXCHANGE, VALIDATION_REQUESTED.type, mandatory=True)
        return document

    def receive(self) -> Event:
        """The next event of results."""
        message = wait_until(lambda: self.channel.basic_get(RESULTS, no_ack=True), "results are told")
        return unwrapped(MEMBERS_VALIDATED, message.body)

    def tells_no_more(self) -> bool:
        """Whether nothing earlier is still to be decided, and a later request is the next that is answered."""
        with create_engine(self.database_url).connect() as connection:
            waiting = connection.scalar(text("select count(*) from waiting_check"))
        later = a_validation_request(a_person())
        self.request(later)
        return not waiting and decided(self, 1).keys() == set(applications_of(later))

    def size(self, queue: str) -> int:
        return int(self.channel.queue_declare(queue, passive=True).message_count)

    def call(self, method: str, data: dict[str, Any], **caller: Any) -> Any:
        """What the service answers to a caller, `{"result": ...}` or `{"problem": ...}`, over Nameko's own client."""
        with ClusterRpcProxy({"AMQP_URI": self.amqp_uri}, timeout=60) as services:
            return getattr(services.validation, method)({"caller": {"account_id": "a", **caller}, "data": data})


@contextmanager
def around_validation(database_url: str, amqp_uri: str) -> Iterator[Validation]:
    """All that is around the service, but no process of it."""
    with running_registry() as simulator, open_connection(amqp_uri, "test") as connection:
        channel = connection.channel()
        channel.confirm_select()
        declare_exchange(channel, EVENTS_EXCHANGE)
        channel.queue_declare(RESULTS, durable=True, auto_delete=False)
        results = events_exchange("validation")
        declare_exchange(channel, results)
        channel.queue_bind(RESULTS, results, MEMBERS_VALIDATED.key_for("batching"))
        yield Validation(channel, database_url, amqp_uri, simulator)


@pytest.fixture(scope="module")
def shared(
    module_start_service: StartService, module_database: DatabaseFactory, module_amqp_uri: str
) -> Iterator[Validation]:
    with around_validation(module_database("validation"), module_amqp_uri) as validation:
        validation.start(module_start_service)
        yield validation


@pytest.fixture
def validation(shared: Validation) -> Validation:
    """The process that all tests share, each with applicants of its own."""
    shared.simulator.behave("normal")
    return shared


@pytest.fixture
def validation_alone(database: DatabaseFactory, amqp_uri: str) -> Iterator[Validation]:
    """No process yet: the test starts those that it needs."""
    with around_validation(database("validation"), amqp_uri) as validation:
        yield validation


def results_of(event: Event) -> dict[UUID, str]:
    return {result["application_id"]: result["result"] for result in event.data["results"]}


def test_a_check_is_answered_and_can_be_looked_at(validation: Validation) -> None:
    request = a_validation_request(a_person())
    document = validation.request(request)
    application_id = request["applications"][0]["application_id"]

    event = validation.receive()
    assert results_of(event) == {application_id: "passed"}
    assert event.correlation_id == document["correlationid"]
    assert event.causation_id == document["id"]

    asked = {"application_id": str(application_id)}
    own, other = str(request["union_id"]), str(uuid4())
    shown = validation.call("get_check", asked, roles=["clerk"], union_id=own)["result"]
    assert loaded(CheckAnswer, shown)["result"] == "passed"
    for stranger in ({"roles": ["clerk"], "union_id": other}, {"roles": ["member"], "union_id": own}):
        assert "problem" in validation.call("get_check", asked, **stranger)
    rules = validation.call("list_rules", {}, roles=["operator"])["result"]
    assert [rule["rule"] for rule in loaded(RulesAnswer, rules)["items"]] == [rule.id for rule in RULES]


def test_a_request_that_comes_twice_is_answered_once(validation: Validation) -> None:
    validation.request(a_validation_request(a_person()), times=3)
    last = a_validation_request(a_person())
    validation.request(last)
    validation.receive()
    assert list(results_of(validation.receive())) == [last["applications"][0]["application_id"]]


def test_checks_resume_automatically_when_the_registry_is_back(validation: Validation) -> None:
    simulator = validation.simulator
    simulator.behave("down")
    requests = [a_validation_request(*[a_person()] * 3), a_validation_request(a_person())]
    validation.request(requests[0])
    assert list(results_of(validation.receive()).values()) == ["waiting"] * 3
    asked = simulator.calls()
    wait_until(lambda: simulator.calls() > asked + 2, "the registry is asked again and again")
    validation.request(requests[1])
    assert list(results_of(validation.receive()).values()) == ["waiting"]

    simulator.behave("normal")
    assert decided(validation, 4) == {one: "passed" for request in requests for one in applications_of(request)}


def test_waiting_checks_outlast_a_killed_process(validation_alone: Validation, start_service: StartService) -> None:
    validation, simulator = validation_alone, validation_alone.simulator
    simulator.behave("normal", at_once=1000)
    first = validation.start(start_service, read_seconds=0.5)
    request = a_validation_request(a_person())
    validation.request(request)
    assert set(results_of(validation.receive()).values()) == {"waiting"}
    asked = simulator.calls()
    wait_until(lambda: simulator.calls() > asked, "the process asks again")
    first.kill()

    simulator.behave("normal")
    validation.start(start_service)
    assert decided(validation, 1) == dict.fromkeys(applications_of(request), "passed")
    assert validation.tells_no_more()


def test_two_processes_decide_each_waiting_check_once(validation: Validation, start_service: StartService) -> None:
    validation.start(start_service)
    validation.simulator.behave("error")
    requests = [a_validation_request(*[a_person()] * 20) for _ in range(5)]
    for request in requests:
        validation.request(request)
        assert set(results_of(validation.receive()).values()) == {"waiting"}

    validation.simulator.behave("normal")
    assert decided(validation, 100).keys() == {one for request in requests for one in applications_of(request)}
    assert validation.tells_no_more()


def test_a_request_that_contradicts_itself_becomes_a_dead_letter(validation: Validation) -> None:
    request = a_validation_request(a_person(), a_person())
    request["applications"].pop()
    validation.request(request)
    validation.request(a_validation_request(a_person()))
    validation.receive()
    assert validation.size(dead_queue(queue_name("validation", VALIDATION_REQUESTED.name))) == 1


def applications_of(request: dict[str, Any]) -> list[UUID]:
    return [one["application_id"] for one in request["applications"]]


def decided(validation: Validation, count: int) -> dict[UUID, str]:
    """The decisions of the next events, up to so many; each is published once."""
    decisions: dict[UUID, str] = {}
    while len(decisions) < count:
        published = {one: result for one, result in results_of(validation.receive()).items() if result != "waiting"}
        assert not published.keys() & decisions.keys()
        decisions |= published
    return decisions
