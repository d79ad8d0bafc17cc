"""Repairs of membership's own data, and events that it publishes again: `python -m deploy.repair` calls them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from services.contracts.events.membership import MEMBER_TRANSFERRED, MEMBERS_QUEUED, UNIONS_CHANGED
from services.contracts.events.subjects import SUBJECT_REQUESTED
from services.kit.data.bulk import is_any_of
from services.kit.data.repair import Repair
from services.kit.events.contract import in_chunks
from services.kit.rpc.request import Caller
from services.membership.applications.application_states import LIVE, CardState, State
from services.membership.applications.queueing import publish_queued as publish_members
from services.membership.event_builders import publish_unions
from services.membership.imports.import_parts import end_import
from services.membership.imports.stalled_imports import STOPPED, are_unpublished
from services.membership.members.transfers import publish_transferred
from services.membership.models import Account, Application, ImportJob, Member, SubjectRequest, Transfer, Union
from services.membership.subjects.asking import publish_requested
from services.membership.union_changes.merging import publish_merged


def operator(session: Session, account_name: str) -> Caller:
    """An operator's account, as the caller on the command line. Raises LookupError for any other account."""
    account = session.scalar(select(Account).where(Account.account_name == account_name.strip().lower()))
    if account is None or account.disabled or "operator" not in account.roles:
        raise LookupError(f"{account_name} is no account with the role operator")
    union = session.get_one(Union, account.union_id)
    return Caller(
        account_id=str(account.account_id),
        account_name=account.account_name,
        display_name=account.display_name,
        roles=frozenset(account.roles),
        union_id=str(union.union_id),
        union_code=union.code,
        union_name=union.name,
    )


def publish_queued(session: Session, ids: Sequence[str], before: datetime) -> list[str]:
    """Publishes `members_queued` again for queued applications that batching lacks."""
    rows = session.execute(
        select(Application, Member)
        .join(Member, Member.member_id == Application.member_id)
        .where(
            is_any_of(Application.application_id, map(UUID, ids)),
            Application.state == State.QUEUED,
            Application.queued_at < before,
        )
        .order_by(Application.application_id)
    ).all()
    groups: defaultdict[tuple[Any, ...], list[tuple[Application, Member]]] = defaultdict(list)
    for application, member in rows:
        said_together = (application.union_id, application.queued_by, application.queued_at, application.outlet_code)
        groups[said_together].append((application, member))
    for (union_id, *_), group in groups.items():
        publish_members(session, session.get_one(Union, union_id), group, recipient="batching")
    return [str(application.application_id) for application, _ in rows]


def publish_transfers(session: Session, ids: Sequence[str], before: datetime) -> list[str]:
    """Publishes the newest move of members again, for batching lacks it."""
    newest = session.execute(
        select(Transfer, Member, Union)
        .join(Member, Member.member_id == Transfer.member_id)
        .join(Union, Union.union_id == Transfer.to_union_id)
        .where(
            is_any_of(Transfer.member_id, map(UUID, ids)), Transfer.state == "accepted", Transfer.decided_at < before
        )
        .order_by(Transfer.member_id, Transfer.decided_at.desc())
        .ext(distinct_on(Transfer.member_id))
    ).all()
    for transfer, member, union in newest:
        publish_transferred(session, transfer, member, union, recipient="batching")
    return [str(member.member_id) for _, member, _ in newest]


