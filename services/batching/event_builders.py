"""Event builders that several modules of batching share: steps, a submitted batch, a changed pending list."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.batching.models import Batch, Branch
from services.contracts.events.batching import PENDING_CHANGED, BatchSubmittedData, Contact, PendingChangedData
from services.contracts.shared import ApplicationStep, UnionFacts
from services.kit.events.outbox import publish


def steps(applications: Iterable[Any]) -> list[ApplicationStep]:
    """The ApplicationStep of each application; its version must be incremented before."""
    return [
        ApplicationStep(application_id=one.application_id, member_id=one.member_id, version=one.version)
        for one in applications
    ]


def submitted_batch(
    session: Session, batch: Batch, consent_version: str | None, consent_basis: str
) -> BatchSubmittedData:
    """The data of `batch_submitted` for a batch in one part, without its applications."""
    return BatchSubmittedData(
        batch_no=batch.batch_no,
        union=UnionFacts(
            union_id=batch.union_id,
            code=batch.union_code,
            name=batch.union_name,
            superior_union_id=batch.superior_union_id,
            superior_ids=batch.superior_ids,
        ),
        channel=batch.channel,
        branch_code=batch.branch_code,
        branch_name=session.get_one(Branch, batch.branch_code).name,
        outlet_code=batch.outlet_code,
        outlet_name=batch.outlet_name,
        submitted_by=batch.submitted_by,
        submitted_at=batch.submitted_at,
        total=batch.total,
        part=1,
        parts=1,
        personal=batch.personal,
        consent_version=consent_version,
        consent_basis=consent_basis,
        contact=Contact(name=batch.contact_name, phone=batch.contact_phone),
        applications=[],
    )


def publish_pending_changed(session: Session, union_id: UUID, reason: str, count: int) -> None:
    """Publishes that a union's pending list changed, so that pages refresh; nothing where `count` is 0."""
    if count:
        publish(session, PENDING_CHANGED, PendingChangedData(union_id=union_id, reason=reason, count=count))
