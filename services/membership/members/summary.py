"""Counts for the workbench: members by card state, applications by day, subordinate unions side by side."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Date, cast, func, select
from sqlalchemy.orm import Session

from services.contracts.operations.membership.members import (
    ApplicationsOfDay,
    CardStateCounts,
    MemberSummaryAnswer,
    MemberSummaryRequest,
    UnionMembers,
)
from services.contracts.values import SHANGHAI, start_of
from services.kit.rpc.operation import Scope
from services.kit.rpc.work import Work
from services.membership.applications.application_states import CardState, State
from services.membership.models import EMPLOYED, ApplicationHistory, Member, Union
from services.membership.unions import is_union_or_below, union_answer, union_in_scope

DAYS = 30
_COUNTED = (State.QUEUED, State.ISSUED, State.REFUSED)


def member_summary(work: Work, request: MemberSummaryRequest) -> MemberSummaryAnswer:
    """The counts of a union in the caller's scope; if the scope includes subordinates, these are counted too."""
    session = work.session
    union = union_in_scope(session, work.caller, request.union_id or None)
    looks_down = work.caller.scope >= Scope.SUBORDINATES
    counted = is_union_or_below(union.union_id) if looks_down else Union.union_id == union.union_id
    states = _card_states(session, union.union_id, counted)
    subordinates = _direct_subordinates(session, union) if looks_down else []
    return MemberSummaryAnswer(
        by_card_state=_sum_of(states.values()),
        applications_by_day=_applications_by_day(session, counted),
        by_union=[
            UnionMembers(union=union_answer(one), by_card_state=_sum_of([states[one.union_id]])) for one in subordinates
        ],
    )


def _direct_subordinates(session: Session, union: Union) -> Sequence[Union]:
    direct = select(Union).where(Union.superior_union_id == union.union_id, Union.ended_at.is_(None))
    return session.scalars(direct.order_by(Union.code)).all()


def _card_states(session: Session, union_id: UUID, counted: ColumnElement[bool]) -> Mapping[UUID, Mapping[str, int]]:
    """Members by card state, of the union itself and of each direct subordinate with all below it.

    They are counted by union first, in the order of an index, and then by part: a city has ten million members, but
    some ten thousand unions.
    """
    of_unions = (
        select(Member.union_id, Member.card_state, func.count().label("members"))
        .where(Member.union_id.in_(select(Union.union_id).where(counted)), EMPLOYED)
        .group_by(Member.union_id, Member.card_state)
        .subquery()
    )
    after = Union.superior_ids[func.array_position(Union.superior_ids, union_id) + 1]
    part = func.coalesce(after, Union.union_id)
    by_part = (
        select(part.label("part"), of_unions.c.card_state, func.sum(of_unions.c.members))
        .join(of_unions, of_unions.c.union_id == Union.union_id)
        .group_by("part", of_unions.c.card_state)
    )
    states: dict[UUID, dict[str, int]] = defaultdict(dict)
    for part_id, card_state, members in session.execute(by_part):
        states[part_id][card_state] = int(members)
    return states


def _sum_of(states: Iterable[Mapping[str, int]]) -> CardStateCounts:
    every = list(states)
    return CardStateCounts(**{state.value: sum(one.get(state, 0) for one in every) for state in CardState})


def _applications_by_day(session: Session, counted: ColumnElement[bool]) -> list[ApplicationsOfDay]:
    """How many were queued, issued and refused on each of the last DAYS days in Shanghai, oldest first."""
    today = datetime.now(SHANGHAI).date()
    first = today - timedelta(days=DAYS - 1)
    day = cast(func.timezone("Asia/Shanghai", ApplicationHistory.at), Date)
    # Each once, by a hash: count(distinct) would sort them all.
    steps = (
        select(day.label("day"), ApplicationHistory.state, ApplicationHistory.application_id)
        .where(
            ApplicationHistory.union_id.in_(select(Union.union_id).where(counted)),
            ApplicationHistory.at >= start_of(first),
            ApplicationHistory.state.in_(_COUNTED),
        )
        .distinct()
        .subquery()
    )
    by_day = select(steps.c.day, steps.c.state, func.count()).group_by(steps.c.day, steps.c.state)
    counts: dict[tuple[date, str], int] = {(on, state): count for on, state, count in session.execute(by_day)}
    days = (first + timedelta(days=offset) for offset in range(DAYS))
    return [ApplicationsOfDay(day=on, **{state.value: counts.get((on, state), 0) for state in _COUNTED}) for on in days]
