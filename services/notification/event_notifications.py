"""The notifications of each event: inbox messages and SMS."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.events.batching import (
    BatchReleasedData,
    BatchSubmittedData,
    CardsIssuedData,
    CardsRefusedData,
    MembersRefusedData,
)
from services.contracts.events.membership import (
    AccountChangedData,
    ApplicationCancelledData,
    CorrectionRefusedData,
    DelegationChangedData,
    ImportProgressedData,
    MemberPhoneChangedData,
    MemberTransferredData,
    OtpIssuedData,
    RemindersDueData,
    ResetLinkMadeData,
    TransferEndedData,
    TransferRequestedData,
    UnionChangeNotedData,
)
from services.contracts.events.revocation import (
    RevocationApprovedData,
    RevocationClosedData,
    RevocationDecidedData,
    RevocationRejectedData,
    RevocationRequestedData,
)
from services.contracts.events.validation import MembersValidatedData
from services.kit.events.envelope import Event
from services.kit.schemas import required
from services.notification import sms
from services.notification.members import member_messages
from services.notification.message_inbox import (
    HOLDER,
    Audience,
    is_posted,
    post,
    post_counted,
    post_known,
    reopen,
    settle,
    within_hour,
)
from services.notification.models import ToldReviewers
from services.notification.sms import SmsSettings
from services.notification.templates import texts
from services.notification.templates.rendering import Message


def members_validated(session: Session, event: Event[MembersValidatedData]) -> None:
    """Notifies the clerk how many checks failed or wait, in one message an hour."""
    data = event.data
    results = Counter(result.result for result in data.results)
    for result, message_of in (("failed", texts.checks_failed), ("waiting", texts.checks_waiting)):
        if results[result]:
            topic = within_hour(f"checks_{result}")
            post_counted(session, Audience(data.union_id, "clerk"), topic, results[result], message_of)


def batch_submitted(session: Session, event: Event[BatchSubmittedData]) -> None:
    """Notifies the clerk of the batch, once for all its parts; a personal application has no clerk."""
    data = event.data
    if data.part == 1 and not data.personal:
        message = texts.batch_submitted(data.batch_no, data.total, data.outlet_name)
        post(session, Audience(data.union.union_id, "clerk"), f"batch_submitted:{data.batch_no}", message)


def cards_issued(session: Session, settings: SmsSettings, event: Event[CardsIssuedData]) -> None:
    """Notifies the clerk, and the batch's contact by SMS, how many cards were issued, late ones separately."""
    data = event.data
    late = sum(application.late for application in data.applications)
    _notify_clerk(session, data, "cards_issued", len(data.applications) - late, texts.cards_issued)
    _notify_clerk(session, data, "cards_issued_late", late, texts.cards_issued_late)
    _text_contact(session, settings, data, "cards_issued", partial(texts.sms_cards_issued, data.batch_no))


def cards_refused(session: Session, settings: SmsSettings, event: Event[CardsRefusedData]) -> None:
    """Notifies the clerk, and the batch's contact by SMS, how many were refused."""
    data = event.data
    _notify_clerk(session, data, "cards_refused", len(data.applications), texts.cards_refused)
    _text_contact(session, settings, data, "cards_refused", partial(texts.sms_cards_refused, data.batch_no))


def batch_released(session: Session, event: Event[BatchReleasedData]) -> None:
    """Adds to the clerk's message about the decision how many are free; cancelled applications have another event."""
    data = event.data
    if data.reason == "revoked" and data.revocation_id:
        _post_approved(session, data, data.revocation_id, released=len(data.applications))


def revocation_requested(session: Session, event: Event[RevocationRequestedData]) -> None:
    """Notifies the superior union's reviewers of a request, unless it is decided already; former ones need not act."""
    data = event.data
    reviewers, topic = Audience(data.reviewer_union_id, "reviewer"), _request_topic(data.revocation_id)
    if not _is_newest(session, data):
        return
    for former in sorted(set(data.former_reviewer_union_ids)):
        settle(session, Audience(former, "reviewer"), topic)
    post(session, reviewers, topic, texts.revocation_requested(data.batch_no, data.union.name, data.reason_code))
    if _is_decided(session, data):
        settle(session, reviewers, topic)
    else:
        reopen(session, reviewers, topic)


