"""Releases 释放: applications leave a batch because it was revoked, or because their member got another card."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from services.batching.bank.handing_over import recall
from services.batching.event_builders import publish_pending_changed, steps
from services.batching.models import Application, Batch
from services.batching.pending import pending
from services.batching.pending.application_states import State, Step, states_allowing
from services.batching.places import let_nobody_move
from services.contracts.events.batching import BATCH_RELEASED, BatchReleasedData
from services.contracts.events.membership import ApplicationCancelledData, CorrectionRefusedData
from services.contracts.events.revocation import (
    RevocationApprovedData,
    RevocationClosedData,
    RevocationRejectedData,
    RevocationRequestedData,
)
from services.kit.events.contract import in_chunks
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.kit.events.subscribe import Reject, Retry


def revocation_requested(session: Session, event: Event[RevocationRequestedData]) -> None:
    """Shows the request on the batch; the event with the latest time counts, in any order. Raises Reject."""
    _note(_lock(session, event.data.batch_no), "requested", event.data.requested_at)


def revocation_rejected(session: Session, event: Event[RevocationRejectedData]) -> None:
    """Shows the rejection on the batch. Raises Reject."""
    _note(_lock(session, event.data.batch_no), "rejected", event.data.decided_at)


def revocation_closed(session: Session, event: Event[RevocationClosedData]) -> None:
    """Shows on the batch that no decision is needed. Raises Reject."""
    _note(_lock(session, event.data.batch_no), "closed", event.data.closed_at)


def revocation_approved(session: Session, event: Event[RevocationApprovedData]) -> None:
    """Releases all applications that the bank has not decided.

    If there are none, nothing was revoked despite the approval, and the batch shows the request as closed.
    """
    batch = _lock(session, event.data.batch_no)
    released = _release(session, batch, "revoked", event.data.revocation_id, event.data.decided_at)
    was_approved = batch.revocation_state == "approved"
    _note(batch, "approved" if released or was_approved else "closed", event.data.decided_at)


def application_cancelled(session: Session, event: Event[ApplicationCancelledData]) -> None:
    """Ends an application whose member got the card of another application."""
    _end(session, event.data.application_id, None)


def correction_refused(session: Session, event: Event[CorrectionRefusedData]) -> None:
    """Ends an application whose corrected document is another member's."""
    _end(session, event.data.application_id, "更正后的证件号码已登记过会员，申请取消")


def _end(session: Session, application_id: UUID, detail: str | None) -> None:
    """Removes the application from the pending list or releases it from its batch, unless it is decided.

    The event can overtake `members_queued`: it is retried until the application exists.
    """
    this = Application.application_id == application_id
    let_nobody_move(session)
    union_id = session.scalar(select(Application.union_id).where(this))
    if union_id is None:
        raise Retry("The application is not listed yet.")
    pending.lock_pending(session, union_id)
    if pending.remove(session, union_id, "cancelled", this, detail=detail):
        publish_pending_changed(session, union_id, "cancelled", 1)
        return
    batch = session.scalar(
        select(Batch).join(Application, Application.batch_no == Batch.batch_no).where(this).with_for_update(of=Batch)
    )
    if batch is not None:
        _release(session, batch, "cancelled", None, datetime.now(UTC), this)


def _lock(session: Session, batch_no: str) -> Batch:
    let_nobody_move(session)
    batch = session.scalar(select(Batch).where(Batch.batch_no == batch_no).with_for_update(key_share=True))
    if batch is None:
        raise Reject(f"There is no batch {batch_no}.")
    return batch


def _note(batch: Batch, state: str, at: datetime) -> None:
    if batch.revocation_at is None or batch.revocation_at < at:
        batch.revocation_state, batch.revocation_at = state, at


def _release(
    session: Session, batch: Batch, reason: str, revocation_id: UUID | None, at: datetime, *chosen: ColumnElement[bool]
) -> int:
    """Releases the undecided applications of a locked batch, and recalls them from the bank; returns how many."""
    released = session.execute(
        update(Application)
        .where(Application.batch_no == batch.batch_no, Application.state.in_(states_allowing(Step.RELEASE)), *chosen)
        .values(state=State.RELEASED, version=Application.version + 1, released_at=at, released_because=reason)
        .returning(Application.application_id, Application.member_id, Application.member_no, Application.version)
        .execution_options(synchronize_session=False)
    ).all()
    batch.released += len(released)
    for part in in_chunks(released):
        publish(
            session,
            BATCH_RELEASED,
            BatchReleasedData(
                batch_no=batch.batch_no,
                union_id=batch.union_id,
                revocation_id=revocation_id,
                reason=reason,
                released_at=at,
                applications=steps(part),
            ),
        )
    recall(session, batch, released)
    return len(released)
