"""Inbox and SMS on a real database, with a provider that can misbehave."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
import requests
from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.orm import Session

from deploy.local.client import wait_until
from deploy.simulators.sms import sms_server
from services.contracts.events import batching, membership, revocation, validation
from services.contracts.examples import wire_example
from services.contracts.operations.notification import (
    ListMessagesRequest,
    MarkAllMessagesReadRequest,
    MarkMessageReadRequest,
    MessagesAnswer,
)
from services.kit.events.contract import Data, EventContract
from services.kit.events.envelope import Event
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import Scope
from services.kit.rpc.request import Principal
from services.kit.rpc.work import Work
from services.notification import event_notifications, message_inbox, sms
from services.notification.members import member_notices
from services.notification.message_inbox import Audience
from services.notification.models import InboxMessage, Sms
from services.notification.sms import Provider, QuietHours, SmsSettings
from services.notification.templates import texts
from tests.documents import an_event
from tests.two_transactions import at_once

Begin = Callable[[], Any]
URGENT = texts.sms_first_link("jianlang", "https://zzgl.shzgh.org/reset#x", datetime(2026, 11, 24, 2, 5, tzinfo=UTC))
"""An SMS that is sent at any hour."""


@pytest.fixture
def begin(notification_engine: Engine) -> Begin:
    @contextmanager
    def transaction() -> Iterator[Session]:
        with Session(notification_engine, expire_on_commit=False) as session, session.begin():
            yield session

    return transaction


@pytest.fixture
def sms_url() -> Iterator[str]:
    server = sms_server(0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()


@pytest.fixture
def provider(sms_url: str) -> Iterator[Provider]:
    settings = SmsSettings(sms_url, sms_read_seconds=30, sms_gather_seconds=0, sms_pauses=(0.1, 0.1, 0.1))
    provider = Provider(settings)
    yield provider
    provider.close()


def example(contract: EventContract[Data], **changes: Any) -> Event[Data]:
    return an_event(replace(contract.read(wire_example(contract)), **changes))  # type: ignore[type-var]


def listed(session: Session, caller: Caller, **asked: Any) -> MessagesAnswer:
    return message_inbox.list_messages(Work(session, caller), ListMessagesRequest(**asked))


def marked(session: Session, caller: Caller, message_id: UUID) -> int:
    return message_inbox.mark_read(Work(session, caller), MarkMessageReadRequest(message_id=message_id)).unread


def all_marked(session: Session, caller: Caller) -> int:
    return message_inbox.mark_all_read(Work(session, caller), MarkAllMessagesReadRequest()).unread


def a_clerk_of(union_id: UUID) -> Caller:
    return Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(union_id))


def make_due(begin: Begin) -> None:
    """Makes waiting SMS due."""
    with begin() as session:
        session.execute(update(Sms).values(due_at=datetime.now(UTC) - timedelta(seconds=1)))


def send_until_nothing_is_due(begin: Begin, provider: Provider, rounds: int = 1) -> None:
    for _ in range(rounds):
        make_due(begin)
        sms.send_due(begin, provider)


def the_sms(begin: Begin) -> list[Sms]:
    with begin() as session:
        return list(session.scalars(select(Sms).order_by(Sms.created_at)))


def sent_by(sms_url: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = requests.get(f"{sms_url}/messages", timeout=5).json()["items"]
    return items


def misbehave(sms_url: str, mode: str, for_calls: int | None = None) -> None:
    requests.put(f"{sms_url}/control", json={"mode": mode, "for_calls": for_calls}, timeout=5).raise_for_status()


def test_a_member_whose_card_waits_is_reminded_by_sms(begin: Begin) -> None:
    with begin() as session:
        member_notices.collection_reminded(session, example(batching.COLLECTION_REMINDED))
        [sms_text] = session.scalars(select(Sms)).all()
    assert (sms_text.phone, sms_text.kind) == ("13800000000", "collection_reminded")
    assert "尚未领取" in str(sms_text.text)


def test_a_transfer_is_told_to_the_union_that_has_to_act_and_to_the_member(begin: Begin) -> None:
    requested, moved = example(membership.TRANSFER_REQUESTED), example(membership.MEMBER_TRANSFERRED)
    with begin() as session:
        event_notifications.transfer_requested(session, requested)
        event_notifications.transfer_ended(session, example(membership.TRANSFER_ENDED))
        event_notifications.member_transferred(session, moved)
    with begin() as session:
        old = [one.kind for one in listed(session, a_clerk_of(requested.data.from_union_id)).items]
        new = [one.kind for one in listed(session, a_clerk_of(moved.data.union.union_id)).items]
        [told] = session.scalars(select(Sms.kind))
    assert sorted(old) == ["member_transferred_out", "transfer_requested"]
    assert (sorted(new), told) == (["member_transferred_in", "transfer_ended"], "transfer_requested")


def test_each_event_reaches_who_is_concerned_and_nobody_else(begin: Begin) -> None:
    settings = SmsSettings("http://127.0.0.1:1")
    with begin() as session:
        event_notifications.batch_submitted(session, example(batching.BATCH_SUBMITTED))
        event_notifications.cards_issued(session, settings, example(batching.CARDS_ISSUED))
        event_notifications.cards_refused(session, settings, example(batching.CARDS_REFUSED))
        event_notifications.batch_released(session, example(batching.BATCH_RELEASED))
        event_notifications.revocation_approved(session, example(revocation.REVOCATION_APPROVED))
        event_notifications.revocation_closed(session, example(revocation.REVOCATION_CLOSED, revocation_id=uuid4()))
        event_notifications.members_validated(session, example(validation.MEMBERS_VALIDATED))
        event_notifications.import_progressed(session, example(membership.IMPORT_PROGRESSED, state="finished"))
        event_notifications.application_cancelled(session, example(membership.APPLICATION_CANCELLED))
        event_notifications.members_refused(session, example(batching.MEMBERS_REFUSED))
        event_notifications.revocation_requested(session, example(revocation.REVOCATION_REQUESTED))
    batch = example(batching.BATCH_SUBMITTED)
    with begin() as session:
        clerk = listed(session, a_clerk_of(batch.data.union.union_id))
        superior = batch.data.union.superior_union_id
        reviewer = Caller(
            account_id=str(uuid4()), roles=frozenset({"reviewer"}), scope=Scope.SUBORDINATES, union_id=str(superior)
        )
        to_review = listed(session, reviewer)
        stranger = listed(session, a_clerk_of(uuid4()))
    assert {message.kind for message in clerk.items} == {
        "batch_submitted",
        "cards_issued",
        "cards_refused",
        "revocation_approved",
        "revocation_closed",
        "checks_failed",
        "import_finished",
        "application_cancelled",
        "members_refused",
    }
    assert [message.kind for message in to_review.items] == ["revocation_requested"]
    assert stranger.items == []


def test_news_of_one_batch_within_the_hour_count_up_in_one_message(begin: Begin) -> None:
    issued = example(batching.CARDS_ISSUED)
    clerk = a_clerk_of(issued.data.union_id)
    # More often than it takes for the driver to prepare the statements, which changes how PostgreSQL plans them.
    for _ in range(12):
        with begin() as session:
            event_notifications.cards_issued(session, SmsSettings("http://127.0.0.1:1"), issued)
    with begin() as session:
        messages = listed(session, clerk).items
    assert len(messages) == 1
    assert "12 人" in messages[0].body
    assert [message.count for message in the_sms(begin)] == [12]


def test_a_members_own_application_notifies_the_member_in_its_own_words_and_no_clerk(begin: Begin) -> None:
    issued = example(batching.CARDS_ISSUED, personal=True)
    with begin() as session:
        event_notifications.cards_issued(session, SmsSettings("http://127.0.0.1:1"), issued)
        member_notices.cards_issued(session, issued)
    with begin() as session:
        assert listed(session, a_clerk_of(issued.data.union_id)).items == []
    [told] = the_sms(begin)
    assert (told.phone, told.kind) == ("13800000000", "card_ready")
    assert "到申请时选择的网点领卡" in str(told.text)


def test_a_contact_with_a_fixed_line_gets_no_sms(begin: Begin) -> None:
    issued = example(batching.CARDS_ISSUED, contact=batching.Contact(name="王芳", phone="021-12345678"))
    with begin() as session:
        event_notifications.cards_issued(session, SmsSettings("http://127.0.0.1:1"), issued)
        sms.enqueue(session, texts.sms_revocation_closed("cbc1"), "12345678901")
    assert the_sms(begin) == []


def test_each_account_has_read_marks_of_its_own(begin: Begin) -> None:
    submitted = example(batching.BATCH_SUBMITTED)
    first, second = (a_clerk_of(submitted.data.union.union_id) for _ in range(2))
    with begin() as session:
        event_notifications.batch_submitted(session, submitted)
    with begin() as session:
        message_id = listed(session, first).items[0].message_id
        assert marked(session, first, message_id) == 0
        assert marked(session, first, message_id) == 0
        assert listed(session, second).unread == 1
        assert listed(session, first, unread=True).items == []
        assert all_marked(session, second) == 0


def test_a_message_of_another_union_cannot_be_marked(begin: Begin) -> None:
    submitted = example(batching.BATCH_SUBMITTED)
    with begin() as session:
        event_notifications.batch_submitted(session, submitted)
        message_id = listed(session, a_clerk_of(submitted.data.union.union_id)).items[0]
        with pytest.raises(Problem) as refused:
            marked(session, a_clerk_of(uuid4()), message_id.message_id)
    assert refused.value.code == "not_found"


def test_an_sms_is_sent_once_though_the_answer_was_lost(begin: Begin, provider: Provider, sms_url: str) -> None:
    misbehave(sms_url, "lose_answer", for_calls=2)
    with begin() as session:
        event_notifications.revocation_rejected(session, example(revocation.REVOCATION_REJECTED))
    send_until_nothing_is_due(begin, provider, rounds=4)
    assert [(sent["tries"], sent["phone"]) for sent in sent_by(sms_url)] == [(3, "13800000000")]
    assert [(one.state, one.attempts) for one in the_sms(begin)] == [("sent", 3)]


def test_an_sms_that_never_gets_through_has_failed_with_its_reason(
    begin: Begin, provider: Provider, sms_url: str
) -> None:
    misbehave(sms_url, "error")
    with begin() as session:
        event_notifications.revocation_rejected(session, example(revocation.REVOCATION_REJECTED))
    send_until_nothing_is_due(begin, provider, rounds=6)
    [failed] = the_sms(begin)
    assert failed.state == "failed"
    assert "HTTP 500" in (failed.last_error or "")
    assert sent_by(sms_url) == []


def test_an_sms_that_the_provider_refuses_is_not_tried_again(begin: Begin, provider: Provider, sms_url: str) -> None:
    misbehave(sms_url, "refuse", for_calls=1)
    with begin() as session:
        event_notifications.revocation_rejected(session, example(revocation.REVOCATION_REJECTED))
    send_until_nothing_is_due(begin, provider, rounds=3)
    assert [(one.state, one.attempts) for one in the_sms(begin)] == [("failed", 1)]


def test_two_senders_at_the_same_time_send_each_sms_once(begin: Begin, provider: Provider, sms_url: str) -> None:
    with begin() as session:
        for number in range(40):
            sms.enqueue(session, URGENT, f"1390000{number:04d}")
    senders = [threading.Thread(target=sms.send_due, args=(begin, provider)) for _ in range(2)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert [sent["tries"] for sent in sent_by(sms_url)] == [1] * 40
    assert {one.state for one in the_sms(begin)} == {"sent"}


def test_news_that_come_while_an_sms_is_being_sent_are_another_sms(
    begin: Begin, provider: Provider, sms_url: str
) -> None:
    issued = example(batching.CARDS_ISSUED)

    def publish() -> None:
        with begin() as session:
            event_notifications.cards_issued(session, provider.settings, issued)

    publish()
    misbehave(sms_url, "lose_answer", for_calls=1)
    send_until_nothing_is_due(begin, provider)
    publish()
    send_until_nothing_is_due(begin, provider)
    assert [("新增1人" in sent["text"], sent["tries"]) for sent in sent_by(sms_url)] == [(True, 2), (True, 1)]


def test_a_one_time_password_does_not_wait_behind_other_sms(begin: Begin, provider: Provider, sms_url: str) -> None:
    with begin() as session:
        for number in range(sms.AT_ONCE):
            sms.enqueue(session, URGENT, f"1390000{number:04d}")
        in_five_minutes = datetime.now(UTC) + timedelta(minutes=5)
        event_notifications.otp_issued(session, example(membership.OTP_ISSUED, expires_at=in_five_minutes))
    assert sms.send_due(begin, provider) == sms.AT_ONCE
    assert any("493027" in sent["text"] for sent in sent_by(sms_url))


def test_a_failed_try_waits_for_its_pause(begin: Begin, provider: Provider, sms_url: str) -> None:
    patient = Provider(replace(provider.settings, sms_pauses=(600,)))
    misbehave(sms_url, "error", for_calls=1)
    with begin() as session:
        sms.enqueue(session, URGENT, "13900000000")
    before = datetime.now(UTC)
    assert sms.send_due(begin, patient) == 1
    [waiting] = the_sms(begin)
    assert before <= waiting.due_at - timedelta(seconds=600) <= datetime.now(UTC)
    assert sms.send_due(begin, patient) == 0
    patient.close()


def test_an_outcome_that_comes_after_another_process_took_over_does_not_count(
    begin: Begin, provider: Provider, sms_url: str
) -> None:
    misbehave(sms_url, "refuse", for_calls=1)
    with begin() as session:
        sms.enqueue(session, URGENT, "13900000000")

    class Overtaken(Provider):
        """A provider's client whose calls take so long that somebody else sends the message meanwhile."""

        def send(self, request_id: UUID, phone: str, text: str) -> None:
            try:
                super().send(request_id, phone, text)
            finally:
                send_until_nothing_is_due(begin, provider)

    slow = Overtaken(provider.settings)
    sms.send_due(begin, slow)
    slow.close()
    assert [(one.state, one.attempts, one.last_error) for one in the_sms(begin)] == [("sent", 2, None)]


