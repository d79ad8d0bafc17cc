"""Applies clerks' corrections from the pending list to members, and keeps their history."""

import json
from collections.abc import Set
from dataclasses import fields
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.batching import CorrectedFacts, MemberCorrectedData
from services.contracts.events.membership import CORRECTION_REFUSED, CorrectionRefusedData
from services.contracts.masks import mask_document, mask_phone
from services.contracts.operations.membership.members import CorrectedField, CorrectionAnswer
from services.kit.events.outbox import publish
from services.kit.events.subscribe import Event, Reject
from services.kit.schemas import UNSET, change_fields, required, schema_of
from services.membership.members import member_phone_changes
from services.membership.members.member_documents import document_digest, document_end_digest, phone_digest
from services.membership.models import Account, Member, MemberCorrection

_FACTS = schema_of(CorrectedFacts)()
_NAMES = tuple(field.name for field in fields(CorrectedFacts))


def member_corrected(session: Session, event: Event[MemberCorrectedData]) -> None:
    """Applies a correction; of two the later one counts, whichever comes first.

    A document that another member has is not applied, and the application is cancelled. Nothing is applied to a member
    who was erased. Raises Reject for an unknown one.
    """
    corrected = event.data
    member = session.get(Member, corrected.member_id, with_for_update=True)
    if member is None:
        raise Reject("the correction speaks of a member who is not known")
    if member.erased_at:
        return
    facts = corrected.person
    before = CorrectedFacts(**{name: getattr(member, name) for name in _NAMES})
    digest = document_digest(facts.document_type, facts.document_number)
    is_taken = _is_of_another(session, member.member_id, digest)
    if not is_taken:
        _apply(session, member, facts, set(_NAMES) - _corrected_later(session, corrected))
    session.add(_record(corrected, before, is_refused=is_taken))
    if is_taken:
        _cancel(session, corrected, member)


def corrections_of(session: Session, member_id: UUID) -> list[CorrectionAnswer]:
    """A member's corrections, newest first: who made each and when, with old and new values, numbers masked."""
    rows = session.execute(
        select(MemberCorrection, Account.display_name)
        .outerjoin(Account, Account.account_id == MemberCorrection.corrected_by)
        .where(MemberCorrection.member_id == member_id)
        .order_by(MemberCorrection.corrected_at.desc())
    )
    return [
        CorrectionAnswer(
            corrected_at=row.MemberCorrection.corrected_at,
            corrected_by=row.display_name,
            refused=row.MemberCorrection.refused,
            changes=_changes(row.MemberCorrection),
        )
        for row in rows
    ]


def _apply(session: Session, member: Member, facts: CorrectedFacts, names: Set[str]) -> None:
    """Changes these of the member's facts; a changed phone is told to both numbers, as by every change."""
    old_phone = member.phone
    change_fields(member, facts, names)
    if "document_number" in names:
        member.document_digest = document_digest(facts.document_type, facts.document_number)
        member.document_end = document_end_digest(facts.document_number)
    if "phone" in names and facts.phone is not UNSET:
        member.phone_digest = phone_digest(facts.phone) if facts.phone else None
        member_phone_changes.apply_change(session, member, old_phone, member.affiliation)


def _is_of_another(session: Session, member_id: UUID, digest: bytes) -> bool:
    others = select(Member.member_id).where(Member.document_digest == digest, Member.member_id != member_id)
    return bool(session.scalar(select(others.exists())))


def _corrected_later(session: Session, corrected: MemberCorrectedData) -> set[str]:
    """The facts that a later correction, which was handled before this one, contains."""
    later = session.scalars(
        select(MemberCorrection.new).where(
            MemberCorrection.member_id == corrected.member_id,
            MemberCorrection.corrected_at > corrected.corrected_at,
            MemberCorrection.refused.is_(False),
        )
    )
    return {name for new in later for name in json.loads(new)}


def _record(corrected: MemberCorrectedData, before: CorrectedFacts, *, is_refused: bool) -> MemberCorrection:
    return MemberCorrection(
        correction_id=uuid7(),
        member_id=corrected.member_id,
        application_id=corrected.application_id,
        corrected_by=corrected.corrected_by,
        corrected_at=corrected.corrected_at,
        refused=is_refused,
        old=_FACTS.dumps(before, ensure_ascii=False),
        new=_FACTS.dumps(corrected.person, ensure_ascii=False),
    )


def _cancel(session: Session, corrected: MemberCorrectedData, member: Member) -> None:
    """Cancels the application, for its document is another member's; batching then publishes its end."""
    data = CorrectionRefusedData(
        union_id=corrected.union_id,
        application_id=corrected.application_id,
        member_id=member.member_id,
        member_no=required(member.member_no),
        reason="document_known",
    )
    publish(session, CORRECTION_REFUSED, data)


def _changes(correction: MemberCorrection) -> list[CorrectedField]:
    old, new = json.loads(correction.old), json.loads(correction.new)
    return [
        CorrectedField(field=field, old=_shown(field, old.get(field)), new=_shown(field, new[field]))
        for field in new
        if old.get(field) != new[field] and field not in ("birth_date", "sex")
    ]


def _shown(field: str, value: str | None) -> str | None:
    mask = {"document_number": mask_document, "phone": mask_phone}.get(field)
    return mask(value) if mask and value else value
