"""What revocation tells a restored service, and how it learns again what its own restored database has forgotten.

Batches and the states of their applications come by `make repair`; here are requests and decisions.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.restores import KnownBatch, KnownFacts, facts_from_json, facts_to_json
from services.contracts.shared import UnionFacts
from services.kit.data.bulk import is_any_of
from services.kit.data.once_a_day import remember_days
from services.kit.data.repair import Learned
from services.kit.rpc.request import Caller
from services.revocation.models import Batch, ReminderDay, Revocation
from services.revocation.places import current
from services.revocation.request_states import RequestState

_REMARK = "数据库恢复后补录，原审核意见不详"
_NOBODY_KNOWS = "不详"


def tell(session: Session, _audience: str, ids: Sequence[str], _since: datetime) -> dict[str, Any]:
    """The batches that batching forgot, as they were submitted, with the newest state of their revocation."""
    batches = session.scalars(select(Batch).where(is_any_of(Batch.batch_no, ids)).order_by(Batch.batch_no))
    return facts_to_json(KnownFacts(batches=[_known_batch(session, batch) for batch in batches]))


def learn(session: Session, document: dict[str, Any], _since: datetime, _operator: Caller | None) -> Learned:
    """Learns requests and decisions that batching knows, so that nobody decides a second time."""
    facts, learned = facts_from_json(document), Learned()
    ids = {
        one.batch_no: one.revocation_id
        for one in facts.revocations
        if session.get(Revocation, one.revocation_id) is None
    }
    for known in facts.batches:
        if known.revocation_state and known.revocation_at:
            _learn_revocation(session, known, known.revocation_at, ids.get(known.batch_no), learned)
    remember_days(session, ReminderDay, facts.reminded_days)
    return learned


def _known_batch(session: Session, batch: Batch) -> KnownBatch:
    newest = _newest(session, batch.batch_no)
    return KnownBatch(
        batch_no=batch.batch_no,
        union=UnionFacts(
            union_id=batch.union_id,
            code=batch.union_code,
            name=batch.union_name,
            superior_union_id=batch.superior_union_id,
            superior_ids=batch.superior_ids,
        ),
        personal=batch.personal,
        channel=batch.channel,
        outlet_code=batch.outlet_code,
        outlet_name=batch.outlet_name,
        submitted_by=batch.submitted_by,
        submitted_at=batch.submitted_at,
        total=batch.total,
        contact_name=batch.contact_name,
        contact_phone=batch.contact_phone,
        revocation_state=newest.state if newest else None,
        revocation_at=_at(newest) if newest else None,
    )


def _newest(session: Session, batch_no: str) -> Revocation | None:
    requests = select(Revocation).where(Revocation.batch_no == batch_no)
    return session.scalar(requests.order_by(Revocation.requested_at.desc()).limit(1))


def _at(revocation: Revocation) -> datetime:
    return revocation.decided_at or revocation.requested_at


def _learn_revocation(
    session: Session, known: KnownBatch, at: datetime, revocation_id: UUID | None, learned: Learned
) -> None:
    newest, state = _newest(session, known.batch_no), RequestState(known.revocation_state or "")
    if newest is not None and _at(newest) >= at:
        return
    is_decided = state is not RequestState.REQUESTED
    if newest is None or newest.state != RequestState.REQUESTED:
        newest = _request(known, current(session, known.union), at, revocation_id)
        session.add(newest)
        learned.left.append(f"revocation of batch {known.batch_no}: who requested it, and why, is not known")
    newest.state = state
    if is_decided:
        newest.decided_at, newest.remark = at, _REMARK
    session.flush()
    learned.done.append(f"revocation of batch {known.batch_no}: {state}")
    learned.records += [("revocation", newest.revocation_id), ("batch", known.batch_no)]


def _request(known: KnownBatch, union: UnionFacts, at: datetime, revocation_id: UUID | None) -> Revocation:
    """A request in the place of the forgotten one; the applicant is the contact of the batch."""
    return Revocation(
        revocation_id=revocation_id or uuid7(),
        batch_no=known.batch_no,
        union_id=union.union_id,
        reviewer_union_id=union.superior_union_id or union.union_id,
        applicant_name=known.contact_name or _NOBODY_KNOWS,
        applicant_phone=known.contact_phone or "",
        requested_by=known.submitted_by or UUID(int=0),
        requested_at=at,
    )
