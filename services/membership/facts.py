"""Publishes what reports count of unions and members, as they are now."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from services.contracts.events.membership import MEMBERS_COUNTED, CountedMember, MembersCountedData
from services.kit.data.facts import Page
from services.kit.events.contract import MESSAGE_SIZE
from services.kit.events.outbox import publish
from services.membership.event_builders import publish_unions
from services.membership.models import Member, Union


def publish_changed(session: Session, member: Member) -> None:
    """Publishes a membership that has just changed: the member moved, left or came back."""
    member.membership_version += 1
    session.flush()
    publish(session, MEMBERS_COUNTED, MembersCountedData(members=[_counted(member)]))


def publish_page_of_unions(session: Session, after: str | None, rebuild_id: UUID) -> Page:
    """Publishes the next unions by id; they are locked, so that a later change is published later."""
    next_ones = select(Union).order_by(Union.union_id).limit(MESSAGE_SIZE).with_for_update(read=True)
    if after is not None:
        next_ones = next_ones.where(Union.union_id > UUID(after))
    unions = session.scalars(next_ones).all()
    if not unions:
        return Page(None, 0)
    publish_unions(session, unions, rebuild_id=rebuild_id)
    return Page(str(unions[-1].union_id), 1)


def publish_page_of_members(session: Session, after: str | None, rebuild_id: UUID) -> Page:
    """Publishes the next members by id."""
    columns = (Member.member_id, Member.union_id, Member.registered_at, Member.left_at, Member.membership_version)
    next_ones = select(*columns).order_by(Member.member_id).limit(MESSAGE_SIZE)
    if after is not None:
        next_ones = next_ones.where(Member.member_id > UUID(after))
    rows = session.execute(next_ones).all()
    if not rows:
        return Page(None, 0)
    members = [_counted(row) for row in rows]
    publish(session, MEMBERS_COUNTED, MembersCountedData(members=members, rebuild_id=rebuild_id))
    return Page(str(members[-1].member_id), 1)


def _counted(member: Member | Row[UUID, UUID, datetime, datetime | None, int]) -> CountedMember:
    return CountedMember(
        member_id=member.member_id,
        union_id=member.union_id,
        registered_at=member.registered_at,
        left_at=member.left_at,
        version=member.membership_version,
    )


FACTS = (publish_page_of_unions, publish_page_of_members)
"""What the service publishes for a rebuild of the reports, in this order."""
