"""Tells members by SMS of their applications' way: listed, submitted, card ready, refused, released.

The telephone number comes with one event and the outcome with another, in any order: a member is told of the outcome
once both are known.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.events.batching import (
    BatchReleasedData,
    CardsIssuedData,
    CardsRefusedData,
    CollectionRemindedData,
    MemberNoticesDueData,
)
from services.contracts.events.membership import MemberPhoneChangedData
from services.contracts.operations.templates import GetNoticesRequest, NoticesAnswer, SetNoticesRequest
from services.contracts.shared import ApplicationStep
from services.kit.data.bulk import insert_rows, is_any_of
from services.kit.events.envelope import Event
from services.kit.operations import audit
from services.kit.rpc.work import Work
from services.notification import sms
from services.notification.members import member_messages
from services.notification.models import MemberNotice, SmsRefusal
from services.notification.templates import texts
from services.notification.templates.rendering import Message

_FRESH = timedelta(days=1)
"""Older news of the way are not told any more, such as those that waited while an upgrade was taken back."""


def member_notices_due(session: Session, event: Event[MemberNoticesDueData]) -> None:
    """Tells members that they are listed; or that they are submitted, and keeps their numbers for the outcome."""
    data = event.data
    phones = {member.application_id: (member.member_id, member.phone) for member in data.members}
    is_fresh = event.time > datetime.now(UTC) - _FRESH
    if data.occasion == "queued":
        if is_fresh:
            tell(session, ((*whom, texts.sms_member_queued(data.union_name)) for whom in phones.values()))
        return
    waiting = _keep(session, data, phones)
    if is_fresh:
        submitted = texts.sms_member_submitted(data.outlet_name or "")
        tell(session, ((*phones[application_id], submitted) for application_id in waiting))
    _tell_outcomes(session, phones)


def phone_changed(session: Session, event: Event[MemberPhoneChangedData]) -> None:
    """Tells the outcomes that are to come at the member's new number; nobody where there is none any more."""
    data = event.data
    session.execute(
        update(MemberNotice)
        .where(
            MemberNotice.member_id == data.member_id,
            MemberNotice.outcome.is_(None),
            MemberNotice.known_at < data.changed_at,
        )
        .values(phone=data.numbers.new_phone)
    )


def collection_reminded(session: Session, event: Event[CollectionRemindedData]) -> None:
    """Reminds members that their cards wait for collection."""
    data = event.data
    of_members = {one.application_id: one.member_id for one in data.reminders}
    tell(
        session,
        (
            (
                of_members.get(one.application_id),
                one.phone,
                texts.sms_collection_reminded(one.outlet_name, one.handed_out_by_union),
            )
            for one in data.members
        ),
    )


def cards_issued(session: Session, event: Event[CardsIssuedData]) -> None:
    """Tells members that their cards are ready."""
    data = event.data
    _learn(session, [(one, "issued", "") for one in data.applications], _own_number(data))


def cards_refused(session: Session, event: Event[CardsRefusedData]) -> None:
    """Tells members that the bank refused, and why."""
    data = event.data
    _learn(session, [(one, "refused", one.reason) for one in data.applications], _own_number(data))


def batch_released(session: Session, event: Event[BatchReleasedData]) -> None:
    """Tells members that their batch was revoked; of one application that was cancelled, the clerk is told."""
    if event.data.reason == "revoked":
        _learn(session, [(one, "released", "") for one in event.data.applications])


def tell(session: Session, messages: Iterable[tuple[UUID | None, str | None, Message]]) -> None:
    """Keeps messages for members, and sends them by SMS, but not to those who want none."""
    due = list(messages)
    if not due:
        return
    member_messages.keep(session, ((member_id, message) for member_id, _, message in due if member_id))
    members = (member_id for member_id, _, _ in due if member_id)
    refused = set(session.scalars(select(SmsRefusal.member_id).where(is_any_of(SmsRefusal.member_id, members))))
    wanted = ((phone, message) for member_id, phone, message in due if phone and member_id not in refused)
    sms.enqueue_all(session, wanted)


