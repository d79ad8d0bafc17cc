"""Asks the other services to copy or erase what they keep of a member."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.events.subjects import SUBJECT_REQUESTED, SubjectRequestedData
from services.kit.events.outbox import publish
from services.membership.models import Application, SubjectRequest


def publish_requested(session: Session, row: SubjectRequest, recipient: str | None = None) -> None:
    """Publishes the request, to all services that may keep something or to one that lacks it."""
    applications = select(Application.application_id).where(Application.member_id == row.member_id)
    data = SubjectRequestedData(
        request_id=row.request_id,
        kind=row.kind,
        member_id=row.member_id,
        application_ids=list(session.scalars(applications.order_by(Application.application_id))),
    )
    publish(session, SUBJECT_REQUESTED, data, recipient=recipient)
