"""What the events of batching share: an application's step, a changed pending list."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.common.contracts.batching import PENDING_CHANGED
from services.common.messaging.outbox import tell


def steps(applications: Iterable[Any]) -> list[dict[str, Any]]:
    """ApplicationStep of each application; the version must be counted up before."""
    return [
        {"application_id": one.application_id, "member_id": one.member_id, "version": one.version}
        for one in applications
    ]


def tell_pending_changed(session: Session, union_id: UUID, reason: str, count: int) -> None:
    """Lets pages that show the union's pending list refresh; nothing is told where nothing changed."""
    if count:
        tell(session, PENDING_CHANGED, {"union_id": union_id, "reason": reason, "count": count})
