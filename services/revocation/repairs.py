"""Repairs that publish events of revocation again for consumers that lack them; called by `python -m deploy.repair`."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from services.kit.data.bulk import is_any_of
from services.kit.data.repair import Repair
from services.revocation.models import Revocation
from services.revocation.requests import publish_again


def publish_newest_of_batches(session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Publishes the newest revocation of each batch again for batching."""
    newest = (
        select(Revocation)
        .where(is_any_of(Revocation.batch_no, ids))
        .order_by(Revocation.batch_no, Revocation.requested_at.desc())
        .ext(distinct_on(Revocation.batch_no))
    )
    found = session.scalars(newest).all()
    for revocation in found:
        publish_again(session, revocation, "batching")
    return [revocation.batch_no for revocation in found]


def publish_revocations(recipient: str, session: Session, ids: Sequence[str], _before: datetime) -> list[str]:
    """Publishes requests, or the decisions on them, again for a consumer."""
    chosen = select(Revocation).where(is_any_of(Revocation.revocation_id, map(UUID, ids)))
    found = session.scalars(chosen.order_by(Revocation.revocation_id)).all()
    for revocation in found:
        publish_again(session, revocation, recipient)
    return [str(revocation.revocation_id) for revocation in found]


REPAIRS = {
    "publish_newest_of_batches": Repair(
        "publish the batch's revocation again, for batching lacks it", "batch", publish_newest_of_batches
    ),
    "publish_revocations_to_notification": Repair(
        "publish the revocation again, for nobody was notified",
        "revocation",
        partial(publish_revocations, "notification"),
    ),
}