def test_a_request_id_cannot_be_used_for_two_messages(provider: Provider) -> None:
    request_id = uuid4()
    provider.send(request_id, "13900000000", "text")
    with pytest.raises(sms.Refused):
        provider.send(request_id, "13900000000", "another text")


def test_marking_all_as_read_from_two_pages_at_once_is_no_error(begin: Begin) -> None:
    clerk = a_clerk_of(example(batching.BATCH_SUBMITTED).data.union.union_id)
    with begin() as session:
        event_notifications.batch_submitted(session, example(batching.BATCH_SUBMITTED))
    answers: list[int] = []

    def mark_from_another_page() -> None:
        with begin() as session:
            answers.append(all_marked(session, clerk))

    with begin() as session:
        all_marked(session, clerk)
        other = threading.Thread(target=mark_from_another_page)
        other.start()
        other.join(0.3)
    other.join()
    assert answers == [0]


def test_what_is_due_in_quiet_hours_waits_unless_it_is_urgent(
    begin: Begin, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with begin() as session:
        sms.enqueue(session, texts.sms_cards_issued("cbc1", 3), "13800000000")
        sms.enqueue(session, texts.sms_account_changed("jianlang", "unlocked", None), "13800000001")
    hour = datetime.now(ZoneInfo("Asia/Shanghai")).hour
    quiet = QuietHours(f"{hour}-{(hour + 2) % 24}")
    with monkeypatch.context() as at_night:
        at_night.setattr(sms, "read_settings", lambda _kind: quiet)
        assert sms.send_due(begin, provider) == 1
    assert {one.kind: one.state for one in the_sms(begin)} == {"cards_issued": "waiting", "account_changed": "sent"}
    assert sms.send_due(begin, provider) == 1


def test_a_one_time_password_is_wiped_once_it_was_sent(begin: Begin, provider: Provider, sms_url: str) -> None:
    in_five_minutes = datetime.now(UTC) + timedelta(minutes=5)
    with begin() as session:
        event_notifications.otp_issued(session, example(membership.OTP_ISSUED, expires_at=in_five_minutes))
    send_until_nothing_is_due(begin, provider)
    assert "493027" in sent_by(sms_url)[0]["text"]
    assert the_sms(begin)[0].text is None


def test_a_one_time_password_that_has_expired_is_not_sent(begin: Begin, provider: Provider, sms_url: str) -> None:
    with begin() as session:
        event_notifications.otp_issued(
            session, example(membership.OTP_ISSUED, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        )
    send_until_nothing_is_due(begin, provider)
    assert sent_by(sms_url) == []
    assert the_sms(begin)[0].state == "failed"


def test_a_link_to_choose_a_password_is_sent_whole_and_wiped(begin: Begin, provider: Provider, sms_url: str) -> None:
    in_half_an_hour = datetime.now(UTC) + timedelta(minutes=30)
    with begin() as session:
        data = example(membership.RESET_LINK_MADE, expires_at=in_half_an_hour)
        event_notifications.reset_link_made(session, provider.settings, data)
    send_until_nothing_is_due(begin, provider)
    assert f"https://zzgl.shzgh.org{data.data.recipient.url_path} " in sent_by(sms_url)[0]["text"]
    assert the_sms(begin)[0].text is None


def test_the_link_of_a_new_account_says_until_which_day_it_works(
    begin: Begin, provider: Provider, sms_url: str
) -> None:
    tomorrow = datetime.now(UTC) + timedelta(hours=24)
    with begin() as session:
        data = example(membership.RESET_LINK_MADE, expires_at=tomorrow, is_first=True)
        event_notifications.reset_link_made(session, provider.settings, data)
    send_until_nothing_is_due(begin, provider)
    until = tomorrow.astimezone(timezone(timedelta(hours=8)))
    assert f"已开通，请在{until:%m月%d日%H:%M}前打开" in sent_by(sms_url)[0]["text"]


def test_only_the_holder_reads_what_was_changed_of_the_account_and_each_number_is_notified(
    begin: Begin, provider: Provider, sms_url: str
) -> None:
    holder_of = membership.AccountHolder(account_name="jianlang", phones=["13800000001", "13900000009"])
    data = example(membership.ACCOUNT_CHANGED, change="phone_changed", administrators_of=[], holder=holder_of)
    with begin() as session:
        event_notifications.account_changed(session, data)
    send_until_nothing_is_due(begin, provider)
    holder = replace(a_clerk_of(data.data.union_id), account_id=str(data.data.account_id))
    with begin() as session:
        assert [one.kind for one in listed(session, holder).items] == ["account_phone_changed"]
        assert listed(session, a_clerk_of(data.data.union_id)).items == []
        head = replace(a_clerk_of(data.data.union_id), roles=frozenset({"administrator"}))
        assert listed(session, head).items == []
    sent = sent_by(sms_url)
    assert sorted(one["phone"] for one in sent) == ["13800000001", "13900000009"]
    assert all("您的账号jianlang登记的手机号已更换" in one["text"] for one in sent)


def test_administrators_are_notified_that_a_telephone_waits_to_be_confirmed(begin: Begin) -> None:
    data = example(membership.ACCOUNT_CHANGED)
    with begin() as session:
        event_notifications.account_changed(session, data)
    head = replace(a_clerk_of(data.data.administrators_of[0]), roles=frozenset({"administrator"}))
    with begin() as session:
        assert [one.kind for one in listed(session, head).items] == ["phone_change_waits"]


def test_reminders_reach_the_role_in_its_union_and_each_telephone(begin: Begin) -> None:
    event = example(membership.REMINDERS_DUE)
    own, below = event.data.reminders
    with begin() as session:
        event_notifications.reminders_due(session, event)
    with begin() as session:
        [message] = listed(session, a_clerk_of(own.union_id)).items
        assert (message.kind, "12 位待办会员未校验" in message.body) == ("work_overdue", True)
        reviewer = replace(a_clerk_of(below.union_id), roles=frozenset({"reviewer"}))
        [message] = listed(session, reviewer).items
        assert (message.kind, "下级 1 个工会" in message.body) == ("work_overdue_below", True)
        assert listed(session, a_clerk_of(below.union_id)).items == []
    assert [(one.phone, one.kind) for one in the_sms(begin)] == [("13800000000", "work_overdue")]


@pytest.mark.parametrize("comes_first", ["request", "decision"])
@pytest.mark.parametrize("decision", ["approved", "rejected", "closed"])
def test_a_message_about_a_decided_request_reads_itself_for_every_reviewer(
    begin: Begin, decision: str, comes_first: str
) -> None:
    requested = example(revocation.REVOCATION_REQUESTED)
    contract = getattr(revocation, f"REVOCATION_{decision.upper()}")
    same = {"revocation_id": requested.data.revocation_id, "batch_no": requested.data.batch_no}
    decided = example(
        contract,
        **same,
        union_id=requested.data.union.union_id,
        reviewer_union_id=requested.data.reviewer_union_id,
    )
    handlers = [
        (event_notifications.revocation_requested, requested),
        (getattr(event_notifications, f"revocation_{decision}"), decided),
    ]
    reviewer = replace(a_clerk_of(requested.data.reviewer_union_id), roles=frozenset({"reviewer"}))
    for handle, event in handlers if comes_first == "request" else reversed(handlers):
        with begin() as session:
            handle(session, event)
    with begin() as session:
        messages = listed(session, reviewer)
        assert [(message.kind, message.read) for message in messages.items] == [("revocation_requested", True)]
        assert messages.unread == 0


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
def test_a_clerk_gets_one_message_of_one_decision_with_the_remark_and_how_many_are_free(
    begin: Begin, order: tuple[int, ...]
) -> None:
    approved = example(revocation.REVOCATION_APPROVED, remark="同意，请尽快重报")
    released = example(
        batching.BATCH_RELEASED,
        batch_no=approved.data.batch_no,
        union_id=approved.data.union_id,
        revocation_id=approved.data.revocation_id,
        reason="revoked",
    )
    handlers = [
        (event_notifications.revocation_approved, approved),
        (event_notifications.batch_released, released),
        (event_notifications.batch_released, released),
    ]
    for place in order:
        handle, event = handlers[place]
        with begin() as session:
            handle(session, event)  # type: ignore[operator]
    with begin() as session:
        [message] = listed(session, a_clerk_of(approved.data.union_id)).items
    freed = 2 * len(released.data.applications)
    assert message.kind == "revocation_approved"
    assert f"{freed} 人已释放" in message.body
    assert "同意，请尽快重报" in message.body


def test_things_of_one_topic_that_come_at_once_are_counted_in_one_message(begin: Begin) -> None:
    audience = Audience(uuid4(), "clerk")

    def post(_: int) -> None:
        with begin() as session:
            message_inbox.post_counted(session, audience, "cards_issued:b1", 2, partial(texts.cards_issued, "b1"))

    with ThreadPoolExecutor(4) as at_once:
        list(at_once.map(post, range(12)))
    with begin() as session:
        assert session.scalars(select(InboxMessage.count)).all() == [24]


def test_a_message_that_the_former_release_added_meanwhile_is_counted_on(begin: Begin) -> None:
    """It finds the topic by the unique index and takes no lock."""
    audience = Audience(uuid4(), "clerk")
    topic = f"{audience.union_id}:clerk:cards_issued:b1"
    facts = {"union_id": audience.union_id, "role": "clerk", "kind": "", "title": "", "body": ""}

    def post() -> None:
        with begin() as session:
            message_inbox.post_counted(session, audience, "cards_issued:b1", 2, partial(texts.cards_issued, "b1"))

    with ThreadPoolExecutor(1) as ours:
        with begin() as former:
            former.execute(insert(InboxMessage).values(message_id=uuid4(), topic=topic, count=3, **facts))
            posting = ours.submit(post)
            waits = text("select count(*) from pg_locks where not granted and locktype = 'transactionid'")
            wait_until(lambda: former.scalar(waits), "it waits for the former release's commit")
        posting.result(timeout=60)
    with begin() as session:
        assert session.scalars(select(InboxMessage.count)).all() == [5]


def test_deputies_and_covering_reviewers_read_what_is_for_the_reviewers_whose_place_they_take(begin: Begin) -> None:
    union_id = uuid4()
    idle = Caller(account_id=str(uuid4()), roles=frozenset({"reviewer"}), union_id=str(uuid4()))
    deputy = replace(idle, principals=(Principal(str(uuid4()), "张三", union_ids=(str(union_id),)),))
    covering = replace(idle, covered_union_ids=(str(union_id),))
    with begin() as session:
        event_notifications.revocation_requested(
            session, example(revocation.REVOCATION_REQUESTED, reviewer_union_id=union_id)
        )
        message_inbox.post(session, Audience(union_id, "administrator"), "t", texts.correction_refused("1"))
        kinds = [[one.kind for one in listed(session, caller).items] for caller in (idle, deputy, covering)]
    assert kinds == [[], ["revocation_requested"], ["revocation_requested"]]


@pytest.mark.parametrize("order", [(1, 2), (2, 1), (1, 2, 1)])
def test_of_a_delegation_the_newest_is_told_in_whatever_order_the_events_come(
    begin: Begin, order: tuple[int, ...]
) -> None:
    named = example(membership.DELEGATION_CHANGED, changed_by=uuid4())
    data = named.data
    events = {1: named, 2: an_event(replace(data, version=2, change="ended"))}
    deputy, principal = (
        Caller(account_id=str(account_id), roles=frozenset({"clerk"}), union_id=str(union_id))
        for account_id, union_id in ((data.deputy_id, data.deputy_union_id), (data.principal_id, data.union_id))
    )
    with begin() as session:
        for version in order:
            event_notifications.delegation_changed(session, events[version])
        for caller in (deputy, principal):
            (message,) = listed(session, caller).items
            assert (message.kind, message.title) == ("delegation_ended", "代审委托已提前结束")


def test_who_names_a_deputy_is_not_told_of_it_and_the_deputy_reads_until_when(begin: Begin) -> None:
    named = example(membership.DELEGATION_CHANGED)
    data = named.data
    deputy, principal = (
        Caller(account_id=str(account_id), roles=frozenset({"clerk"}), union_id=str(data.union_id))
        for account_id in (data.deputy_id, data.principal_id)
    )
    with begin() as session:
        event_notifications.delegation_changed(session, named)
        (message,) = listed(session, deputy).items
        assert "2026-12-01 至 2026-12-11 代张三审核" in message.body
        assert listed(session, principal).items == []


def test_the_clerk_reads_in_whose_name_a_deputy_decided(begin: Begin) -> None:
    approved = example(revocation.REVOCATION_APPROVED)
    with begin() as session:
        event_notifications.revocation_approved(session, approved)
        (message,) = listed(session, a_clerk_of(approved.data.union_id)).items
    assert "审核通过（代 张三 审核）" in message.body


@pytest.mark.parametrize("first", ["the request", "the decision"])
def test_a_request_that_is_decided_while_it_is_told_counts_as_read(begin: Begin, first: str) -> None:
    requested = example(revocation.REVOCATION_REQUESTED)
    decided = example(
        revocation.REVOCATION_REJECTED,
        revocation_id=requested.data.revocation_id,
        union_id=requested.data.union.union_id,
        reviewer_union_id=requested.data.reviewer_union_id,
    )
    works = [
        partial(event_notifications.revocation_requested, event=requested),
        partial(event_notifications.revocation_rejected, event=decided),
    ]
    at_once(begin, *(works if first == "the request" else reversed(works)))
    reviewer = replace(a_clerk_of(requested.data.reviewer_union_id), roles=frozenset({"reviewer"}))
    with begin() as session:
        assert [message.read for message in listed(session, reviewer).items] == [True]
