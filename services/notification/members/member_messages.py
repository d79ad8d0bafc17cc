"""Messages to members whose telephone is known, which they read on the phone, also where no SMS was wanted."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.operations.member_messages import (
    ListMemberMessagesRequest,
    MarkMemberMessagesReadRequest,
    MemberMessageAnswer,
    MemberMessagesAnswer,
)
from services.kit.data.bulk import insert_rows
from services.kit.data.lists.page_rows import page_of
from services.kit.rpc.work import Work
from services.notification.models import MemberMessage
from services.notification.templates.rendering import SIGNATURE, Message, is_on, render


def keep(session: Session, messages: Iterable[tuple[UUID, Message]]) -> None:
    """Stores messages, each to a member, in one statement; none of a kind that the city has turned off."""
    rows = [
        {
            "message_id": uuid7(),
            "member_id": member_id,
            "text": render(session, message)[1].removeprefix(SIGNATURE),
        }
        for member_id, message in messages
        if is_on(session, message)
    ]
    if rows:
        session.execute(insert_rows(MemberMessage, rows))


def list_member_messages(work: Work, request: ListMemberMessagesRequest) -> MemberMessagesAnswer:
    """A page of the caller's messages, the newest first."""
    own = MemberMessage.member_id == UUID(work.caller.member_id)
    newest = select(MemberMessage).where(own).order_by(MemberMessage.message_id.desc())
    rows, counted = page_of(work.session, newest, request)
    unread = select(func.count()).where(own, MemberMessage.read_at.is_(None))
    items = [
        MemberMessageAnswer(
            message_id=one.message_id, text=one.text, created_at=one.created_at, read=one.read_at is not None
        )
        for (one,) in rows
    ]
    return MemberMessagesAnswer.of(items, request, counted, unread=work.session.scalar(unread) or 0)


def mark_member_messages_read(work: Work, request: MarkMemberMessagesReadRequest) -> None:
    """Marks the caller's messages up to one of them as read."""
    work.session.execute(
        update(MemberMessage)
        .where(
            MemberMessage.member_id == UUID(work.caller.member_id),
            MemberMessage.message_id <= request.up_to,
            MemberMessage.read_at.is_(None),
        )
        .values(read_at=datetime.now(UTC))
        .execution_options(synchronize_session=False)
    )
