"""The inbox: messages for a role in a union, with read marks for each account."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.notification import EVERYWHERE, MESSAGE_POSTED, MessagePostedData
from services.contracts.operations.notification import (
    ListMessagesRequest,
    MarkAllMessagesReadRequest,
    MarkMessageReadRequest,
    MessageAnswer,
    MessagesAnswer,
    ReadAnswer,
)
from services.kit.data.bulk import is_any_of
from services.kit.data.lists.page_rows import page_of
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET
from services.notification.models import InboxMessage, ReadMark, ReportUnion
from services.notification.templates.rendering import Message, render

HOLDER = "holder"
"""Replaces the role of a message that is for one account."""
REVIEWER = "reviewer"
OPERATOR = "operator"
_MERGERS = 0x6D657267
"""The advisory lock of mergers: held alone by one that is under way, and together by all who post messages."""
MOST_UNREAD = 1000
"""Unread messages are counted up to here."""


@dataclass(frozen=True)
class Audience:
    """The recipients of a message: all with this role in this union, or with `account_id` only that account.

    Of the union EVERYWHERE, all operators are.
    """

    union_id: UUID
    role: str
    account_id: UUID | None = None


def post(session: Session, audience: Audience, topic: str, message: Message) -> None:
    """Posts a message to an audience; it replaces an earlier one of the same topic."""
    post_counted(session, audience, topic, 1, lambda _count: message)


def post_counted(
    session: Session, audience: Audience, topic: str, count: int, message_of: Callable[[int], Message]
) -> None:
    """Posts a message about `count` things; counts of one topic add up in one, which becomes unread again."""
    audience = _current(session, audience)
    message_id, total, _ = _put(session, audience, topic, count, adds_up=True)
    _write(session, audience, message_id, message_of(total))


def post_known(
    session: Session,
    audience: Audience,
    topic: str,
    learn: Callable[[dict[str, Any]], dict[str, Any]],
    message_of: Callable[[dict[str, Any]], Message],
) -> None:
    """Posts one message that several events tell, in any order: `learn` adds to what is known of its topic."""
    audience = _current(session, audience)
    message_id, _, known = _put(session, audience, topic, 1, adds_up=False)
    learnt = learn(known or {})
    session.execute(update(InboxMessage).where(InboxMessage.message_id == message_id).values(known=learnt))
    _write(session, audience, message_id, message_of(learnt))


def settle(session: Session, audience: Audience, topic: str) -> None:
    """Has everybody of the audience read the message of a topic, if it was posted: what it asked for is done."""
    _set_settled(session, audience, topic, func.now())


def reopen(session: Session, audience: Audience, topic: str) -> None:
    """Has the message of a topic, where it was settled, count as unread again: what it asks for is not done."""
    _set_settled(session, audience, topic, None)


def is_posted(session: Session, audience: Audience, topic: str) -> bool:
    """Whether the audience has a message of this topic."""
    topics = _topics(session, _current(session, audience), topic)
    return session.scalar(select(exists().where(InboxMessage.topic.in_(topics)))) is True


def let_none_be_merged(session: Session) -> None:
    """Waits for mergers under way and lets no other begin until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock_shared(_MERGERS)))


def move_messages(session: Session, union_id: UUID, successor_id: UUID) -> None:
    """Moves the messages of a union that is merged, and which nobody posts meanwhile."""
    session.execute(update(InboxMessage).where(InboxMessage.union_id == union_id).values(union_id=successor_id))


