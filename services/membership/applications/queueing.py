"""Queueing for a card: each chosen member gets an application, which goes to the pending list (添加至待办)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Uuid, func, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import (
    MEMBERS_QUEUED,
    GivenConsent,
    MembersQueuedData,
    PersonalApplication,
    QueuedApplication,
)
from services.contracts.operations.membership.members import (
    LARGEST_QUEUEING,
    QUEUE_MEMBERS,
    MemberFilter,
    QueueMembersAnswer,
    QueueMembersRequest,
    SkippedMember,
    SkippedReason,
)
from services.kit.data.bulk import Types, insert_rows, is_any_of, values_table
from services.kit.events.contract import in_chunks
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound
from services.kit.rpc.work import Work
from services.kit.schemas import UNSET, required
from services.membership.applications.application_states import CardState, State
from services.membership.event_builders import person_facts, union_facts
from services.membership.members.member_search import REASONS, filters, why_not_selectable
from services.membership.members.number_searches import count, numbers_in
from services.membership.models import EMPLOYED, Application, ApplicationHistory, Member, Union

_REASONS = REASONS | {"not_found": "未找到该会员，或会员不在本工会的列表中"}
_NAMED_SKIPPED = 100
_INSERTED = (
    *("application_id", "member_id", "union_id", "queued_by", "queued_at"),
    *("outlet_code", "consent_version", "consented_at"),
)


@dataclass(frozen=True)
class PersonalChoice:
    """The choice and consent of a member who applies on the phone, and the request's address."""

    outlet_code: str
    consent_version: str
    origin: str | None = None


def queue_members(work: Work, request: QueueMembersRequest) -> QueueMembersAnswer:
    """Queues the named members, or all of a filter that have no card: at most LARGEST_QUEUEING.

    Members who cannot be queued are skipped with the reason. Raises Conflict `none_selectable` where that is everyone,
    and NotFound for another union than the caller's: the scope allows seeing its members, but not queueing them.
    """
    session, chosen = work.session, request.filter or MemberFilter()
    count(work.database, work.caller, numbers_in(chosen), QUEUE_MEMBERS.name)
    union = session.get_one(Union, UUID(work.caller.union_id))
    if (chosen.union_id or union.union_id) != union.union_id or chosen.with_subordinates:
        raise NotFound(title="未找到该工会", detail="只能将本工会的会员添加至待办。")
    if request.member_ids is not UNSET:
        members, skipped = _lock_named(session, union.union_id, request.member_ids)
        counts, more = Counter(skipped.values()), False
    else:
        members, more = _lock_matching(session, union.union_id, chosen)
        counts, skipped = _count_without_number(session, union.union_id, chosen), {}
    if not members:
        raise _none_selectable(counts)
    queue(session, union, members, UUID(work.caller.account_id))
    return QueueMembersAnswer(
        queued=len(members),
        skipped=counts.total(),
        skipped_by_reason=[
            SkippedReason(code=code, reason=_REASONS[code], count=number) for code, number in counts.most_common()
        ],
        skipped_members=[
            SkippedMember(member_id=member_id, code=code, reason=_REASONS[code])
            for member_id, code in islice(skipped.items(), _NAMED_SKIPPED)
        ],
        more=more,
    )


def queue(
    session: Session, union: Union, members: Sequence[Member], queued_by: UUID, choice: PersonalChoice | None = None
) -> None:
    """Creates an application for each member and publishes it.

    The members must be locked, of this union, selectable, and at most LARGEST_QUEUEING.
    """
    queued_at = datetime.now(UTC)
    applications = [
        Application(
            application_id=uuid7(),
            member_id=member.member_id,
            union_id=union.union_id,
            queued_by=queued_by,
            queued_at=queued_at,
            outlet_code=choice and choice.outlet_code,
            consent_version=choice and choice.consent_version,
            consented_at=queued_at if choice else None,
        )
        for member in members
    ]
    session.execute(insert_rows(Application, [_row(application) for application in applications]))
    session.execute(insert_rows(ApplicationHistory, [_first_step(application) for application in applications]))
    _mark_pending(session, applications)
    queued = list(zip(applications, members, strict=True))
    publish_queued(session, union, queued, origin=choice.origin if choice else None)
    queued_members = audit.references("member", (member.member_id for member in members))
    audit.record(session, *queued_members, new={"queued": len(members)})