def publish_places(session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Publishes unions again, for another service has older places, or lacks a merger."""
    chosen = select(Union).where(is_any_of(Union.union_id, map(UUID, ids))).order_by(Union.union_id)
    unions = session.scalars(chosen.with_for_update(read=True)).all()
    merged = [union for union in unions if union.successor_union_id is not None]
    for part in in_chunks([union for union in unions if union.successor_union_id is None]):
        publish_unions(session, part)
    for union in merged:
        publish_merged(session, union, session.get_one(Union, union.successor_union_id))
    return [str(union.union_id) for union in unions]


def free_locked_members(session: Session, ids: Sequence[str], before: datetime) -> list[str]:
    """Corrects card states: frees members without a live application, and locks those who have one.

    An issued card is never changed.
    """
    broken = and_(
        Member.card_state.in_((CardState.NONE, CardState.PENDING, CardState.SUBMITTED)),
        Member.card_no.is_(None),
        or_(Member.applied_at.is_(None), Member.applied_at < before),
    )
    chosen = select(Member.member_id).where(is_any_of(Member.member_id, map(UUID, ids)), broken)
    locked = session.scalars(chosen.order_by(Member.member_id).with_for_update()).all()
    of_issued = select(Application.member_id).where(
        is_any_of(Application.member_id, locked), Application.state == State.ISSUED
    )
    member_ids = sorted(set(locked) - set(session.scalars(of_issued)))
    live = {
        application.member_id: application
        for application in session.scalars(
            select(Application).where(is_any_of(Application.member_id, member_ids), Application.state.in_(LIVE))
        )
    }
    for member_id in member_ids:
        session.execute(update(Member).where(Member.member_id == member_id).values(_card_columns(live.get(member_id))))
    return [str(member_id) for member_id in member_ids]


def end_imports(session: Session, ids: Sequence[str], before: datetime) -> list[str]:
    """Ends imports that no longer run as failed, and publishes that for those who started them.

    Imports that are locked by a running part, or have an event in the outbox, are skipped.
    """
    if are_unpublished(session):
        return []
    jobs = session.scalars(
        select(ImportJob)
        .where(is_any_of(ImportJob.import_id, map(UUID, ids)), ImportJob.state.in_(("reading", "running")))
        .where(ImportJob.progressed_at < before)
        .order_by(ImportJob.import_id)
        .with_for_update(skip_locked=True)
    ).all()
    for job in jobs:
        end_import(session, job, "failed", STOPPED)
    return [str(job.import_id) for job in jobs]


def _card_columns(live: Application | None) -> dict[Any, Any]:
    """The columns of a member for the live application, for an update statement."""
    if live is None:
        free = dict.fromkeys((Member.application_id, Member.channel, Member.applied_at))
        return {Member.card_state: CardState.NONE, **free}
    return {
        Member.card_state: CardState.PENDING if live.state == State.QUEUED else CardState.SUBMITTED,
        Member.application_id: live.application_id,
        Member.channel: live.channel,
        Member.applied_at: live.queued_at,
    }


def erase_again(session: Session, ids: Sequence[str], before: datetime) -> list[str]:
    """Publishes the erasure of these applications' members again, for a service lacks it; the others have no more."""
    rows = session.execute(
        select(Application.application_id, SubjectRequest)
        .join(SubjectRequest, SubjectRequest.member_id == Application.member_id)
        .where(
            is_any_of(Application.application_id, map(UUID, ids)),
            SubjectRequest.kind == "erasure",
            SubjectRequest.decided_at < before,
            SubjectRequest.state.in_(("working", "done")),
        )
        .order_by(Application.application_id)
    ).all()
    for request in {row.SubjectRequest.request_id: row.SubjectRequest for row in rows}.values():
        publish_requested(session, request)
    return [str(row.application_id) for row in rows]


REPAIRS = {
    "publish_queued": Repair(
        f"publish {MEMBERS_QUEUED.name} again, for batching never received the application",
        "application",
        publish_queued,
    ),
    "publish_transfers": Repair(
        f"publish {MEMBER_TRANSFERRED.name} again, for batching lacks the move", "member", publish_transfers
    ),
    "publish_places": Repair(
        f"publish {UNIONS_CHANGED.name} again, for another service has an older place", "union", publish_places
    ),
    "erase_again": Repair(
        f"publish {SUBJECT_REQUESTED.name} again, for a service has not erased the member", "application", erase_again
    ),
    "free_locked_members": Repair(
        "set the member's card state by the live application, free it where there is none",
        "member",
        free_locked_members,
    ),
    "end_imports": Repair("end the import as failed, and notify who started it", "import", end_imports),
}
