"""Publishes applications as they are now, for the reports: when they come in, are corrected, and for a rebuild."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, true
from sqlalchemy.orm import Session

from services.batching.models import Application, Batch, Branch
from services.batching.pending.application_states import State
from services.contracts.events.batching import APPLICATIONS_COUNTED, ApplicationsCountedData, CountedApplication
from services.contracts.shared import CodedName
from services.kit.data.bulk import is_any_of
from services.kit.data.facts import Page
from services.kit.events.contract import MESSAGE_SIZE, in_chunks
from services.kit.events.outbox import publish

_RELEASED_AT = func.coalesce(Application.released_at, Batch.revocation_at, Batch.submitted_at)
_RELEASED_BECAUSE = func.coalesce(
    Application.released_because, case((Batch.revocation_state == "approved", "revoked"), else_="cancelled")
)
"""An earlier release did not store when and why an application was released."""
_COUNTED = (
    select(
        Application.application_id,
        Application.union_id,
        Application.listed_at.label("queued_at"),
        Application.version,
        Application.state,
        case(
            (Application.state.in_((State.ISSUED, State.REFUSED)), Application.decided_at),
            (Application.state == State.RELEASED, _RELEASED_AT),
        ).label("state_at"),
        case(
            (Application.state == State.REFUSED, Application.reason_code),
            (Application.state == State.RELEASED, _RELEASED_BECAUSE),
        ).label("reason_code"),
        Application.channel,
        Batch.branch_code,
        Batch.submitted_at,
        Branch.name.label("branch_name"),
        Application.reason,
    )
    .outerjoin(Batch, Batch.batch_no == Application.batch_no)
    .outerjoin(Branch, Branch.code == Batch.branch_code)
    .order_by(Application.application_id)
)
_FIELDS = (
    *("application_id", "union_id", "queued_at", "version", "state", "state_at", "reason_code", "channel"),
    *("branch_code", "submitted_at"),
)


def publish_counted(session: Session, application_ids: Iterable[UUID]) -> None:
    """Publishes these applications as they are now."""
    for part in in_chunks(list(application_ids)):
        _publish_page(session, None, is_any_of(Application.application_id, part))


def publish_page(session: Session, after: str | None, rebuild_id: UUID) -> Page:
    """Publishes the next applications by id, for a rebuild of the reports.

    Their rows are locked: a change that is not in the event is published later than the event.
    """
    return _publish_page(session, rebuild_id, Application.application_id > UUID(after) if after else true())


def _publish_page(session: Session, rebuild_id: UUID | None, chosen: ColumnElement[bool]) -> Page:
    next_ones = _COUNTED.where(chosen).limit(MESSAGE_SIZE).with_for_update(read=True, of=Application)
    rows = session.execute(next_ones).mappings().all()
    if not rows:
        return Page(None, 0)
    applications = [CountedApplication(**{name: row[name] for name in _FIELDS}) for row in rows]
    data = ApplicationsCountedData(applications=applications, names=_names(rows), rebuild_id=rebuild_id)
    publish(session, APPLICATIONS_COUNTED, data)
    return Page(str(rows[-1]["application_id"]), 1)


def _names(rows: Any) -> list[CodedName]:
    branches = {row["branch_code"]: row["branch_name"] for row in rows if row["branch_code"]}
    reasons = {
        row["reason_code"]: row["reason"] or row["reason_code"]
        for row in rows
        if row["state"] == State.REFUSED and row["reason_code"]
    }
    return [
        *(CodedName(kind="branch", code=code, name=name) for code, name in branches.items()),
        *(CodedName(kind="refusal", code=code, name=name) for code, name in reasons.items()),
    ]


FACTS = (publish_page,)
"""What the service publishes for a rebuild of the reports."""
