"""Members whose newest application was refused 银行退回 or released 已释放: they are free, and can be queued again."""

from collections.abc import Callable, Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, union_all
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from services.contracts.operations.membership.members import EndedApplication, MemberFilter
from services.kit.data.bulk import is_any_of
from services.kit.schemas import UNSET
from services.membership.applications.application_states import ENDED, CardState
from services.membership.models import Application, ApplicationHistory, Member, Transfer


def is_ended(
    is_of: Callable[[InstrumentedAttribute[UUID]], ColumnElement[bool]], chosen: MemberFilter
) -> ColumnElement[bool]:
    """The condition of a filter by how the newest application ended, by its batch, or by both.

    `is_of` is the condition that a column names a union of the filter. An application belongs to the union in which it
    was queued, also where its member has moved since.
    """
    ended = _newest_that_ended(chosen)
    is_free = Member.card_state == CardState.NONE
    if chosen.with_subordinates:
        # Of many unions far more have ended than a page shows, or than have a name: each member's own may be looked up.
        return is_free & ended.where(Application.member_id == Member.member_id).exists()
    moved_here = select(Transfer.member_id).where(is_of(Transfer.to_union_id), Transfer.state == "accepted")
    found = union_all(
        ended.where(is_of(Application.union_id)), ended.where(Application.member_id.in_(moved_here))
    ).subquery()
    return is_free & Member.member_id.in_(select(found.c.member_id))


def ended_applications(session: Session, members: Iterable[Member]) -> dict[UUID, EndedApplication]:
    """How the newest application of those members ended who are free since it was refused or released."""
    free = [member.member_id for member in members if member.card_state == CardState.NONE]
    if not free:
        return {}
    newest = (
        select(Application)
        .ext(distinct_on(Application.member_id))
        .where(is_any_of(Application.member_id, free))
        .order_by(Application.member_id, Application.application_id.desc())
        .subquery()
    )
    rows = session.execute(
        select(newest.c.member_id, newest.c.state, newest.c.batch_no, ApplicationHistory.note, ApplicationHistory.at)
        .join(
            ApplicationHistory,
            (ApplicationHistory.application_id == newest.c.application_id)
            & (ApplicationHistory.version == newest.c.version),
        )
        .where(newest.c.state.in_(ENDED))
    )
    return {
        row.member_id: EndedApplication(state=row.state, batch_no=row.batch_no, reason=row.note, at=row.at)
        for row in rows
    }


def _newest_that_ended(chosen: MemberFilter) -> Select[UUID]:
    """The members of the newest applications that ended as chosen."""
    newer = aliased(Application)
    states = ENDED if chosen.last_outcome is UNSET else (chosen.last_outcome,)
    ended = (
        select(Application.member_id)
        .where(Application.state.in_(ENDED), Application.state.in_(states))
        .where(
            ~select(newer.application_id)
            .where(newer.member_id == Application.member_id, newer.application_id > Application.application_id)
            .exists()
        )
    )
    return ended if chosen.last_batch_no is UNSET else ended.where(Application.batch_no == chosen.last_batch_no)