def revocation_approved(session: Session, event: Event[RevocationApprovedData]) -> None:
    """Notifies the clerk and the applicant that the superior union agreed: with what is released in one message."""
    data = event.data
    _post_approved(session, data, data.revocation_id, decision=data)
    _end_request(session, data, texts.sms_revocation_decided(data.batch_no, approved=True))


def revocation_rejected(session: Session, event: Event[RevocationRejectedData]) -> None:
    """Notifies the clerk and the applicant that the superior union did not agree."""
    data = event.data
    message = texts.revocation_rejected(data.batch_no, data.remark, _represented(data))
    _publish_decided(session, data, message, texts.sms_revocation_decided(data.batch_no, approved=False))


def revocation_closed(session: Session, event: Event[RevocationClosedData]) -> None:
    """Notifies the clerk and the applicant that the bank decided before the superior union."""
    data = event.data
    batch_no = data.batch_no
    _publish_decided(session, data, texts.revocation_closed(batch_no), texts.sms_revocation_closed(batch_no))


def application_cancelled(session: Session, event: Event[ApplicationCancelledData]) -> None:
    """Notifies the clerks of both unions: where the member was queued, and whose batch had the card."""
    data = event.data
    message = texts.application_cancelled(data.member_no)
    for union_id in {data.union_id, data.issued_union_id}:
        post(session, Audience(union_id, "clerk"), f"application_cancelled:{data.application_id}", message)


def transfer_requested(session: Session, event: Event[TransferRequestedData]) -> None:
    """Asks the old union's clerk to decide, and tells the member by SMS."""
    data = event.data
    message = texts.transfer_requested(data.union.name, data.member_no, data.due_on)
    post(session, Audience(data.from_union_id, "clerk"), f"transfer_requested:{data.transfer_id}", message)
    text = texts.sms_transfer_requested(data.union.name, data.due_on)
    if data.member_id:
        member_messages.keep(session, [(data.member_id, text)])
    if data.person.phone:
        sms.enqueue(session, text, data.person.phone)


def transfer_ended(session: Session, event: Event[TransferEndedData]) -> None:
    """Tells the union that did not end it: the new one of a refusal, the old one of a withdrawal."""
    data = event.data
    union_id = data.to_union_id if data.state == "declined" else data.from_union_id
    message = texts.transfer_ended(data.state, data.remark)
    post(session, Audience(union_id, "clerk"), f"transfer_ended:{data.transfer_id}", message)


def member_transferred(session: Session, event: Event[MemberTransferredData]) -> None:
    """Tells the clerks of both unions."""
    data = event.data
    left = texts.member_transferred_out(data.union.name, data.member_no, automatic=data.automatic)
    post(session, Audience(data.from_union_id, "clerk"), f"transferred_out:{data.transfer_id}", left)
    come = texts.member_transferred_in(data.member_no)
    post(session, Audience(data.union.union_id, "clerk"), f"transferred_in:{data.transfer_id}", come)


def correction_refused(session: Session, event: Event[CorrectionRefusedData]) -> None:
    """Notifies the clerk that the corrected document is another member's."""
    data = event.data
    message = texts.correction_refused(data.member_no)
    post(session, Audience(data.union_id, "clerk"), f"correction_refused:{data.application_id}", message)


def members_refused(session: Session, event: Event[MembersRefusedData]) -> None:
    """Notifies the clerk which members could not be listed, and why."""
    data = event.data
    members = [(member.member_no, member.reason) for member in data.members]
    topic = f"members_refused:{data.members[0].application_id}"
    post(session, Audience(data.union_id, "clerk"), topic, texts.members_refused(members))


def import_progressed(session: Session, event: Event[ImportProgressedData]) -> None:
    """Notifies the clerk when an import has ended."""
    data = event.data
    import_id = str(data.import_id)
    if data.state == "finished":
        message = texts.import_finished(data.rows_accepted, data.rows_rejected, import_id)
        post(session, Audience(data.union_id, "clerk"), f"import:{import_id}", message)
    elif data.state == "failed":
        message = texts.import_failed(import_id, data.failure, data.rows_accepted)
        post(session, Audience(data.union_id, "clerk"), f"import:{import_id}", message)


