"""Puts queued members on the pending list, each on the channel that the document and the name require."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from services.batching.event_builders import publish_pending_changed, steps
from services.batching.facts import publish_counted
from services.batching.member_notices import publish_notices
from services.batching.models import Application
from services.batching.pending import personal_applications, transfers
from services.batching.pending.application_states import State
from services.batching.pending.channels import channel_for
from services.batching.pending.pending import LISTING_CHARSET, publish_channel
from services.batching.pending.persons import stored, usable
from services.batching.places import current, let_nobody_move, remember_union
from services.contracts.events.batching import (
    MEMBERS_REFUSED,
    MEMBERS_REMOVED,
    MemberNoticesDueData,
    MembersRefusedData,
    MembersRemovedData,
    RefusedMember,
)
from services.contracts.events.membership import MembersQueuedData, QueuedApplication
from services.contracts.shared import PersonFacts, UnionFacts
from services.contracts.values import InvalidValue
from services.kit.data.bulk import insert_rows
from services.kit.events.contract import in_chunks
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.kit.events.subscribe import Reject

SPECIAL = "special"

_UNUSABLE = "会员资料有误，未能加入待办，请更正资料后重新添加至待办"

log = structlog.get_logger()


def members_queued(session: Session, event: Event[MembersQueuedData]) -> None:
    """Lists queued members; those that are listed already stay unchanged, and those who moved since are not listed."""
    let_nobody_move(session)
    queued = replace(event.data, union=current(session, event.data.union))
    persons = {person.application_id: person for person in queued.persons}
    applications = {application.application_id: application for application in queued.applications}
    if not persons.keys() <= applications.keys():
        raise Reject("There are persons of other applications.")
    rows, refused = [], []
    for application_id, application in applications.items():
        try:
            rows.append(_entry(queued, application, usable(persons.get(application_id))))
        except InvalidValue as invalid:
            refused.append(_refused_entry(queued, application, invalid))
    remember_union(session, queued.union, queued.queued_at)
    listed = _insert(session, rows)
    parted = _insert(session, refused)
    publish_counted(session, (row.application_id for row in (*listed, *parted)))
    _part(session, queued, parted, refused)
    publish_channel(session, queued.union.union_id, SPECIAL, [row for row in listed if row.channel == SPECIAL])
    if queued.personal_application:
        listed_ids = [row.application_id for row in listed]
        personal_applications.start(session, queued, queued.personal_application, listed_ids)
    else:
        publish_pending_changed(session, queued.union.union_id, "queued", len(listed))
        _publish_notices(session, queued.union, persons, listed)
    transfers.end_queued(session, [row.member_id for row in listed])


def _insert(session: Session, rows: list[dict[str, Any]]) -> Sequence[Any]:
    if not rows:
        return ()
    return session.execute(
        insert_rows(Application, rows)
        .on_conflict_do_nothing()
        .returning(Application.application_id, Application.member_id, Application.version, Application.channel)
    ).all()


def _publish_notices(
    session: Session, union: UnionFacts, persons: Mapping[UUID, PersonFacts], listed: Sequence[Any]
) -> None:
    whole = MemberNoticesDueData(union_id=union.union_id, union_name=union.name, occasion="queued", members=[])
    phones = ((row.application_id, row.member_id, persons[row.application_id].phone) for row in listed)
    publish_notices(session, whole, phones)


def _part(
    session: Session, queued: MembersQueuedData, parted: Sequence[Any], refused: Sequence[dict[str, Any]]
) -> None:
    """Publishes that these applications were removed instead of listed: their members are free, and block nobody else.

    A personal application has no clerk to notify.
    """
    union_id = queued.union.union_id
    for part in in_chunks(parted):
        removed = MembersRemovedData(
            union_id=union_id, reason="check_failed", detail=_UNUSABLE, applications=steps(part)
        )
        publish(session, MEMBERS_REMOVED, removed)
    parted_ids = {row.application_id for row in parted}
    if queued.personal_application is None:
        members = [_refused_member(entry) for entry in refused if entry["application_id"] in parted_ids]
        for some in in_chunks(members):
            publish(session, MEMBERS_REFUSED, MembersRefusedData(union_id=union_id, members=list(some)))
    if parted:
        log.warning("queued_members_refused", union_id=str(union_id), applications=sorted(map(str, parted_ids)))


def _refused_member(entry: dict[str, Any]) -> RefusedMember:
    return RefusedMember(
        application_id=entry["application_id"],
        member_no=entry["member_no"],
        reason_code=entry["reason_code"],
        reason=entry["reason"],
    )


def _refused_entry(queued: MembersQueuedData, application: QueuedApplication, why: InvalidValue) -> dict[str, Any]:
    """The row of an application that cannot be listed: without the person, with the reason."""
    return {
        "application_id": application.application_id,
        "member_id": application.member_id,
        "member_no": application.member_no,
        "union_id": queued.union.union_id,
        "personal": queued.personal_application is not None,
        "listed_at": queued.queued_at,
        "name": "",
        "document_type": "",
        "document_number": "",
        "document_digest": b"",
        "other_facts": "{}",
        "channel": "ordinary",
        "state": State.REMOVED,
        "reason_code": why.code,
        "reason": why.reason,
        "version": 1,
    }


def _entry(queued: MembersQueuedData, application: QueuedApplication, person: PersonFacts) -> dict[str, Any]:
    """The row of an application."""
    choice = channel_for(person.document_type, person.name, LISTING_CHARSET)
    return {
        **stored(person),
        "application_id": application.application_id,
        "member_id": application.member_id,
        "member_no": application.member_no,
        "union_id": queued.union.union_id,
        "personal": queued.personal_application is not None,
        "listed_at": queued.queued_at,
        "channel": choice.channel,
        "channel_reason": choice.reason,
        "channel_reason_code": choice.reason_code,
        # An application starts on the ordinary channel, so the special one is its first step.
        "version": 1 if choice.channel == SPECIAL else 0,
    }
