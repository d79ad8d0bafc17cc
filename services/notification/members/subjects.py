"""Answers requests for a person's data: messages to the member, and the telephone for news that are to come."""

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.contracts.events.subjects import (
    MOST_ROWS,
    SUBJECT_ANSWERED,
    SubjectAnsweredData,
    SubjectPart,
    SubjectRequestedData,
    SubjectSheet,
)
from services.contracts.values import to_the_minute
from services.kit.data.bulk import is_any_of
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.notification.models import MemberMessage, MemberNotice, SmsRefusal


def subject_requested(session: Session, event: Event[SubjectRequestedData]) -> None:
    """Answers with the member's messages, or erases them; text messages end by themselves within their term."""
    data = event.data
    answer = _copy(session, data) if data.kind == "copy" else _erase(session, data)
    publish(session, SUBJECT_ANSWERED["notification"], answer)


def _copy(session: Session, data: SubjectRequestedData) -> SubjectAnsweredData:
    own = select(MemberMessage).where(MemberMessage.member_id == data.member_id)
    messages = session.scalars(own.order_by(MemberMessage.message_id.desc()).limit(MOST_ROWS)).all()
    rows = [[to_the_minute(one.created_at), one.text] for one in messages]
    refused = session.get(SmsRefusal, data.member_id) is not None
    choice = [["接收办卡短信", "否" if refused else "是"]]
    return SubjectAnsweredData(
        request_id=data.request_id,
        kind=data.kind,
        parts=[SubjectPart(title="消息", rows=len(rows)), SubjectPart(title="短信设置", rows=1)],
        sheets=[
            SubjectSheet(title="消息", headings=["时间", "内容"], rows=rows),
            SubjectSheet(title="短信设置", headings=["项目", "选择"], rows=choice),
        ],
    )


def _erase(session: Session, data: SubjectRequestedData) -> SubjectAnsweredData:
    messages = session.scalars(
        delete(MemberMessage).where(MemberMessage.member_id == data.member_id).returning(MemberMessage.message_id)
    ).all()
    notices = session.scalars(
        delete(MemberNotice)
        .where(is_any_of(MemberNotice.application_id, data.application_ids))
        .returning(MemberNotice.application_id)
    ).all()
    waiting = select(func.count()).select_from(SmsRefusal).where(SmsRefusal.member_id == data.member_id)
    refusals = session.scalar(waiting) or 0
    session.execute(delete(SmsRefusal).where(SmsRefusal.member_id == data.member_id))
    return SubjectAnsweredData(
        request_id=data.request_id,
        kind=data.kind,
        parts=[
            SubjectPart(title="消息", rows=len(messages)),
            SubjectPart(title="通知办卡结果的手机号", rows=len(notices)),
            SubjectPart(title="短信设置", rows=refusals),
        ],
    )