def otp_issued(session: Session, event: Event[OtpIssuedData]) -> None:
    """Sends the member the one-time password."""
    data = event.data
    recipient, expires_at = data.recipient, data.expires_at
    text = texts.sms_one_time_password(recipient.code, expires_at)
    sms.enqueue(session, text, recipient.phone, expires_at=expires_at)


def reset_link_made(session: Session, settings: SmsSettings, event: Event[ResetLinkMadeData]) -> None:
    """Sends the account's holder the link to choose another password."""
    data = event.data
    recipient, expires_at = data.recipient, data.expires_at
    link = settings.public_url.rstrip("/") + recipient.url_path
    if data.is_first:
        text = texts.sms_first_link(recipient.account_name, link, expires_at)
    else:
        text = texts.sms_reset_link(recipient.account_name, link, expires_at, recipient.made_by)
    sms.enqueue(session, text, recipient.phone, expires_at=expires_at)


def member_phone_changed(session: Session, event: Event[MemberPhoneChangedData]) -> None:
    """Notifies the member's old and new numbers."""
    data = event.data
    numbers, times = data.numbers, (data.changed_at, data.held_until)
    old, new = numbers.old_phone, numbers.new_phone
    if old and old != new:
        sms.enqueue(session, texts.sms_phone_given_up(new, *times), old)
    if new:
        sms.enqueue(session, texts.sms_phone_taken(*times), new)


def reminders_due(session: Session, event: Event[RemindersDueData]) -> None:
    """Reminds people of overdue work, in the inbox and by SMS to each telephone."""
    data = event.data
    phones = {(one.union_id, one.role): one.phones for one in data.recipients}
    for reminder in data.reminders:
        works = [(work.kind, work.count) for work in reminder.works]
        of_own = "below" if reminder.of_subordinates else "own"
        topic = f"overdue:{data.day}:{of_own}:{event.id}"
        message = texts.work_overdue(works, reminder.of_subordinates)
        post(session, Audience(reminder.union_id, reminder.role), topic, message)
        text = texts.sms_work_overdue(works, reminder.of_subordinates)
        sms.enqueue_all(session, ((phone, text) for phone in phones.get((reminder.union_id, reminder.role), ())))


def account_changed(session: Session, event: Event[AccountChangedData]) -> None:
    """Notifies the account's holder what was changed and by whom, in the inbox and by SMS to each telephone."""
    data = event.data
    holder, change = data.holder, data.change
    message = texts.account_changed(change, holder.changed_by, data.changed_at)
    audience = Audience(data.union_id, HOLDER, data.account_id)
    post(session, audience, f"account_changed:{data.change_id}", message)
    text = texts.sms_account_changed(holder.account_name, change, holder.changed_by)
    sms.enqueue_all(session, ((phone, text) for phone in holder.phones))
    for union_id in data.administrators_of:
        asked = texts.phone_change_waits(holder.account_name, holder.changed_by)
        post(session, Audience(union_id, "administrator"), f"phone_change:{data.change_id}", asked)


def delegation_changed(session: Session, event: Event[DelegationChangedData]) -> None:
    """Tells the deputy, and the reviewer, that the one stands in for the other; not who did it.

    Each has one message about a delegation, which says what is newest, in whatever order the events come.
    """
    data = event.data
    of_deputy = Audience(data.deputy_union_id, HOLDER, data.deputy_id)
    of_principal = Audience(data.union_id, HOLDER, data.principal_id)
    for audience, text_of in ((of_deputy, texts.delegation_received), (of_principal, texts.delegation_given)):
        if audience.account_id != data.changed_by:
            post_known(
                session,
                audience,
                f"delegation:{audience.account_id}:{data.delegation_id}",
                partial(_newer, _known_of(data)),
                text_of,
            )


def union_change_noted(session: Session, event: Event[UnionChangeNotedData]) -> None:
    """Asks administrators to confirm a change of the tree, and tells them what became of it."""
    data = event.data
    told = {"state": data.state, "kind": data.kind, "union": data.union_name, "target": data.target_union_name}
    for union_id in sorted(data.told_union_ids):
        audience, topic = Audience(union_id, "administrator"), f"union_change:{data.change_id}"
        post_known(session, audience, topic, partial(_further, told), texts.union_change)
    for account_id in data.moved_account_ids:
        holder = Audience(required(data.target_union_id), HOLDER, account_id)
        merged = texts.account_union_merged(data.union_name, required(data.target_union_name))
        post(session, holder, f"union_merged:{data.change_id}:{account_id}", merged)


