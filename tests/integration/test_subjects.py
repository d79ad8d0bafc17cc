"""What the services answer to a request for a person's data, and what of it an erasure leaves."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, create_engine, func, select, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from services.batching import subjects as of_batching
from services.batching.bank import bank_operations
from services.batching.models import Application, Batch, BatchPerson, Card, CardReport, ConsentReceipt
from services.batching.register.registers import digest_now
from services.contracts.events.batching import CARDS_CHANGED, CARDS_ISSUED
from services.contracts.events.subjects import SUBJECT_ANSWERED, SUBJECT_REQUESTED, SubjectRequestedData
from services.contracts.operations.batching import ResendToBankRequest
from services.contracts.shared import ERASED_NAME
from services.kit.data.database import outbox
from services.kit.events.envelope import Event
from services.kit.problems import Conflict
from services.kit.rpc.work import Work
from services.notification.members import subjects as of_notification
from services.notification.models import MemberMessage, MemberNotice, SmsRefusal
from services.revocation import subjects as of_revocation
from services.revocation.models import Application as RevocationApplication
from services.revocation.models import Batch as RevocationBatch
from services.validation import subjects as of_validation
from services.validation.models import ApplicationCheck, CheckFinding, WaitingCheck
from tests.documents import an_event, event_data
from tests.integration.batching.desk import Desk, a_card_feedback, a_feedback, fresh
from tests.mothers import a_card_number

YEARS = timedelta(days=1100)


@pytest.fixture(scope="module")
def batching(module_database: Callable[[str], str]) -> Iterator[Engine]:
    made = create_engine(module_database("batching"))
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def validation(module_database: Callable[[str], str]) -> Iterator[Engine]:
    made = create_engine(module_database("validation"))
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def revocation(module_database: Callable[[str], str]) -> Iterator[Engine]:
    made = create_engine(module_database("revocation"))
    yield made
    made.dispose()


@pytest.fixture
def desk(batching: Engine) -> Desk:
    return fresh(batching)


def asked(kind: str, *application_ids: UUID, member_id: UUID | None = None) -> Event[SubjectRequestedData]:
    data = {
        "request_id": uuid4(),
        "kind": kind,
        "member_id": member_id or uuid4(),
        "application_ids": list(application_ids),
    }
    return an_event(SUBJECT_REQUESTED.read(SUBJECT_REQUESTED.dump(data)))


def answer_of(engine: Engine, service: str, handle: Callable[..., None], event: Event[Any]) -> dict[str, Any]:
    """Lets a service handle the event; returns the data of its answer."""
    with Session(engine) as session, session.begin():
        handle(session, event)
    with Session(engine) as session:
        sent = select(outbox.c.body).where(outbox.c.routing_key == SUBJECT_ANSWERED[service].routing_key)
        body = session.scalars(sent.order_by(outbox.c.id.desc()).limit(1)).one()
    answer = event_data(SUBJECT_ANSWERED[service], json.loads(body)["data"])
    assert answer["request_id"] == event.data.request_id
    return answer


def an_old_card(desk: Desk) -> tuple[str, UUID, UUID]:
    """A batch of two of three years ago; the first has a card that was replaced and closed. Returns batch, both."""
    batch_no, [first, second] = desk.a_batch(2)
    number, following = a_card_number(), a_card_number()
    desk.feed(a_feedback(batch_no, {"application_id": first, "outcome": "issued", "card_no": number}))
    desk.feed(
        a_card_feedback(
            {"card_no": number, "step": "replaced", "new_card_no": following},
            {"card_no": following, "step": "closed"},
        )
    )
    with desk.begin() as session:
        session.execute(update(Batch).values(submitted_at=datetime.now(UTC).replace(microsecond=0) - YEARS))
    with desk.begin() as session:
        batch = session.get_one(Batch, batch_no)
        batch.register_hash = digest_now(session, batch)
    return batch_no, first, second


def test_batching_answers_with_applications_consents_and_reports(desk: Desk) -> None:
    batch_no, first, _ = an_old_card(desk)
    member_id = desk.application(first).member_id
    answer = answer_of(
        desk.engine, "batching", of_batching.subject_requested, asked("copy", first, member_id=member_id)
    )
    sheets = {one["title"]: one["rows"] for one in answer["sheets"]}
    assert [row[1] for row in sheets["银行办理"]] == [batch_no]
    assert len(sheets["向银行提供信息的同意"]) == 1
    assert sorted(row[1] for row in sheets["卡片变动"]) == ["补卡", "销卡"]
    assert {one["title"]: one["rows"] for one in answer["parts"]} == {
        title: len(rows) for title, rows in sheets.items()
    }


def test_batching_erases_the_person_and_nobody_else_and_the_register_still_holds(desk: Desk) -> None:
    batch_no, first, second = an_old_card(desk)
    other = desk.application(second)
    event = asked("erasure", first, member_id=desk.application(first).member_id)
    answer = answer_of(desk.engine, "batching", of_batching.subject_requested, event)
    rows = {one["title"]: (one["rows"], bool(one["kept_because"])) for one in answer["parts"]}
    assert rows["办卡清册中的个人资料"] == (1, False)
    assert rows["向银行提供信息的同意"] == (1, True)

    erased = desk.application(first)
    assert (erased.name, erased.document_number, erased.card_no, erased.state) == (ERASED_NAME, "", "", "issued")
    assert desk.application(second).name == other.name
    with desk.begin() as session:
        person = session.scalars(select(BatchPerson).where(BatchPerson.application_id == first)).one()
        assert (person.name, person.document_number, person.document_expiry) == (ERASED_NAME, "", None)
        assert session.get_one(Card, first).card_no == ""
        assert set(session.scalars(select(CardReport.new_card_no).where(CardReport.application_id == first))) <= {
            None,
            "",
        }
        assert session.get(ConsentReceipt, first) is not None
    assert desk.print_register(batch_no, "xlsx").content


def test_of_a_batch_that_the_member_submitted_the_contact_is_erased_as_well(desk: Desk) -> None:
    batch_no, first, _ = an_old_card(desk)
    with desk.begin() as session:
        session.execute(update(Batch).where(Batch.batch_no == batch_no).values(personal=True, contact_name="张三丰"))
    answer_of(desk.engine, "batching", of_batching.subject_requested, asked("erasure", first))
    batch = desk.batch(batch_no)
    assert (batch.contact_name, batch.contact_phone) == (ERASED_NAME, "")
    assert desk.print_register(batch_no, "xlsx").content


def test_what_the_bank_says_late_brings_no_number_back(desk: Desk) -> None:
    batch_no, [released, holder] = desk.a_batch(2)
    number, following = a_card_number(), a_card_number()
    desk.feed(a_feedback(batch_no, {"application_id": holder, "outcome": "issued", "card_no": number}))
    desk.revoke(batch_no)
    with desk.begin() as session:
        session.execute(update(Batch).values(submitted_at=datetime.now(UTC) - YEARS))
    answer_of(desk.engine, "batching", of_batching.subject_requested, asked("erasure", released, holder))
    desk.forget_published()
    desk.feed(a_feedback(batch_no, {"application_id": released, "outcome": "issued", "card_no": a_card_number()}))
    desk.feed(a_card_feedback({"card_no": number, "step": "replaced", "new_card_no": following}))
    with desk.begin() as session:
        assert {one.card_no for one in session.scalars(select(Application))} == {""}
        assert {one.card_no for one in session.scalars(select(Card))} == {""}
        assert set(session.scalars(select(CardReport.new_card_no))) == {""}
    assert desk.states([released, holder]) == ["issued", "issued"]
    [issued] = desk.published(CARDS_ISSUED)
    [changed] = desk.published(CARDS_CHANGED)
    assert [one["card_no"] for one in (*issued["cards"], *changed["numbers"])] == ["", ""]


def test_an_erasure_that_comes_twice_erases_once_and_changes_nothing_more(desk: Desk) -> None:
    _, first, _ = an_old_card(desk)
    event = asked("erasure", first)
    answer_of(desk.engine, "batching", of_batching.subject_requested, event)
    before = desk.application(first).document_digest
    again = answer_of(desk.engine, "batching", of_batching.subject_requested, event)
    assert {one["title"]: one["rows"] for one in again["parts"]}["办卡清册中的个人资料"] == 0
    assert desk.application(first).document_digest == before


def test_the_database_keeps_the_persons_of_younger_batches(desk: Desk) -> None:
    batch_no, [first] = desk.a_batch(1)
    with pytest.raises(ProgrammingError, match="kept for three years"):
        answer_of(desk.engine, "batching", of_batching.subject_requested, asked("erasure", first))
    assert desk.application(first).name != ERASED_NAME
    with desk.begin() as session:
        session.execute(update(Batch).where(Batch.batch_no == batch_no).values(submitted_at=datetime.now(UTC) - YEARS))
    change = update(BatchPerson).where(BatchPerson.application_id == first).values(name="别人")
    with desk.begin() as session, pytest.raises(ProgrammingError, match="never changes"):
        session.execute(change)


def test_a_batch_with_an_erased_person_goes_to_no_bank_again(desk: Desk) -> None:
    batch_no, first, _ = an_old_card(desk)
    answer_of(desk.engine, "batching", of_batching.subject_requested, asked("erasure", first))
    request = ResendToBankRequest(batch_no=batch_no, what="batch", reason="银行遗失")
    with desk.begin() as session, pytest.raises(Conflict, match="persons_erased"):
        bank_operations.resend(Work(session, desk.clerk, desk.database), request)


def test_validation_answers_with_findings_and_erases_them_with_waiting_persons(validation: Engine) -> None:
    ours, others = uuid4(), uuid4()
    with Session(validation) as session, session.begin():
        for one in (ours, others):
            check = {"application_id": one, "check_no": 1, "union_id": uuid4()}
            session.add(ApplicationCheck(**check, result="failed", checked_at=datetime.now(UTC)))
            session.flush()
            session.add(
                CheckFinding(
                    application_id=one,
                    check_no=1,
                    position=0,
                    rule="expiry",
                    rule_version="1",
                    code="expired",
                    severity="error",
                    message="证件已到期",
                    evidence="{}",
                )
            )
            session.add(WaitingCheck(**check, person="{}", tries=0, next_try_at=datetime.now(UTC)))
    answer = answer_of(validation, "validation", of_validation.subject_requested, asked("copy", ours))
    assert [row[1:] for row in answer["sheets"][0]["rows"]] == [["未通过", "证件已到期"]]
    erased = answer_of(validation, "validation", of_validation.subject_requested, asked("erasure", ours))
    assert [(one["rows"], bool(one["kept_because"])) for one in erased["parts"]] == [(1, False), (1, True)]
    with Session(validation) as session:
        for model in (CheckFinding, WaitingCheck):
            assert set(session.scalars(select(model.application_id))) & {ours, others} == {others}
        assert session.get(ApplicationCheck, (ours, 1)) is not None


def test_notification_answers_with_messages_and_erases_them_and_telephones(notification_engine: Engine) -> None:
    member_id, application_id = uuid4(), uuid4()
    with Session(notification_engine) as session, session.begin():
        session.add(MemberMessage(message_id=uuid4(), member_id=member_id, text="您的卡已办好"))
        session.add(MemberMessage(message_id=uuid4(), member_id=uuid4(), text="别人的卡"))
        session.add(SmsRefusal(member_id=member_id))
        session.add(MemberNotice(application_id=application_id, member_id=member_id, phone="13812345678"))
    handle, event = of_notification.subject_requested, asked("copy", application_id, member_id=member_id)
    sheets = {
        one["title"]: one["rows"] for one in answer_of(notification_engine, "notification", handle, event)["sheets"]
    }
    assert [row[1] for row in sheets["消息"]] == ["您的卡已办好"]
    assert sheets["短信设置"] == [["接收办卡短信", "否"]]
    erased = answer_of(
        notification_engine, "notification", handle, asked("erasure", application_id, member_id=member_id)
    )
    assert [one["rows"] for one in erased["parts"]] == [1, 1, 1]
    with Session(notification_engine) as session:
        left = select(func.count()).select_from(MemberMessage)
        assert session.scalar(left) == 1
        assert session.get(MemberNotice, application_id) is None


def test_revocation_knows_nobody_and_keeps_its_numbers(revocation: Engine) -> None:
    application_id, batch_no = uuid4(), f"cbc{uuid4().hex[:12]}"
    with Session(revocation) as session, session.begin():
        session.add(
            RevocationBatch(
                batch_no=batch_no,
                union_id=uuid4(),
                union_code="81",
                union_name="上海建朗工会",
                superior_ids=[],
                channel="ordinary",
                outlet_name="国华支行",
                total=1,
                submitted_at=datetime.now(UTC),
            )
        )
        session.flush()
        session.add(
            RevocationApplication(application_id=application_id, batch_no=batch_no, version=1, state="submitted")
        )
    handle = of_revocation.subject_requested
    assert answer_of(revocation, "revocation", handle, asked("copy", application_id))["sheets"][0]["rows"] == []
    [part] = answer_of(revocation, "revocation", handle, asked("erasure", application_id))["parts"]
    assert (part["rows"], bool(part["kept_because"])) == (1, True)
