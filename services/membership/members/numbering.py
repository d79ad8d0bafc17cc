"""Member numbers: ten digits, assigned asynchronously after the registration, in chunks."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from services.contracts.events.membership import (
    MEMBER_NUMBERED,
    MemberNumberedData,
    MemberRegisteredData,
    NumberedMember,
)
from services.kit.data.bulk import is_any_of
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.kit.schemas import required
from services.membership.imports.import_parts import finish_numbered
from services.membership.members.members import NEXT_NUMBER
from services.membership.models import Member


def member_registered(session: Session, event: Event[MemberRegisteredData]) -> None:
    """Assigns new members their numbers, and ends imports that waited only for them."""
    member_ids = [member.member_id for member in event.data.members]
    finish_numbered(session, _give_numbers(session, event.data.union_id, member_ids))


def _give_numbers(session: Session, union_id: UUID, member_ids: Sequence[UUID]) -> set[UUID]:
    """Assigns numbers to those members without one, and publishes it; returns the ids of their imports."""
    numbered = session.execute(
        update(Member)
        .where(is_any_of(Member.member_id, member_ids), Member.member_no.is_(None))
        .values(member_no=NEXT_NUMBER)
        .returning(Member.member_id, Member.member_no, Member.import_id)
        .execution_options(synchronize_session=False)
    ).all()
    if numbered:
        members = [NumberedMember(member_id=row.member_id, member_no=required(row.member_no)) for row in numbered]
        publish(session, MEMBER_NUMBERED, MemberNumberedData(union_id=union_id, members=members))
    return {row.import_id for row in numbered if row.import_id}
