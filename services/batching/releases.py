"""Releases 释放: applications that leave a batch since it was revoked, or since their member got a card otherwise."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from services.batching import bank_messages, pending
from services.batching.application_states import State, Step, allowing
from services.batching.models import Application, Batch
from services.batching.telling import steps, tell_pending_changed
from services.contracts.events.batching import BATCH_RELEASED
from services.kit.events.contract import in_messages
from services.kit.events.outbox import tell
from services.kit.events.subscribe import Reject, Retry


def note_revocation(session: Session, batch_no: str, state: str, at: datetime) -> None:
    """Keeps how far a batch's revocation is; of events in any order the latest counts. Raises Reject."""
    _note(_lock(session, batch_no), state, at)


def revoke(session: Session, told: dict[str, Any]) -> None:
    """Takes `revocation_approved`: releases all that the bank has not decided.

    Where that is nobody the batch was not revoked, whatever the superior union agreed to: it shows as closed.
    """
    batch = _lock(session, told["batch_no"])
    released = _release(session, batch, "revoked", told["revocation_id"])
    was_approved = batch.revocation_state == "approved"
    _note(batch, "approved" if released or was_approved else "closed", told["decided_at"])


def cancel(session: Session, told: dict[str, Any]) -> None:
    """Takes `application_cancelled`: the member got the card of another application."""
    _end(session, told, None)


def refuse_correction(session: Session, told: dict[str, Any]) -> None:
    """Takes `correction_refused`: the corrected document is another member's."""
    _end(session, told, "更正后的证件号码已登记过会员，申请取消")


def _end(session: Session, told: dict[str, Any], detail: str | None) -> None:
    """The application leaves the pending list or its batch; once decided it stays.

    What ends it can overtake `members_queued`: it is tried again until the application is there.
    """
    union_id, application_id = told["union_id"], told["application_id"]
    this = Application.application_id == application_id
    if session.scalar(select(Application.application_id).where(this)) is None:
        raise Retry("The application is not listed yet.")
    pending.lock_pending(session, union_id)
    if pending.remove(session, union_id, "cancelled", this, detail=detail):
        tell_pending_changed(session, union_id, "cancelled", 1)
        return
    batch = session.scalar(
        select(Batch).join(Application, Application.batch_no == Batch.batch_no).where(this).with_for_update(of=Batch)
    )
    if batch is not None:
        _release(session, batch, "cancelled", None, this)


def _lock(session: Session, batch_no: str) -> Batch:
    batch = session.scalar(select(Batch).where(Batch.batch_no == batch_no).with_for_update(key_share=True))
    if batch is None:
        raise Reject(f"There is no batch {batch_no}.")
    return batch


def _note(batch: Batch, state: str, at: datetime) -> None:
    if batch.revocation_at is None or batch.revocation_at < at:
        batch.revocation_state, batch.revocation_at = state, at


def _release(
    session: Session, batch: Batch, reason: str, revocation_id: UUID | None, *chosen: ColumnElement[bool]
) -> int:
    """Releases the undecided applications of a locked batch, and recalls them from the bank; answers how many."""
    released = session.execute(
        update(Application)
        .where(Application.batch_no == batch.batch_no, Application.state.in_(allowing(Step.RELEASE)), *chosen)
        .values(state=State.RELEASED, version=Application.version + 1)
        .returning(Application.application_id, Application.member_id, Application.member_no, Application.version)
        .execution_options(synchronize_session=False)
    ).all()
    batch.released += len(released)
    for part in in_messages(released):
        tell(
            session,
            BATCH_RELEASED,
            {
                "batch_no": batch.batch_no,
                "union_id": batch.union_id,
                "revocation_id": revocation_id,
                "reason": reason,
                "applications": steps(part),
            },
        )
    bank_messages.send_recalled(session, batch.batch_no, released)
    return len(released)
