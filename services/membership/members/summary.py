"""Counts for the workbench: members by card state, applications by day, subordinate unions side by side."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import chain
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from services.contracts.operations.membership.members import (
    ApplicationsOfDay,
    CardStateCounts,
    MemberSummaryAnswer,
    MemberSummaryRequest,
    UnionMembers,
)
from services.kit.data.bulk import is_any_of
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.membership.applications.application_states import CardState, State
from services.membership.models import EMPLOYED, ApplicationHistory, Member, Union
from services.membership.unions import union_answer, union_in_scope

DAYS = 30
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_COUNTED = (State.QUEUED, State.ISSUED, State.REFUSED)


def member_summary(work: Work, request: MemberSummaryRequest) -> MemberSummaryAnswer:
    """The counts of a union in the caller's scope; if the scope includes subordinates, these are counted too."""
    session = work.session
    union = union_in_scope(session, work.caller, request.union_id or None)
    subordinates = _direct_subordinates(session, union) if work.caller.scope >= Scope.SUBORDINATES else []
    families = {one.union_id: _with_all_subordinates(session, one) for one in subordinates}
    families[union.union_id] = [union.union_id, *chain.from_iterable(families.values())]
    states = _card_states(session, families[union.union_id])
    by_union = [
        UnionMembers(union=union_answer(one), by_card_state=_sum_of(states, families[one.union_id]))
        for one in subordinates
    ]
    return MemberSummaryAnswer(
        by_card_state=_sum_of(states, families[union.union_id]),
        applications_by_day=_applications_by_day(session, families[union.union_id]),
        by_union=by_union,
    )


def _direct_subordinates(session: Session, union: Union) -> Sequence[Union]:
    return session.scalars(select(Union).where(Union.superior_union_id == union.union_id).order_by(Union.code)).all()


def _with_all_subordinates(session: Session, union: Union) -> list[UUID]:
    below = session.scalars(select(Union.union_id).where(Union.superior_ids.contains([union.union_id])))
    return [union.union_id, *below]


def _card_states(session: Session, union_ids: list[UUID]) -> dict[UUID, dict[str, int]]:
    counted = (
        select(Member.union_id, Member.card_state, func.count())
        .where(is_any_of(Member.union_id, union_ids), EMPLOYED)
        .group_by(Member.union_id, Member.card_state)
    )
    states: dict[UUID, dict[str, int]] = defaultdict(dict)
    for union_id, card_state, count in session.execute(counted):
        states[union_id][card_state] = count
    return states


def _sum_of(states: dict[UUID, dict[str, int]], union_ids: list[UUID]) -> CardStateCounts:
    counts = {
        card_state.value: sum(states[union_id].get(card_state, 0) for union_id in union_ids if union_id in states)
        for card_state in CardState
    }
    return CardStateCounts(**counts)


def _applications_by_day(session: Session, union_ids: list[UUID]) -> list[ApplicationsOfDay]:
    """How many were queued, issued and refused on each of the last DAYS days in Shanghai, oldest first."""
    today = datetime.now(_SHANGHAI).date()
    first = today - timedelta(days=DAYS - 1)
    day = cast(func.timezone("Asia/Shanghai", ApplicationHistory.at), Date)
    counted = (
        select(day, ApplicationHistory.state, func.count(func.distinct(ApplicationHistory.application_id)))
        .where(
            is_any_of(ApplicationHistory.union_id, union_ids),
            ApplicationHistory.at >= datetime.combine(first, datetime.min.time(), _SHANGHAI),
            ApplicationHistory.state.in_(_COUNTED),
        )
        .group_by(day, ApplicationHistory.state)
    )
    counts: dict[tuple[date, str], int] = {(on, state): count for on, state, count in session.execute(counted)}
    days = (first + timedelta(days=offset) for offset in range(DAYS))
    return [ApplicationsOfDay(day=on, **{state.value: counts.get((on, state), 0) for state in _COUNTED}) for on in days]
