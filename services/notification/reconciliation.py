"""What notification tells a restored service: accounts that changed, requests for revocation, days of reminders.

Of its own data it learns nothing: what was sent cannot be known from others, and what was not is sent by `make repair`.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.contracts.restores import KnownFacts, KnownRevocation, facts_to_json
from services.kit.data.repair import Learned
from services.kit.rpc.request import Caller
from services.notification.models import InboxMessage

_LINK = "/revocations?batch_no="
_OVERDUE = ":overdue:"
_DATE = len("2026-11-29")


def tell(session: Session, _audience: str, _ids: Sequence[str], since: datetime) -> dict[str, Any]:
    """Accounts whose holders were told of a change since the moment, days since then of whose overdue work people were
    told, and all requests that reviewers were told of.
    """
    changed = session.scalars(
        select(InboxMessage.account_id)
        .where(InboxMessage.account_id.is_not(None), InboxMessage.created_at >= since)
        .where(InboxMessage.topic.contains(":account_changed:"))
        .distinct()
    )
    reminders = InboxMessage.created_at >= since, InboxMessage.topic.contains(_OVERDUE)
    days = {
        topic.partition(_OVERDUE)[2][:_DATE] for topic in session.scalars(select(InboxMessage.topic).where(*reminders))
    }
    requests = session.execute(
        select(InboxMessage.topic, InboxMessage.link).where(InboxMessage.topic.contains(":revocation_requested:"))
    )
    return facts_to_json(
        KnownFacts(
            changed_accounts=[account_id for account_id in changed if account_id],
            reminded_days=sorted(map(date.fromisoformat, days)),
            revocations=[
                KnownRevocation(revocation_id=UUID(topic.rpartition(":")[2]), batch_no=(link or "").removeprefix(_LINK))
                for topic, link in requests
            ],
        )
    )


def learn(_session: Session, _document: dict[str, Any], since: datetime, _operator: Caller | None) -> Learned:
    """Names what a person has to look at."""
    moment = since.isoformat()
    return Learned(
        left=[
            f"announcements, guides and attachments are those of {moment}: publish again what was published since",
            f"SMS that were sent after {moment} are not known; they are not sent again",
        ]
    )
