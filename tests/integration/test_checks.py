"""Checks with a real database and a registry that answers, is away or answers nonsense."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.orm import Session

from services.contracts.events.batching import VALIDATION_REQUESTED
from services.contracts.events.validation import MEMBERS_VALIDATED
from services.contracts.operations.validation import CheckAnswer, GetCheckRequest
from services.kit.data.database import outbox
from services.kit.events.envelope import correlation
from services.kit.events.failures import Reject
from services.kit.problems import NotFound
from services.kit.rpc.request import Caller
from services.kit.rpc.work import Work
from services.validation import checks
from services.validation.models import WaitingCheck
from services.validation.registry import Registry, RegistrySettings
from services.validation.rules import Person
from tests.documents import unwrapped
from tests.mothers import a_person, a_resident_number, a_validation_request
from tests.registry_simulator import RegistrySimulator, running_registry

RETIRED_NUMBER = a_resident_number(sequence=7)
_RESULTS = select(outbox.c.body).where(outbox.c.routing_key == MEMBERS_VALIDATED.routing_key).order_by(outbox.c.id)


@pytest.fixture(scope="module")
def engine(module_database: Callable[[str], str]) -> Iterator[Engine]:
    made = create_engine(module_database("validation"))
    yield made
    made.dispose()


@pytest.fixture
def simulator() -> Iterator[RegistrySimulator]:
    with running_registry() as running:
        running.add_persons({RETIRED_NUMBER: {"status": "retired", "since": "2025-05-01"}})
        yield running


@pytest.fixture
def registry(simulator: RegistrySimulator) -> Iterator[Registry]:
    client = Registry(
        RegistrySettings(simulator.url, registry_read_seconds=60, registry_failures=100, registry_pauses=(0, 0, 3600))
    )
    yield client
    client.close()


class Desk:
    """Runs and resumes checks in transactions, and records the published events."""

    def __init__(self, engine: Engine, registry: Registry) -> None:
        self.engine = engine
        self.registry = registry

    def take(self, request: dict[str, Any]) -> list[UUID]:
        """Takes a request as it comes from the wire; answers its application ids."""
        loaded = VALIDATION_REQUESTED.read(VALIDATION_REQUESTED.dump(request))
        with Session(self.engine) as session, session.begin():
            checks.run_checks(session, self.registry, loaded)
        return [one["application_id"] for one in request["applications"]]

    def go_on(self) -> int:
        with Session(self.engine) as session, session.begin():
            return checks.resume_waiting(session, self.registry)

    def published(self) -> list[dict[str, Any]]:
        """The data of all published events, in order."""
        with Session(self.engine) as session:
            return [unwrapped(MEMBERS_VALIDATED, body).data for body in session.scalars(_RESULTS)]

    def results(self) -> list[tuple[UUID, int, str]]:
        """Application id, check number and result of all published results, in order."""
        return [
            (result["application_id"], result["check_no"], result["result"])
            for event in self.published()
            for result in event["results"]
        ]

    def count(self, table: Any) -> int:
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def desk(engine: Engine, registry: Registry) -> Desk:
    with engine.begin() as connection:
        connection.execute(text("truncate application_check, check_finding, waiting_check, outbox"))
    return Desk(engine, registry)


def a_person_with_a_wrong_check_digit() -> Person:
    number = a_resident_number()
    return a_person(document_number=number[:17] + ("1" if number[17] != "1" else "2"))


def test_each_applicant_has_a_result_at_once_while_the_registry_answers(desk: Desk) -> None:
    request = a_validation_request(
        a_person(),
        a_person_with_a_wrong_check_digit(),
        a_person(document_expiry=date(2020, 1, 1)),
        a_person(document_number=RETIRED_NUMBER),
    )
    ids = desk.take(request)

    [event] = desk.published()
    assert event["union_id"] == request["union_id"]
    results = ["passed", "failed", "failed", "failed"]
    assert desk.results() == [(application_id, 1, result) for application_id, result in zip(ids, results, strict=True)]
    errors = {one["application_id"]: one["code"] for one in event["findings"] if one["severity"] == "error"}
    assert errors == {ids[1]: "check_digit_wrong", ids[2]: "expired", ids[3]: "retired_by_registry"}
    assert desk.count(WaitingCheck) == 0


def test_a_clerk_sees_at_once_all_that_is_wrong(desk: Desk) -> None:
    desk.take(a_validation_request(a_person(document_number=RETIRED_NUMBER, document_expiry=date(2020, 1, 1))))
    [event] = desk.published()
    assert {"expired", "retired_by_registry"} <= {finding["code"] for finding in event["findings"]}


def test_while_the_registry_is_away_failures_are_published_and_the_others_wait(
    desk: Desk, simulator: RegistrySimulator
) -> None:
    simulator.behave("down")
    good, bad = desk.take(a_validation_request(a_person(), a_person_with_a_wrong_check_digit()))
    assert desk.results() == [(good, 1, "waiting"), (bad, 1, "failed")]
    assert {finding["application_id"] for finding in desk.published()[0]["findings"]} == {bad}


def test_waiting_is_published_once_and_ends_when_the_registry_is_back(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("down")
    ids = desk.take(a_validation_request(a_person(), a_person(document_number=RETIRED_NUMBER)))
    assert desk.go_on() == 0
    assert len(desk.published()) == 1

    simulator.behave("normal")
    assert desk.go_on() == 2
    assert sorted(desk.results()[2:]) == sorted([(ids[0], 1, "passed"), (ids[1], 1, "failed")])
    assert desk.count(WaitingCheck) == 0
    assert desk.go_on() == 0


def test_pauses_between_tries_grow(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("down")
    desk.take(a_validation_request(a_person()))
    desk.go_on()
    desk.go_on()
    calls = simulator.calls()
    assert desk.go_on() == 0
    assert simulator.calls() == calls, "the third pause is an hour"


@pytest.mark.parametrize("call", range(5))
def test_invalid_answers_of_the_registry_never_pass_anybody(
    call: int, desk: Desk, simulator: RegistrySimulator
) -> None:
    simulator.behave("rubbish")
    for _ in range(call + 1):
        desk.take(a_validation_request(a_person()))
    assert {result for _, _, result in desk.results()} == {"waiting"}


def test_of_an_incomplete_answer_only_those_answered_are_decided(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("partial")
    desk.take(a_validation_request(a_person(), a_person(), a_person()))
    assert [result for _, _, result in desk.results()] == ["waiting", "passed", "passed"]


def test_a_check_older_than_one_already_taken_is_left_out(desk: Desk) -> None:
    [application_id] = desk.take(a_validation_request(a_person(), check_no=2))
    desk.take(a_validation_request(a_person(), check_no=1, application_ids=[application_id]))
    desk.take(a_validation_request(a_person(), check_no=2, application_ids=[application_id]))
    assert desk.results() == [(application_id, 2, "passed")]


def test_an_older_check_that_comes_late_leaves_the_newer_one_waiting(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("down")
    [edited] = desk.take(a_validation_request(a_person(), check_no=2))
    other = uuid4()
    desk.take(a_validation_request(a_person(), a_person(), application_ids=[edited, other]))
    simulator.behave("normal")
    desk.go_on()
    assert {(edited, 2, "passed"), (other, 1, "passed")} <= set(desk.results())


def test_a_new_check_ends_the_waiting_of_the_old_one(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("down")
    [application_id] = desk.take(a_validation_request(a_person()))
    desk.take(a_validation_request(a_person(), check_no=2, application_ids=[application_id]))
    simulator.behave("normal")
    desk.go_on()
    assert desk.results() == [
        (application_id, 1, "waiting"),
        (application_id, 2, "waiting"),
        (application_id, 2, "passed"),
    ]


def test_two_checks_of_one_application_can_wait_together(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("down")
    old = a_validation_request(a_person())
    application_ids = [old["applications"][0]["application_id"]]
    with Session(desk.engine) as other, other.begin():
        checks.run_checks(other, desk.registry, VALIDATION_REQUESTED.read(VALIDATION_REQUESTED.dump(old)))
        desk.take(a_validation_request(a_person(), check_no=2, application_ids=application_ids))
    assert desk.count(WaitingCheck) == 2

    simulator.behave("normal")
    assert desk.go_on() == 2
    assert desk.count(WaitingCheck) == 0


def test_what_two_processes_continue_at_once_is_decided_once(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("down")
    desk.take(a_validation_request(a_person(), a_person()))
    simulator.behave("normal")
    with Session(desk.engine) as other, other.begin():
        assert checks.resume_waiting(other, desk.registry) == 2
        assert desk.go_on() == 0
    assert [result for _, _, result in desk.results()] == ["waiting", "waiting", "passed", "passed"]


def test_a_result_after_waiting_belongs_to_the_work_of_its_request(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("down")
    for request_of in ("first", "second"):
        before = correlation.set(request_of)
        desk.take(a_validation_request(a_person()))
        correlation.reset(before)
    simulator.behave("normal")
    desk.go_on()
    with Session(desk.engine) as session:
        bodies = session.scalars(_RESULTS).all()
    published = [unwrapped(MEMBERS_VALIDATED, body).correlation_id for body in bodies]
    assert sorted(published, key=str) == ["first", "first", "second", "second"]


def test_persons_of_other_applications_are_wrong_in_themselves(desk: Desk) -> None:
    request = a_validation_request(a_person(), a_person())
    request["applications"].pop()
    with pytest.raises(Reject):
        desk.take(request)


def test_an_application_whose_person_cannot_be_read_fails_and_holds_up_nobody(desk: Desk) -> None:
    request = a_validation_request(a_person(), a_person())
    request["persons"].pop()
    known, unreadable = desk.take(request)
    assert desk.results() == [(known, 1, "passed"), (unreadable, 1, "failed")]


def shown_to(session: Session, union_id: str, application_id: UUID) -> CheckAnswer:
    clerk = Caller(roles=frozenset({"clerk"}), union_id=union_id)
    return checks.get_check(Work(session, clerk), GetCheckRequest(application_id=application_id))


def test_the_newest_check_is_shown_with_its_findings_and_a_masked_number(desk: Desk) -> None:
    request = a_validation_request(a_person_with_a_wrong_check_digit())
    [application_id] = desk.take(request)
    desk.take({**request, "applications": [{"application_id": application_id, "check_no": 2}]})

    with Session(desk.engine) as session:
        shown = shown_to(session, str(request["union_id"]), application_id)

    number = request["persons"][0]["document_number"]
    [finding] = [finding for finding in shown.findings if finding.severity == "error"]
    assert (shown.check_no, shown.result, shown.waiting_reason) == (2, "failed", None)
    assert shown.checked_at is not None
    assert finding.evidence["number"] == number[:5] + "*" * 11 + number[-2:]
    assert number not in str(shown)


def test_a_waiting_check_says_why_and_until_when(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("error")
    request = a_validation_request(a_person())
    [application_id] = desk.take(request)
    with Session(desk.engine) as session:
        shown = shown_to(session, str(request["union_id"]), application_id)
    assert shown.waiting_reason == checks.WAITING_REASON
    assert shown.next_try_at is not None
    assert shown.checked_at is None


def test_another_unions_check_is_not_found(desk: Desk) -> None:
    [application_id] = desk.take(a_validation_request(a_person()))
    with Session(desk.engine) as session, pytest.raises(NotFound):
        shown_to(session, str(uuid4()), application_id)


def test_the_database_keeps_what_speaks_of_a_person_encrypted(desk: Desk, simulator: RegistrySimulator) -> None:
    simulator.behave("down")
    wrong, waiting = a_person_with_a_wrong_check_digit(), a_person(name="欧阳修远")
    desk.take(a_validation_request(wrong, waiting))
    with desk.engine.connect() as connection:
        rows = [
            *connection.execute(text("select message, evidence from check_finding")),
            *connection.execute(text("select person from waiting_check")),
        ]
    stored = b"".join(bytes(value) for row in rows for value in row)
    assert stored
    for personal in (wrong.document_number, wrong.name, waiting.name):
        assert personal.encode() not in stored
