"""Closing 无需审核: a request ends automatically when the bank decides on all of its batch before a reviewer does."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.contracts.events.revocation import REVOCATION_CLOSED, Applicant, RevocationClosedData
from services.kit.events.outbox import publish
from services.revocation.models import Application, Batch, Revocation
from services.revocation.progress import OVER, progress_of
from services.revocation.request_states import RequestState, close

_IS_OPEN = Revocation.state == RequestState.REQUESTED


def close_if_decided(session: Session, batch_no: str) -> None:
    """Closes the batch's open request, and publishes it, once an approval could release nothing any more.

    Locks serialize this transaction with others on the same batch: with a new request (by the batch) and with other
    events and the reviewer (by the request). The last one to commit sees the data of all.
    """
    batch = session.scalar(select(Batch).where(Batch.batch_no == batch_no).with_for_update(read=True))
    revocation = session.scalar(select(Revocation).where(Revocation.batch_no == batch_no, _IS_OPEN).with_for_update())
    if batch is None or revocation is None or not progress_of(session, {batch_no: batch.total})[batch_no].is_decided:
        return
    revocation.state = close(RequestState(revocation.state))
    revocation.decided_at = datetime.now(UTC)
    publish_closed(session, revocation)


def publish_closed(session: Session, revocation: Revocation, recipient: str | None = None) -> None:
    """Publishes that a request is closed, to all consumers or to one that lacks it; raises ValueError for another."""
    if (closed_at := revocation.decided_at) is None:
        raise ValueError("the request is not closed")
    publish(
        session,
        REVOCATION_CLOSED,
        RevocationClosedData(
            revocation_id=revocation.revocation_id,
            batch_no=revocation.batch_no,
            union_id=revocation.union_id,
            reviewer_union_id=revocation.reviewer_union_id,
            closed_at=closed_at,
            applicant=Applicant(name=revocation.applicant_name, phone=revocation.applicant_phone),
        ),
        subject=revocation.batch_no,
        recipient=recipient,
    )


def close_all_decided(session: Session) -> None:
    """Closes requests that the previous release left open, or leaves open while both releases run."""
    over = select(func.count()).where(Application.batch_no == Batch.batch_no, Application.state.in_(OVER))
    decided = (
        select(Batch.batch_no)
        .join(Revocation, Revocation.batch_no == Batch.batch_no)
        .where(_IS_OPEN, over.scalar_subquery() >= Batch.total)
        .order_by(Batch.batch_no)
    )
    for batch_no in session.scalars(decided).all():
        close_if_decided(session, batch_no)
