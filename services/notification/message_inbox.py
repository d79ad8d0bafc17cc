"""The inbox: messages for a role in a union, with read marks for each account."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.notification import MESSAGE_POSTED, MessagePostedData
from services.contracts.operations.notification import (
    ListMessagesRequest,
    MarkAllMessagesReadRequest,
    MarkMessageReadRequest,
    MessageAnswer,
    MessagesAnswer,
    ReadAnswer,
)
from services.kit.data.page_rows import page_of
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.notification.models import InboxMessage, ReadMark
from services.notification.texts import MessageText

HOLDER = "holder"
"""Replaces the role of a message that is for one account."""
MOST_UNREAD = 1000
"""Unread messages are counted up to here."""


@dataclass(frozen=True)
class Audience:
    """The recipients of a message: all with this role in this union, or with `account_id` only that account."""

    union_id: UUID
    role: str
    account_id: UUID | None = None


def post(session: Session, audience: Audience, topic: str, message: MessageText) -> None:
    """Posts a message to an audience; it replaces an earlier one of the same topic."""
    post_counted(session, audience, topic, 1, lambda _count: message)


def post_counted(
    session: Session, audience: Audience, topic: str, count: int, message_of: Callable[[int], MessageText]
) -> None:
    """Posts a message about `count` things; counts of one topic add up in one, which becomes unread again."""
    message_id, total = _counted(session, audience, f"{audience.union_id}:{audience.role}:{topic}", count)
    message = message_of(total)
    session.execute(
        update(InboxMessage)
        .where(InboxMessage.message_id == message_id)
        .values(kind=message.kind, title=message.title, body=message.body, link=message.link)
    )
    session.execute(delete(ReadMark).where(ReadMark.message_id == message_id))
    publish(
        session,
        MESSAGE_POSTED,
        MessagePostedData(
            message_id=message_id,
            union_id=audience.union_id,
            role=audience.role,
            account_id=audience.account_id,
            kind=message.kind,
            title=message.title,
        ),
        subject=str(audience.union_id),
    )


def _counted(session: Session, audience: Audience, topic: str, count: int) -> tuple[UUID, int]:
    """The message of the topic and what it counts now; it is added without a text where there is none.

    A lock holds the topic, not its unique index, which a table that is partitioned by month cannot have.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"topic: {topic}", 0))))
    more = update(InboxMessage).where(InboxMessage.topic == topic).values(count=InboxMessage.count + count)
    adding = more.returning(InboxMessage.message_id, InboxMessage.count)
    found = session.execute(adding).first()
    if found is None:
        new = insert(InboxMessage).values(
            message_id=uuid7(),
            union_id=audience.union_id,
            role=audience.role,
            account_id=audience.account_id,
            kind="",
            topic=topic,
            count=count,
            title="",
            body="",
        )
        added = new.on_conflict_do_nothing().returning(InboxMessage.message_id, InboxMessage.count)
        # A process of the former release, which takes no lock, may have added it meanwhile.
        found = session.execute(added).first() or session.execute(adding).one()
    message_id, total = found
    return message_id, total


def within_hour(topic: str) -> str:
    """The topic with the current hour appended, so that all of one hour are one message."""
    return f"{topic}:{datetime.now(UTC):%Y%m%d%H}"


def list_messages(work: Work, request: ListMessagesRequest) -> MessagesAnswer:
    """A page of the caller's messages, newest first, with how many are unread."""
    session, caller = work.session, work.caller
    read = _is_read_by(caller)
    matching = select(InboxMessage, read.label("read")).where(_for(caller)).order_by(InboxMessage.message_id.desc())
    if request.unread is not UNSET:
        matching = matching.where(~read if request.unread else read)
    rows, counted = page_of(session, matching, request)
    items = [_answer(message, is_read) for message, is_read in rows]
    return MessagesAnswer.of(items, request, counted, unread=count_unread(session, caller))


def count_unread(session: Session, caller: Caller) -> int:
    """How many messages the caller has not read, up to MOST_UNREAD."""
    unread = select(literal(1)).select_from(InboxMessage).where(_for(caller), ~_is_read_by(caller)).limit(MOST_UNREAD)
    return session.scalar(select(func.count()).select_from(unread.subquery())) or 0


def mark_read(work: Work, request: MarkMessageReadRequest) -> ReadAnswer:
    """Marks a message as read. Raises NotFound for one that is not the caller's."""
    session, caller, message_id = work.session, work.caller, request.message_id
    audit.record(session, ("message", message_id))
    if session.scalar(select(exists().where(InboxMessage.message_id == message_id, _for(caller)))) is False:
        raise NotFound(title="未找到该消息")
    mark = insert(ReadMark).values(message_id=message_id, account_id=caller.account_id)
    session.execute(mark.on_conflict_do_nothing())
    return ReadAnswer(unread=count_unread(session, caller))


def mark_all_read(work: Work, _request: MarkAllMessagesReadRequest) -> ReadAnswer:
    """Marks all of the caller's messages as read."""
    session, caller = work.session, work.caller
    unread = select(InboxMessage.message_id, literal(UUID(caller.account_id))).where(_for(caller), ~_is_read_by(caller))
    marks = insert(ReadMark).from_select(["message_id", "account_id"], unread)
    session.execute(marks.on_conflict_do_nothing())
    return ReadAnswer(unread=count_unread(session, caller))


def _for(caller: Caller) -> ColumnElement[bool]:
    mine = or_(InboxMessage.account_id.is_(None), InboxMessage.account_id == caller.account_id)
    return and_(InboxMessage.union_id == caller.union_id, InboxMessage.role.in_({*caller.roles, HOLDER}), mine)


def _is_read_by(caller: Caller) -> ColumnElement[bool]:
    return exists().where(ReadMark.message_id == InboxMessage.message_id, ReadMark.account_id == caller.account_id)


def _answer(message: InboxMessage, is_read: bool) -> MessageAnswer:
    return MessageAnswer(
        message_id=message.message_id,
        kind=message.kind,
        title=message.title,
        body=message.body,
        link=message.link,
        created_at=message.created_at,
        read=is_read,
    )