def _further(told: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What became of a request is told after it, though it may have come before."""
    return known if known and told["state"] == "requested" else told


def _known_of(data: DelegationChangedData) -> dict[str, Any]:
    """What the texts about a delegation say."""
    days = {"first_day": data.first_day.isoformat(), "last_day": data.last_day.isoformat()}
    return {"version": data.version, "change": data.change, **days, **vars(data.people)}


def _newer(told: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    return told if told["version"] > known.get("version", 0) else known


def _notify_clerk(
    session: Session,
    data: CardsIssuedData | CardsRefusedData,
    kind: str,
    count: int,
    message_of: Callable[[str, int], Message],
) -> None:
    """Posts one message an hour about a batch; a personal application has no clerk."""
    if count and not data.personal:
        batch_no = data.batch_no
        audience = Audience(data.union_id, "clerk")
        post_counted(session, audience, within_hour(f"{kind}:{batch_no}"), count, partial(message_of, batch_no))


def _text_contact(
    session: Session,
    settings: SmsSettings,
    data: CardsIssuedData | CardsRefusedData,
    kind: str,
    message_of: Callable[[int], Message],
) -> None:
    """Sends the contact one SMS about what comes together; of a personal application, the member itself is told."""
    if data.contact is not None and not data.personal:
        topic, count = f"{kind}:{data.batch_no}", len(data.applications)
        counted = sms.CountedSms(topic, data.contact.phone, count, message_of)
        sms.enqueue_counted(session, counted, settings.sms_gather_seconds)


def _publish_decided(
    session: Session, data: RevocationDecidedData | RevocationClosedData, message: Message, text: Message
) -> None:
    post(session, Audience(data.union_id, "clerk"), _decision_topic(data.revocation_id), message)
    _end_request(session, data, text)


def _post_approved(
    session: Session,
    data: RevocationApprovedData | BatchReleasedData,
    revocation_id: UUID,
    *,
    decision: RevocationApprovedData | None = None,
    released: int = 0,
) -> None:
    """Posts that a batch is revoked, how, and how many are released so far, whichever event comes first."""
    told = {"remark": decision.remark, "represented": _represented(decision)} if decision else {}
    post_known(
        session,
        Audience(data.union_id, "clerk"),
        _decision_topic(revocation_id),
        lambda known: {**known, **told, "released": released + known.get("released", 0)},
        lambda known: texts.revocation_approved(
            data.batch_no, known.get("remark"), known.get("represented"), released=known["released"]
        ),
    )


def _represented(data: RevocationDecidedData) -> str | None:
    """For whom a deputy decided."""
    return data.represented.name if data.represented else None


def _end_request(session: Session, data: RevocationDecidedData | RevocationClosedData, text: Message) -> None:
    """Tells the applicant, and has the reviewers' message read: there is nothing to decide any more."""
    settle(session, Audience(data.reviewer_union_id, "reviewer"), _request_topic(data.revocation_id))
    sms.enqueue(session, text, data.applicant.phone)


def _request_topic(revocation_id: UUID) -> str:
    return f"revocation_requested:{revocation_id}"


def _decision_topic(revocation_id: UUID) -> str:
    return f"revocation_decided:{revocation_id}"


def _is_newest(session: Session, data: RevocationRequestedData) -> bool:
    """Whether no later reviewers were told already: events come in any order."""
    assignment = len(data.former_reviewer_union_ids)
    telling = insert(ToldReviewers).values(revocation_id=data.revocation_id, assignment=assignment)
    newest = telling.on_conflict_do_update(
        index_elements=[ToldReviewers.revocation_id],
        set_={"assignment": assignment},
        where=ToldReviewers.assignment <= assignment,
    )
    return session.scalar(newest.returning(ToldReviewers.revocation_id)) is not None


def _is_decided(session: Session, data: RevocationRequestedData) -> bool:
    """Whether the decision came before the request: events come in any order."""
    return is_posted(session, Audience(data.union.union_id, "clerk"), _decision_topic(data.revocation_id))
