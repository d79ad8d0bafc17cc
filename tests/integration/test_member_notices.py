"""What members are told by SMS of their applications, on a real database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from services.contracts.events import batching
from services.contracts.events.batching import NotifiedMember
from services.contracts.events.membership import MEMBER_PHONE_CHANGED, ChangedPhone
from services.contracts.examples import wire_example
from services.contracts.operations.member_messages import (
    ListMemberMessagesRequest,
    MarkMemberMessagesReadRequest,
    MemberMessagesAnswer,
)
from services.contracts.operations.templates import GetNoticesRequest, SetNoticesRequest
from services.kit.events.contract import Data, EventContract
from services.kit.events.envelope import Event
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.notification.members import member_messages, member_notices
from services.notification.models import MemberNotice, MessageTemplate, Sms
from tests.documents import an_event


@pytest.fixture
def session(notification_engine: Engine) -> Iterator[Session]:
    with Session(notification_engine) as session, session.begin():
        yield session


APPLICATION, MEMBER = uuid4(), uuid4()


def example(contract: EventContract[Data], **changes: Any) -> Event[Data]:
    return an_event(replace(contract.read(wire_example(contract)), **changes))  # type: ignore[type-var]


def submitted(session: Session, phone: str = "13800000001", **changes: Any) -> None:
    member = NotifiedMember(application_id=APPLICATION, member_id=MEMBER, phone=phone)
    member_notices.member_notices_due(session, example(batching.MEMBER_NOTICES_DUE, members=[member], **changes))


def issued(session: Session) -> None:
    given = example(batching.CARDS_ISSUED)
    applications = [replace(given.data.applications[0], application_id=APPLICATION)]
    member_notices.cards_issued(session, example(batching.CARDS_ISSUED, applications=applications))


def refused(session: Session, reason: str = "身份信息核验不符") -> None:
    given = example(batching.CARDS_REFUSED)
    applications = [replace(given.data.applications[0], application_id=APPLICATION, reason=reason)]
    member_notices.cards_refused(session, example(batching.CARDS_REFUSED, applications=applications))


def released(session: Session, reason: str = "revoked") -> None:
    given = example(batching.BATCH_RELEASED)
    applications = [replace(given.data.applications[0], application_id=APPLICATION)]
    member_notices.batch_released(session, example(batching.BATCH_RELEASED, applications=applications, reason=reason))


def texts_in(session: Session) -> list[str]:
    return [str(text) for text in session.scalars(select(Sms.text).order_by(Sms.sms_id))]


def kinds_in(session: Session) -> list[str]:
    return list(session.scalars(select(Sms.kind).order_by(Sms.sms_id)))


def test_a_member_is_told_of_the_submission_and_of_where_the_card_waits(session: Session) -> None:
    submitted(session)
    issued(session)
    assert kinds_in(session) == ["member_submitted", "card_ready"]
    assert "到工商银行国华支行（国定路 335 号，电话021-55551234）领卡" in texts_in(session)[1]


def test_the_outcome_may_be_known_before_the_number(session: Session) -> None:
    refused(session)
    assert texts_in(session) == []
    submitted(session)
    assert kinds_in(session) == ["member_refused"]
    assert "原因：身份信息核验不符" in texts_in(session)[0]


def test_a_member_is_told_of_an_outcome_once(session: Session) -> None:
    submitted(session)
    for _ in range(2):
        issued(session)
    assert kinds_in(session).count("card_ready") == 1


def test_a_card_that_is_issued_after_the_release_is_told_as_well(session: Session) -> None:
    submitted(session)
    released(session)
    issued(session)
    released(session)
    assert kinds_in(session) == ["member_submitted", "member_released", "card_ready"]


def test_an_application_that_was_cancelled_is_no_release(session: Session) -> None:
    submitted(session)
    released(session, reason="cancelled")
    assert kinds_in(session) == ["member_submitted"]


def test_where_the_union_hands_cards_out_no_outlet_is_named(session: Session) -> None:
    submitted(session, handed_out_by_union=True)
    issued(session)
    assert "由所在工会发放" in texts_in(session)[1]
    assert "国华支行" not in texts_in(session)[1]


def test_a_listed_member_is_told_only_where_the_city_wants_it(session: Session) -> None:
    submitted(session, occasion="queued", outlet_name=None)
    assert texts_in(session) == []
    assert session.scalars(select(MemberNotice)).all() == []
    on = {"kind": "sms_member_queued", "version": 1, "title": "", "body": "", "is_on": True}
    session.add(MessageTemplate(**on, edited_by=uuid4(), editor="city-admin"))
    session.flush()
    session.info.clear()
    submitted(session, occasion="queued", outlet_name=None)
    assert kinds_in(session) == ["member_queued"]


def test_who_wants_no_text_messages_gets_none_until_he_wants_them_again(session: Session) -> None:
    work = Work(session, Caller(member_id=str(MEMBER), roles=frozenset({"member"})))
    assert member_notices.get_notices(work, GetNoticesRequest()).by_sms
    member_notices.set_notices(work, SetNoticesRequest(by_sms=False))
    submitted(session)
    assert (texts_in(session), member_notices.get_notices(work, GetNoticesRequest()).by_sms) == ([], False)
    member_notices.set_notices(work, SetNoticesRequest(by_sms=True))
    issued(session)
    assert kinds_in(session) == ["card_ready"]


def inbox(session: Session, member_id: UUID = MEMBER, **request: Any) -> MemberMessagesAnswer:
    work = Work(session, Caller(member_id=str(member_id), roles=frozenset({"member"})))
    return member_messages.list_member_messages(work, ListMemberMessagesRequest(**request))


def test_a_member_reads_on_the_phone_what_was_told_even_who_wants_no_text_messages(session: Session) -> None:
    work = Work(session, Caller(member_id=str(MEMBER), roles=frozenset({"member"})))
    submitted(session)
    member_notices.set_notices(work, SetNoticesRequest(by_sms=False))
    issued(session)

    shown = inbox(session)

    assert kinds_in(session) == ["member_submitted"]
    assert (shown.total, shown.unread, [one.read for one in shown.items]) == (2, 2, [False, False])
    assert "领卡" in shown.items[0].text
    assert not shown.items[0].text.startswith("【")
    assert [one.text for one in inbox(session, page=2, size=1).items] == [shown.items[1].text]
    assert inbox(session, uuid4()).items == []

    member_messages.mark_member_messages_read(work, MarkMemberMessagesReadRequest(up_to=shown.items[0].message_id))
    assert inbox(session).unread == 0
    assert all(one.read for one in inbox(session).items)


def test_messages_to_a_member_are_encrypted_in_the_database(session: Session) -> None:
    submitted(session)
    kept = session.connection().exec_driver_sql("select text from member_message").scalars().all()
    assert kept
    assert "办卡" not in str(kept)


def test_a_reminder_and_a_personal_outcome_reach_nobody_who_wants_none(session: Session) -> None:
    reminder = example(batching.COLLECTION_REMINDED)
    issue = example(batching.CARDS_ISSUED, personal=True)
    for member_id in (reminder.data.reminders[0].member_id, issue.data.applications[0].member_id):
        member_notices.set_notices(
            Work(session, Caller(member_id=str(member_id), roles=frozenset({"member"}))),
            SetNoticesRequest(by_sms=False),
        )
    member_notices.collection_reminded(session, reminder)
    member_notices.cards_issued(session, issue)
    assert texts_in(session) == []


def test_the_outcome_reaches_the_number_that_the_member_has_by_then(session: Session) -> None:
    submitted(session)
    numbers = ChangedPhone(old_phone="13800000001", new_phone="13800000002")
    changed = replace(
        MEMBER_PHONE_CHANGED.read(wire_example(MEMBER_PHONE_CHANGED)),
        member_id=MEMBER,
        numbers=numbers,
        changed_at=datetime.now(UTC) + timedelta(minutes=1),
    )
    member_notices.phone_changed(session, an_event(changed))
    issued(session)
    assert [one.phone for one in session.scalars(select(Sms).order_by(Sms.sms_id))] == ["13800000001", "13800000002"]


def test_a_submission_of_long_ago_is_not_told_any_more(session: Session) -> None:
    member = NotifiedMember(application_id=APPLICATION, member_id=MEMBER, phone="13800000001")
    event = replace(example(batching.MEMBER_NOTICES_DUE, members=[member]), time=datetime.now(UTC) - timedelta(days=2))
    member_notices.member_notices_due(session, event)
    issued(session)
    assert kinds_in(session) == ["card_ready"]


def test_members_of_many_applications_are_told_in_few_statements(session: Session) -> None:
    ids = [(uuid4(), uuid4()) for _ in range(500)]
    members = [
        NotifiedMember(application_id=application, member_id=member, phone=f"1380000{number:04d}")
        for number, (application, member) in enumerate(ids)
    ]
    statements = count_statements(session)
    member_notices.member_notices_due(session, example(batching.MEMBER_NOTICES_DUE, members=members))
    member_notices.cards_issued(session, all_issued([application for application, _ in ids]))
    assert len(statements) <= 11
    assert len(kinds_in(session)) == 1000


def all_issued(applications: list[UUID]) -> Event[Any]:
    one = example(batching.CARDS_ISSUED).data.applications[0]
    rows = [replace(one, application_id=application) for application in applications]
    return example(batching.CARDS_ISSUED, applications=rows)


def count_statements(session: Session) -> list[str]:
    statements: list[str] = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    return statements
