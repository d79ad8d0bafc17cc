"""The city edits the texts of messages, on a real database: what it may change, and what is sent then."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from services.contracts.operations.notification import ListMessagesRequest
from services.contracts.operations.templates import (
    GetTemplateRequest,
    ListTemplatesRequest,
    PreviewTemplateRequest,
    RestoreTemplateRequest,
    TemplateAnswer,
    TemplatePreviewAnswer,
    TemplatesAnswer,
    UpdateTemplateRequest,
)
from services.kit.problems import Conflict, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import schema_of
from services.notification import message_inbox, sms
from services.notification.message_inbox import Audience
from services.notification.models import MessageTemplate, Sms
from services.notification.templates import editing, texts
from services.notification.templates.catalogue import KINDS
from services.notification.templates.rendering import render
from tests.documents import loaded

CITY = Caller(
    account_id=str(uuid4()), account_name="city-admin", roles=frozenset({"administrator"}), union_id=str(uuid4())
)
ISSUED = "批次 {批次}：{人数} 人办卡成功，请通知领卡。"


@pytest.fixture
def session(notification_engine: Engine) -> Iterator[Session]:
    with Session(notification_engine) as session, session.begin():
        yield session


def edited(session: Session, kind: str = "cards_issued", **changes: Any) -> TemplateAnswer:
    """What the city makes of a kind of message; the next read is that of a new transaction."""
    before = shown(session, kind)
    values = {"title": before.title, "body": before.body, "is_on": before.is_on, "version": before.version}
    request = UpdateTemplateRequest(kind=kind, **{**values, **changes})
    answer = editing.update_template(Work(session, CITY), request)
    session.info.clear()
    assert loaded(TemplateAnswer, schema_of(TemplateAnswer)().dump(answer))
    return answer


def shown(session: Session, kind: str = "cards_issued") -> TemplateAnswer:
    return editing.get_template(Work(session, CITY), GetTemplateRequest(kind=kind))


def previewed(session: Session, kind: str, body: str, title: str = "") -> TemplatePreviewAnswer:
    request = PreviewTemplateRequest(kind=kind, title=title, body=body)
    return editing.preview_template(Work(session, CITY), request)


def posted(session: Session) -> str:
    """The body of the message that a clerk gets of three issued cards."""
    union_id = uuid4()
    message_inbox.post(session, Audience(union_id, "clerk"), f"t:{uuid4()}", texts.cards_issued("cbc1", 3))
    clerk = Caller(account_id=str(uuid4()), roles=frozenset({"clerk"}), union_id=str(union_id))
    (message,) = message_inbox.list_messages(Work(session, clerk), ListMessagesRequest()).items
    return message.body


def test_all_kinds_are_listed_with_the_texts_in_force(session: Session) -> None:
    edited(session, body=ISSUED)
    answer = editing.list_templates(Work(session, CITY), ListTemplatesRequest())
    assert loaded(TemplatesAnswer, schema_of(TemplatesAnswer)().dump(answer))
    assert [item.kind for item in answer.items] == list(KINDS)
    changed = [(item.kind, item.body, item.version) for item in answer.items if not item.is_default]
    assert changed == [("cards_issued", ISSUED, 1)]
    assert answer.quiet_hours == "0-0"


def test_a_message_has_the_text_that_the_city_gave_it(session: Session) -> None:
    assert posted(session).startswith("批次 cbc1 新增 3 人办卡成功。")
    session.info.clear()
    edited(session, body=ISSUED)
    assert posted(session) == "批次 cbc1：3 人办卡成功，请通知领卡。"


def test_every_text_that_was_in_force_is_kept_with_who_edited_it(session: Session) -> None:
    edited(session, body=ISSUED)
    edited(session, body="办卡成功：{人数} 人。")
    answer = editing.restore_template(Work(session, CITY), RestoreTemplateRequest(kind="cards_issued", version=2))
    assert (answer.is_default, answer.body, answer.version) == (True, answer.default_body, 3)
    history = [(one.version, one.body, one.editor, one.is_default) for one in answer.history]
    assert history == [
        (3, answer.default_body, "city-admin", True),
        (2, "办卡成功：{人数} 人。", "city-admin", False),
        (1, ISSUED, "city-admin", False),
    ]
    session.info.clear()
    assert posted(session).startswith("批次 cbc1 新增 3 人办卡成功。")


def test_of_two_who_edit_at_the_same_time_the_second_is_told(session: Session) -> None:
    edited(session, body=ISSUED)
    with pytest.raises(Conflict, match="template_changed"):
        edited(session, body="又一次 {批次}", version=0)
    with pytest.raises(Conflict, match="template_changed"):
        editing.restore_template(Work(session, CITY), RestoreTemplateRequest(kind="cards_issued", version=0))


@pytest.mark.parametrize(
    ("kind", "changes", "field", "code"),
    [
        ("cards_issued", {"body": "{批次} {手机号}"}, "body", "unknown_variable"),
        ("cards_issued", {"title": "{批号}"}, "title", "unknown_variable"),
        ("cards_issued", {"body": "{批次"}, "body", "braces"),
        ("cards_issued", {"body": "{} {批次}"}, "body", "braces"),
        ("cards_issued", {"body": "{批次.__class__}"}, "body", "unknown_variable"),
        ("revocation_approved", {"title": "{审核意见}"}, "title", "unknown_variable"),
        ("cards_issued", {"title": ""}, "title", "title_of_way"),
        ("sms_cards_issued", {"title": "标题"}, "title", "title_of_way"),
        ("cards_issued", {"is_on": False}, "is_on", "must_be_on"),
        ("sms_one_time_password", {"is_on": False}, "is_on", "must_be_on"),
        ("sms_one_time_password", {"body": "请在{时间}前登录。"}, "body", "variable_needed"),
        ("sms_reset_link", {"body": "请打开链接。"}, "body", "variable_needed"),
        ("sms_account_changed", {"body": "系统通知。"}, "body", "variable_needed"),
        ("account_changed", {"body": "系统通知。"}, "body", "variable_needed"),
    ],
)
def test_a_text_that_could_not_be_sent_is_refused(
    session: Session, kind: str, changes: dict[str, Any], field: str, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        edited(session, kind, **changes)
    assert (field, code) in [(problem.field, problem.code) for problem in refused.value.fields]
    assert shown(session, kind).is_default


def test_a_text_message_that_is_turned_off_is_not_sent_until_it_is_turned_on(session: Session) -> None:
    edited(session, "sms_cards_issued", is_on=False)
    contact = sms.CountedSms("t", "13800000000", 3, lambda count: texts.sms_cards_issued("cbc1", count))
    sms.enqueue_counted(session, contact, 0)
    sms.enqueue(session, texts.sms_cards_issued("cbc1", 3), "13800000000")
    assert session.scalars(select(Sms)).all() == []
    edited(session, "sms_cards_issued", is_on=True)
    sms.enqueue(session, texts.sms_cards_issued("cbc1", 3), "13800000000")
    assert len(session.scalars(select(Sms)).all()) == 1


def test_a_preview_shows_the_examples_and_what_a_text_message_costs(session: Session) -> None:
    inbox = previewed(session, "cards_issued", ISSUED, "办卡成功")
    assert (inbox.title, inbox.parts) == ("办卡成功", 0)
    assert inbox.body == "批次 cbc81310000000000017P20261124001：3 人办卡成功，请通知领卡。"
    short = previewed(session, "sms_member_released", "已撤销。")
    assert (short.body, short.characters, short.parts) == ("【申工社】已撤销。", 9, 1)
    assert [previewed(session, "sms_member_released", "长" * length).parts for length in (65, 66, 129, 130)] == [
        1,
        2,
        2,
        3,
    ]


def test_only_the_citys_administrators_see_and_edit_texts(session: Session) -> None:
    district = replace(CITY, superior_union_id=str(uuid4()))
    with pytest.raises(Forbidden):
        editing.list_templates(Work(session, district), ListTemplatesRequest())
    with pytest.raises(Forbidden):
        editing.restore_template(Work(session, district), RestoreTemplateRequest(kind="cards_issued", version=0))


def test_a_kind_that_does_not_exist_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        shown(session, "nothing")


def test_a_text_with_a_variable_that_no_release_knows_any_more_gives_way_to_the_default(session: Session) -> None:
    session.add(
        MessageTemplate(
            kind="sms_member_refused", version=1, title="", body="{旧变量}", is_on=True, edited_by=uuid4(), editor="c"
        )
    )
    session.flush()
    assert "身份信息核验不符" in render(session, texts.sms_member_refused("身份信息核验不符"))[1]
    assert shown(session, "sms_member_refused").body == KINDS["sms_member_refused"].body
