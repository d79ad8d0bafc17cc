"""Revocation's copy of batches, from batching's events, which come in any order and more than once."""

from collections.abc import Sequence
from operator import attrgetter

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.events.batching import BatchReleasedData, BatchSubmittedData, CardsIssuedData, CardsRefusedData
from services.contracts.shared import ApplicationStep
from services.kit.events.envelope import Event
from services.revocation.closing import close_if_decided
from services.revocation.models import Application, Batch
from services.revocation.places import current


def batch_submitted(session: Session, event: Event[BatchSubmittedData]) -> None:
    """Stores one part of a submitted batch."""
    submitted = event.data
    union = current(session, submitted.union)
    row = {
        "batch_no": submitted.batch_no,
        "union_id": union.union_id,
        "union_code": submitted.union.code,
        "union_name": submitted.union.name,
        "superior_union_id": union.superior_union_id,
        "superior_ids": union.superior_ids,
        "channel": submitted.channel,
        "outlet_name": submitted.outlet_name,
        "total": submitted.total,
        "submitted_at": submitted.submitted_at,
        "personal": submitted.personal,
        "outlet_code": submitted.outlet_code,
        "submitted_by": submitted.submitted_by,
        "contact_name": submitted.contact.name,
        "contact_phone": submitted.contact.phone,
    }
    session.execute(insert(Batch).values(row).on_conflict_do_nothing())
    _apply(session, submitted.batch_no, submitted.applications, "submitted")


def cards_issued(session: Session, event: Event[CardsIssuedData]) -> None:
    """Stores which applications the bank issued cards for."""
    _apply(session, event.data.batch_no, event.data.applications, "issued")


def cards_refused(session: Session, event: Event[CardsRefusedData]) -> None:
    """Stores which applications the bank refused."""
    _apply(session, event.data.batch_no, event.data.applications, "refused")


def batch_released(session: Session, event: Event[BatchReleasedData]) -> None:
    """Stores which applications were released."""
    _apply(session, event.data.batch_no, event.data.applications, "released")


def store_states(session: Session, batch_no: str, steps: Sequence[ApplicationStep], state: str) -> None:
    """Sets the state of applications, except those with a newer known version."""
    rows = [
        {"application_id": step.application_id, "batch_no": batch_no, "version": step.version, "state": state}
        # Ordered, so that two events about the same applications cannot deadlock.
        for step in sorted(steps, key=attrgetter("application_id"))
    ]
    statement = insert(Application).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Application.application_id],
            set_={"version": statement.excluded.version, "state": statement.excluded.state},
            where=Application.version < statement.excluded.version,
        )
    )


def _apply(session: Session, batch_no: str, steps: Sequence[ApplicationStep], state: str) -> None:
    store_states(session, batch_no, steps, state)
    close_if_decided(session, batch_no)