def get_notices(work: Work, _request: GetNoticesRequest) -> NoticesAnswer:
    """Whether the member wants text messages about applications and cards."""
    refused = select(exists().where(SmsRefusal.member_id == UUID(work.caller.member_id)))
    return NoticesAnswer(by_sms=not work.session.scalar(refused))


def set_notices(work: Work, request: SetNoticesRequest) -> NoticesAnswer:
    """Stores whether the member wants them; those that wait already are still sent."""
    member_id = UUID(work.caller.member_id)
    before = get_notices(work, GetNoticesRequest()).by_sms
    if request.by_sms:
        work.session.execute(delete(SmsRefusal).where(SmsRefusal.member_id == member_id))
    else:
        work.session.execute(insert(SmsRefusal).values(member_id=member_id).on_conflict_do_nothing())
    audit.record(work.session, old={"by_sms": before}, new={"by_sms": request.by_sms})
    return NoticesAnswer(by_sms=request.by_sms)


def _keep(session: Session, data: MemberNoticesDueData, phones: Mapping[UUID, tuple[UUID, str]]) -> list[UUID]:
    """Stores the numbers; returns the applications of which no outcome is known yet."""
    rows = [
        {
            "application_id": application_id,
            "member_id": member_id,
            "phone": phone,
            "outlet_name": data.outlet_name or "",
            "outlet_address": data.outlet_address or "",
            "outlet_phone": data.outlet_phone or "",
            "handed_out_by_union": data.handed_out_by_union,
        }
        for application_id, (member_id, phone) in sorted(phones.items())
    ]
    if not rows:
        return []
    adding = insert_rows(MemberNotice, rows)
    learnt = {name: adding.excluded[name] for name in rows[0] if name != "application_id"}
    stored = session.execute(
        adding.on_conflict_do_update(index_elements=[MemberNotice.application_id], set_=learnt).returning(
            MemberNotice.application_id, MemberNotice.outcome
        )
    )
    return [row.application_id for row in stored if row.outcome is None]


def _own_number(data: CardsIssuedData | CardsRefusedData) -> str | None:
    """The number of the member whose own application it is."""
    return data.contact.phone if data.personal and data.contact else None


def _learn(session: Session, outcomes: Sequence[tuple[ApplicationStep, str, str]], phone: str | None = None) -> None:
    """Stores outcomes and tells whom it can; nothing takes back that a card was issued after all."""
    rows = [
        {
            "application_id": one.application_id,
            "member_id": one.member_id,
            "outcome": outcome,
            "reason": reason,
            "phone": phone,
        }
        for one, outcome, reason in sorted(outcomes, key=lambda item: item[0].application_id)
    ]
    adding = insert_rows(MemberNotice, rows)
    learnt = {
        "outcome": adding.excluded.outcome,
        "reason": adding.excluded.reason,
        "member_id": func.coalesce(MemberNotice.member_id, adding.excluded.member_id),
        "phone": func.coalesce(MemberNotice.phone, adding.excluded.phone),
    }
    session.execute(
        adding.on_conflict_do_update(
            index_elements=[MemberNotice.application_id],
            set_=learnt,
            where=MemberNotice.outcome.is_distinct_from("issued"),
        )
    )
    _tell_outcomes(session, [one.application_id for one, _, _ in outcomes])


def _tell_outcomes(session: Session, application_ids: Iterable[UUID]) -> None:
    """Tells members of outcomes of which they were not told, where their number is known."""
    untold = session.scalars(
        update(MemberNotice)
        .where(
            is_any_of(MemberNotice.application_id, application_ids),
            MemberNotice.phone.is_not(None),
            MemberNotice.outcome.is_distinct_from(MemberNotice.told),
            MemberNotice.outcome.is_not(None),
        )
        .values(told=MemberNotice.outcome)
        .returning(MemberNotice)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    tell(session, ((notice.member_id, notice.phone, _message(notice)) for notice in untold))


def _message(notice: MemberNotice) -> Message:
    if notice.outcome == "refused":
        return texts.sms_member_refused(notice.reason)
    if notice.outcome == "released":
        return texts.sms_member_released()
    if notice.handed_out_by_union:
        return texts.sms_card_ready_at_union()
    return texts.sms_card_ready(notice.outlet_name, notice.outlet_address, notice.outlet_phone)