def merge_alone(session: Session) -> None:
    """Waits for all who let none be merged, and is the only one that merges until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(_MERGERS)))


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


def _put(
    session: Session, audience: Audience, topic: str, count: int, *, adds_up: bool
) -> tuple[UUID, int, dict[str, Any] | None]:
    """The message of a topic, made or locked: its id, its count with this one, and what is known."""
    full_topic = _locked_topic(session, audience, topic)
    topics = _topics(session, audience, topic)
    counted = InboxMessage.count + count if adds_up else InboxMessage.count
    known = update(InboxMessage).where(InboxMessage.topic.in_(topics)).values(count=counted)
    new = insert(InboxMessage).values(
        message_id=uuid7(),
        union_id=audience.union_id,
        role=audience.role,
        account_id=audience.account_id,
        kind="",
        topic=full_topic,
        count=count,
        title="",
        body="",
    )
    # A process of the former release, which takes no lock, may add it meanwhile.
    for statement in (known, new.on_conflict_do_nothing(), known):
        returning = statement.returning(InboxMessage.message_id, InboxMessage.count, InboxMessage.known)
        if row := session.execute(returning).first():
            return row.message_id, row[1], row.known
    raise LookupError(f"no message of the topic {full_topic}")


def _write(session: Session, audience: Audience, message_id: UUID, message: Message) -> None:
    """Gives a message its text, makes it unread, and publishes that it is there."""
    title, body = render(session, message)
    session.execute(
        update(InboxMessage)
        .where(InboxMessage.message_id == message_id)
        .values(kind=message.kind, title=title, body=body, link=message.link)
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
            title=title,
        ),
        subject=str(audience.union_id),
    )


def _set_settled(session: Session, audience: Audience, topic: str, settled_at: Any) -> None:
    audience = _current(session, audience)
    _locked_topic(session, audience, topic)
    of_topic = update(InboxMessage).where(InboxMessage.topic.in_(_topics(session, audience, topic)))
    session.execute(of_topic.values(settled_at=settled_at))


def _locked_topic(session: Session, audience: Audience, topic: str) -> str:
    """The whole topic, of which no other transaction posts or settles a message until this one ends.

    A lock holds the topic, not its unique index, which a table that is partitioned by month cannot have.
    """
    full_topic = _full_topic(audience, topic)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"topic: {full_topic}", 0))))
    return full_topic


def _topics(session: Session, audience: Audience, topic: str) -> list[str]:
    """The whole topics of the current audience: messages that came with a merged union keep theirs."""
    merged = session.scalars(select(ReportUnion.union_id).where(ReportUnion.successor_union_id == audience.union_id))
    return [_full_topic(replace(audience, union_id=union_id), topic) for union_id in (audience.union_id, *merged)]


def _current(session: Session, audience: Audience) -> Audience:
    """The audience in the union's successor, if it was merged; none is merged until the transaction ends."""
    let_none_be_merged(session)
    successor = select(ReportUnion.successor_union_id).where(ReportUnion.union_id == audience.union_id)
    return replace(audience, union_id=session.scalar(successor) or audience.union_id)


def _full_topic(audience: Audience, topic: str) -> str:
    return f"{audience.union_id}:{audience.role}:{topic}"


def _for(caller: Caller) -> ColumnElement[bool]:
    """The caller's messages, those for reviewers in whose place it decides, and those for all operators."""
    mine = or_(InboxMessage.account_id.is_(None), InboxMessage.account_id == caller.account_id)
    own = and_(InboxMessage.union_id == caller.union_id, InboxMessage.role.in_({*caller.roles, HOLDER}), mine)
    conditions = [own]
    if caller.other_union_ids:
        others = is_any_of(InboxMessage.union_id, sorted(UUID(one) for one in caller.other_union_ids))
        conditions.append(and_(others, InboxMessage.role == REVIEWER, InboxMessage.account_id.is_(None)))
    if OPERATOR in caller.roles:
        conditions.append(and_(InboxMessage.union_id == EVERYWHERE, InboxMessage.role == OPERATOR))
    return or_(*conditions)


def _is_read_by(caller: Caller) -> ColumnElement[bool]:
    marked = exists().where(ReadMark.message_id == InboxMessage.message_id, ReadMark.account_id == caller.account_id)
    return or_(InboxMessage.settled_at.is_not(None), marked)


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