def publish_queued(
    session: Session,
    union: Union,
    queued: Sequence[tuple[Application, Member]],
    *,
    origin: str | None = None,
    recipient: str | None = None,
) -> None:
    """Publishes queued members, all of one union, queued by one account or member, at one time, for one outlet."""
    first = queued[0][0]
    for chunk in in_chunks(queued):
        data = MembersQueuedData(
            union=union_facts(union),
            queued_by=first.queued_by,
            queued_at=first.queued_at,
            personal_application=PersonalApplication(outlet_code=first.outlet_code) if first.outlet_code else None,
            consent=_consent(first, origin) if first.outlet_code else None,
            applications=[_queued_application(application, member) for application, member in chunk],
            persons=[person_facts(application.application_id, member) for application, member in chunk],
        )
        publish(session, MEMBERS_QUEUED, data, recipient=recipient)


def _consent(application: Application, origin: str | None) -> GivenConsent | None:
    """None where the member applied by a release that asked for no consent."""
    if application.consent_version is None or application.consented_at is None:
        return None
    return GivenConsent(version=application.consent_version, given_at=application.consented_at, origin=origin)


def _queued_application(application: Application, member: Member) -> QueuedApplication:
    return QueuedApplication(
        application_id=application.application_id,
        member_id=member.member_id,
        member_no=required(member.member_no),
    )


def _lock_named(session: Session, union_id: UUID, member_ids: Sequence[UUID]) -> tuple[list[Member], dict[UUID, str]]:
    """The named members that can be queued, locked, and for each of the others the code of the reason."""
    found = session.scalars(
        select(Member)
        .where(is_any_of(Member.member_id, member_ids), Member.union_id == union_id, EMPLOYED)
        .order_by(Member.member_id)
        .with_for_update()
    ).all()
    codes = {member.member_id: why_not_selectable(member) for member in found}
    skipped = {member_id: codes.get(member_id, "not_found") for member_id in member_ids}
    return (
        [member for member in found if codes[member.member_id] is None],
        {member_id: code for member_id, code in skipped.items() if code is not None},
    )


def _lock_matching(session: Session, union_id: UUID, chosen: MemberFilter) -> tuple[list[Member], bool]:
    """The members of the filter that can be queued, locked, and whether there are more than one request can queue."""
    selectable = (
        select(Member)
        .where(*filters(union_id, chosen), Member.card_state == CardState.NONE)
        .where(Member.member_no.is_not(None), Member.left_at.is_(None))
        .order_by(Member.member_id)
        .limit(LARGEST_QUEUEING + 1)
        .with_for_update()
    )
    members = session.scalars(selectable).all()
    return list(members[:LARGEST_QUEUEING]), len(members) > LARGEST_QUEUEING


def _count_without_number(session: Session, union_id: UUID, chosen: MemberFilter) -> Counter[str]:
    without_number = (
        select(1)
        .select_from(Member)
        .where(*filters(union_id, chosen), Member.card_state == CardState.NONE, Member.member_no.is_(None))
        .limit(LARGEST_QUEUEING)
    )
    found = session.scalar(select(func.count()).select_from(without_number.subquery())) or 0
    return Counter({"number_missing": found} if found else {})


def _row(application: Application) -> dict[str, Any]:
    """An application as a row of a bulk insert."""
    return {name: getattr(application, name) for name in _INSERTED}


def _first_step(application: Application) -> dict[str, Any]:
    """The first row of an application's history: it was queued."""
    return {
        "application_id": application.application_id,
        "version": 0,
        "union_id": application.union_id,
        "state": State.QUEUED,
        "at": application.queued_at,
    }


def _mark_pending(session: Session, applications: Sequence[Application]) -> None:
    columns: Types = {"application_id": Uuid(), "member_id": Uuid(), "queued_at": DateTime(timezone=True)}
    queued = values_table("queued", columns, [[getattr(one, name) for name in columns] for one in applications])
    session.execute(
        update(Member)
        .where(Member.member_id == queued.c.member_id)
        .values(
            card_state=CardState.PENDING,
            application_id=queued.c.application_id,
            channel="ordinary",
            applied_at=queued.c.queued_at,
        )
        .execution_options(synchronize_session=False)
    )


def _none_selectable(counts: Counter[str]) -> Conflict:
    why = "；".join(f"{_REASONS[code]}（{number} 人）" for code, number in counts.most_common())
    return Conflict("none_selectable", "没有可以添加至待办的会员", why or "符合条件的会员都已在办理或已办卡。")
