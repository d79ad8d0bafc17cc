"""Queueing for a card: chosen members get an application each and go to the pending list (添加至待办)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Uuid, func, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import MEMBERS_QUEUED
from services.contracts.operations.membership.members import LARGEST_QUEUEING
from services.kit.data.bulk import Types, as_table, insert_rows, is_among
from services.kit.events.contract import in_messages
from services.kit.events.outbox import tell
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound
from services.kit.rpc.methods import Caller
from services.membership.applications.application_states import CardState, State
from services.membership.members.member_search import REASONS, filters, why_not_selectable
from services.membership.models import EMPLOYED, Application, ApplicationHistory, Member, Union
from services.membership.telling import person_facts, union_facts

_REASONS = REASONS | {"not_found": "未找到该会员，或会员不在本工会的列表中"}
_NAMED_SKIPPED = 100


@dataclass(frozen=True)
class PersonalChoice:
    """What a member who applies on the phone chose and consented to, and from where."""

    outlet_code: str
    consent_version: str
    origin: str | None = None


def queue_members(session: Session, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """Queues the named members, or all of a filter that have no card: at most LARGEST_QUEUEING.

    Who cannot be queued is skipped with the reason; raises Conflict `none_selectable` where that is everyone, and
    NotFound for another union than the caller's: who may look into it still works for the own union only.
    """
    union = session.get_one(Union, UUID(caller.union_id))
    if asked.get("filter", {}).get("union_id", union.union_id) != union.union_id:
        raise NotFound(title="未找到该工会")
    if "member_ids" in asked:
        members, skipped = _lock_named(session, union.union_id, asked["member_ids"])
        counts, more = Counter(skipped.values()), False
    else:
        members, more = _lock_matching(session, union.union_id, asked["filter"])
        counts, skipped = _count_without_number(session, union.union_id, asked["filter"]), {}
    if not members:
        raise _none_selectable(counts)
    queue(session, union, members, UUID(caller.account_id))
    return {
        "queued": len(members),
        "skipped": counts.total(),
        "skipped_by_reason": [_reason(code, count=count) for code, count in counts.most_common()],
        "skipped_members": [
            _reason(code, member_id=member_id) for member_id, code in list(skipped.items())[:_NAMED_SKIPPED]
        ],
        "more": more,
    }


def queue(
    session: Session, union: Union, members: Sequence[Member], queued_by: UUID, choice: PersonalChoice | None = None
) -> list[UUID]:
    """Gives each member an application and tells it; answers their ids in order.

    The members are locked, of this union, selectable, and not more than can be queued at once.
    """
    queued_at = datetime.now(UTC)
    applications: list[dict[str, Any]] = [
        {
            "application_id": uuid7(),
            "member_id": member.member_id,
            "union_id": union.union_id,
            "queued_by": queued_by,
            "queued_at": queued_at,
            "outlet_code": choice and choice.outlet_code,
            "consent_version": choice and choice.consent_version,
            "consented_at": queued_at if choice else None,
        }
        for member in members
    ]
    session.execute(insert_rows(Application, applications))
    session.execute(insert_rows(ApplicationHistory, [_first_step(application) for application in applications]))
    _mark_pending(session, applications)
    given = [(Application(**application), member) for application, member in zip(applications, members, strict=True)]
    tell_queued(session, union, given, origin=choice.origin if choice else None)
    queued_members = audit.references("member", (member.member_id for member in members))
    audit.note(session, *queued_members, new={"queued": len(members)})
    return [application["application_id"] for application in applications]


def tell_queued(
    session: Session,
    union: Union,
    queued: Sequence[tuple[Application, Member]],
    *,
    origin: str | None = None,
    audience: str | None = None,
) -> None:
    """Tells that members were queued: one union's, by one account or member, at one time, to the same outlet."""
    first = queued[0][0]
    consent = {"version": first.consent_version, "given_at": first.consented_at, "origin": origin}
    told = {
        "union": union_facts(union),
        "queued_by": first.queued_by,
        "queued_at": first.queued_at,
        "personal_application": first.outlet_code and {"outlet_code": first.outlet_code},
        "consent": consent if first.outlet_code else None,
    }
    for chunk in in_messages(queued):
        applications = [
            {"application_id": one.application_id, "member_id": member.member_id, "member_no": member.member_no}
            for one, member in chunk
        ]
        persons = [person_facts(one.application_id, member) for one, member in chunk]
        tell(session, MEMBERS_QUEUED, {**told, "applications": applications, "persons": persons}, audience=audience)


def _lock_named(session: Session, union_id: UUID, member_ids: Sequence[UUID]) -> tuple[list[Member], dict[UUID, str]]:
    """Those of the named that can be queued, and for each of the others the code of the reason."""
    found = session.scalars(
        select(Member)
        .where(is_among(Member.member_id, member_ids), Member.union_id == union_id, EMPLOYED)
        .order_by(Member.member_id)
        .with_for_update()
    ).all()
    codes = {member.member_id: why_not_selectable(member) for member in found}
    skipped = {member_id: codes.get(member_id, "not_found") for member_id in member_ids}
    return (
        [member for member in found if codes[member.member_id] is None],
        {member_id: code for member_id, code in skipped.items() if code is not None},
    )


def _lock_matching(session: Session, union_id: UUID, asked: dict[str, Any]) -> tuple[list[Member], bool]:
    """Those of the filter that can be queued, and whether there are more than can be at once."""
    selectable = (
        select(Member)
        .where(*filters(union_id, asked), Member.card_state == CardState.NONE, Member.member_no.is_not(None))
        .order_by(Member.member_id)
        .limit(LARGEST_QUEUEING + 1)
        .with_for_update()
    )
    members = session.scalars(selectable).all()
    return list(members[:LARGEST_QUEUEING]), len(members) > LARGEST_QUEUEING


def _count_without_number(session: Session, union_id: UUID, asked: dict[str, Any]) -> Counter[str]:
    without_number = (
        select(1)
        .select_from(Member)
        .where(*filters(union_id, asked), Member.card_state == CardState.NONE, Member.member_no.is_(None))
        .limit(LARGEST_QUEUEING)
    )
    count = session.scalar(select(func.count()).select_from(without_number.subquery())) or 0
    return Counter({"number_missing": count} if count else {})


def _first_step(application: dict[str, Any]) -> dict[str, Any]:
    return {
        "application_id": application["application_id"],
        "version": 0,
        "union_id": application["union_id"],
        "state": State.QUEUED,
        "at": application["queued_at"],
    }


def _mark_pending(session: Session, applications: Sequence[dict[str, Any]]) -> None:
    columns: Types = {"application_id": Uuid(), "member_id": Uuid(), "queued_at": DateTime(timezone=True)}
    queued = as_table("queued", columns, [[application[name] for name in columns] for application in applications])
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


def _reason(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "reason": _REASONS[code], **more}


def _none_selectable(counts: Counter[str]) -> Conflict:
    why = "；".join(f"{_REASONS[code]}（{count} 人）" for code, count in counts.most_common())
    return Conflict("none_selectable", "没有可以添加至待办的会员", why or "符合条件的会员都已在办理或已办卡。")
