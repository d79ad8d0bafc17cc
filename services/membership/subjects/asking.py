"""Asks the other services to copy or erase what they keep of a member."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.events.subjects import SUBJECT_REQUESTED, SubjectRequestedData
from services.kit.events.outbox import publish
from services.membership.models import Application, SubjectRequest


def publish_requested(session: Session, row: SubjectRequest) -> None:
    """Publishes the request; a service that has answered it before answers again."""
    applications = select(Application.application_id).where(Application.member_id == row.member_id)
    data = SubjectRequestedData(
        request_id=row.request_id,
        kind=row.kind,
        member_id=row.member_id,
        application_ids=list(session.scalars(applications.order_by(Application.application_id))),
    )
    publish(session, SUBJECT_REQUESTED, data)
