"""Feeds the reports from events: each handler turns an event into facts."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts.events.batching import (
    ApplicationsCountedData,
    BatchReleasedData,
    BatchSubmittedData,
    CardsIssuedData,
    CardsRefusedData,
    ChannelAssignedData,
    CountedApplication,
    MembersRemovedData,
)
from services.contracts.events.membership import MembersCountedData, UnionsChangedData
from services.contracts.events.validation import ChecksCountedData
from services.contracts.shared import ApplicationStep, CodedName
from services.kit.events.envelope import Event
from services.notification import message_inbox
from services.notification.reports import counting
from services.notification.reports.facts import ApplicationFacts, MemberFacts


def unions_changed(session: Session, event: Event[UnionsChangedData]) -> None:
    """Stores names and places of unions; all of merged ones is their successors' from then on."""
    if any(one.successor_union_id for one in event.data.unions):
        message_inbox.merge_alone(session)
    counting.change_unions(session, event.data.unions, event.time)
    counting.note_rebuild_event(session, event.data.rebuild_id, event.id)


def members_counted(session: Session, event: Event[MembersCountedData]) -> None:
    """Counts members."""
    members = [MemberFacts(**vars(one)) for one in event.data.members]
    counting.count_members(session, members)
    counting.note_rebuild_event(session, event.data.rebuild_id, event.id)


def applications_counted(session: Session, event: Event[ApplicationsCountedData]) -> None:
    """Counts applications as they are now."""
    counting.store_names(session, event.data.names)
    counting.count_applications(session, [_as_it_is(one, event.time) for one in event.data.applications])
    counting.note_rebuild_event(session, event.data.rebuild_id, event.id)


def checks_counted(session: Session, event: Event[ChecksCountedData]) -> None:
    """Counts checks that ended."""
    facts = [
        ApplicationFacts(
            one.application_id,
            one.union_id,
            check_no=one.check_no,
            check_result=one.result,
            checked_at=one.checked_at,
            rules=tuple(sorted(one.rules)),
        )
        for one in event.data.checks
    ]
    counting.store_names(session, event.data.names)
    counting.count_applications(session, facts)
    counting.note_rebuild_event(session, event.data.rebuild_id, event.id)


def channel_assigned(session: Session, event: Event[ChannelAssignedData]) -> None:
    """Counts applications by their new channel."""
    data = event.data
    facts = [
        ApplicationFacts(one.application_id, data.union_id, channel=data.channel, channel_version=one.version)
        for one in data.applications
    ]
    counting.count_applications(session, facts)


def members_removed(session: Session, event: Event[MembersRemovedData]) -> None:
    """Removed applications wait no more."""
    data = event.data
    counting.count_applications(session, _steps(data.applications, data.union_id, "removed", None))


def batch_submitted(session: Session, event: Event[BatchSubmittedData]) -> None:
    """Counts submitted applications, and from then on by the bank."""
    data = event.data
    facts = [
        replace(
            one,
            channel=data.channel,
            channel_version=one.version,
            branch_code=data.branch_code,
            submitted_at=data.submitted_at,
        )
        for one in _steps(data.applications, data.union.union_id, "submitted", None)
    ]
    if data.branch_code and data.branch_name:
        counting.store_names(session, [CodedName(kind="branch", code=data.branch_code, name=data.branch_name)])
    counting.count_applications(session, facts)


def batch_released(session: Session, event: Event[BatchReleasedData]) -> None:
    """Counts revoked applications."""
    data = event.data
    released = _steps(data.applications, data.union_id, "released", data.released_at or event.time)
    counting.count_applications(session, [replace(one, reason_code=data.reason) for one in released])


def cards_issued(session: Session, event: Event[CardsIssuedData]) -> None:
    """Counts issued cards."""
    data = event.data
    facts = [
        replace(one, state_at=issued.issued_at)
        for one, issued in zip(_steps(data.applications, data.union_id, "issued", None), data.applications, strict=True)
    ]
    counting.count_applications(session, facts)


def cards_refused(session: Session, event: Event[CardsRefusedData]) -> None:
    """Counts applications that the bank refused, by reason."""
    data = event.data
    refused = _steps(data.applications, data.union_id, "refused", event.time)
    facts = [
        replace(one, state_at=given.refused_at or event.time, reason_code=given.reason_code)
        for one, given in zip(refused, data.applications, strict=True)
    ]
    reasons = {one.reason_code: one.reason for one in data.applications}
    counting.store_names(
        session, [CodedName(kind="refusal", code=code, name=reason) for code, reason in reasons.items()]
    )
    counting.count_applications(session, facts)


def _steps(
    applications: Iterable[ApplicationStep], union_id: UUID, state: str, at: datetime | None
) -> list[ApplicationFacts]:
    return [
        ApplicationFacts(one.application_id, union_id, state=state, version=one.version, state_at=at)
        for one in applications
    ]


def _as_it_is(counted: CountedApplication, known_at: datetime) -> ApplicationFacts:
    return ApplicationFacts(
        counted.application_id,
        counted.union_id,
        queued_at=counted.queued_at,
        channel=counted.channel,
        channel_version=counted.version,
        state=counted.state,
        version=counted.version,
        state_at=counted.state_at,
        known_at=known_at,
        reason_code=counted.reason_code,
        branch_code=counted.branch_code,
        submitted_at=counted.submitted_at,
    )
