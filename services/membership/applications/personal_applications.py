"""Members in flexible employment on the phone: their own data, their own application (个人办卡)."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts.consent import refuse_unless_current
from services.contracts.masks import mask_card, mask_document, mask_phone
from services.kit.operations import audit
from services.kit.problems import Conflict
from services.kit.rpc.methods import Caller
from services.membership.applications.application_states import CardState
from services.membership.applications.queueing import PersonalChoice, queue
from services.membership.members import member_phone_changes
from services.membership.members.members import applications_of
from services.membership.models import Member, Union

_CHANGEABLE = ("address", "document_expiry", "document_issued")
"""Not the retirement category: the check follows from it."""


def get_profile(session: Session, caller: Caller) -> dict[str, Any]:
    """The caller's own data, masked, and whether an application can be made (会员信息梳理)."""
    member = session.get_one(Member, UUID(caller.member_id))
    refusal = _why_not(member)
    return {
        "member_id": member.member_id,
        "member_no": member.member_no,
        "name": member.name,
        "document_type": member.document_type,
        "document_number": mask_document(member.document_number),
        "document_expiry": member.document_expiry,
        "document_issued": member.document_issued,
        "phone": mask_phone(member.phone or ""),
        "address": member.address,
        "retirement_category": member.retirement_category,
        "card_state": member.card_state,
        "card_no": mask_card(member.card_no) if member.card_no else None,
        "can_apply": refusal is None,
        "reason": _words(refusal) if refusal else None,
    }


def update_profile(session: Session, caller: Caller, given: dict[str, Any]) -> dict[str, Any]:
    """Changes what is given; raises Conflict `application_live` while an application lives: it is locked then.

    Raises Conflict `phone_changed` for a day after the phone was changed.
    """
    member = _lock(session, caller)
    if member.card_state in (CardState.PENDING, CardState.SUBMITTED):
        raise Conflict("application_live", "申请已提交，不能修改信息", "请等待本次办卡结束后再修改。")
    if refusal := member_phone_changes.refusal(member):
        raise refusal
    changed = {name: given[name] for name in _CHANGEABLE if name in given}
    audit.note(session, old={name: getattr(member, name) for name in changed}, new=changed)
    for name, value in changed.items():
        setattr(member, name, value)
    session.flush()
    return get_profile(session, caller)


def apply(session: Session, caller: Caller, choice: PersonalChoice) -> dict[str, Any]:
    """Makes the caller's own application.

    Raises Invalid `consent_outdated`, and Conflict `through_union`, `number_missing`, `application_live` or
    `phone_changed`.
    """
    refuse_unless_current(choice.consent_version)
    member = _lock(session, caller)
    refusal = _why_not(member)
    if refusal:
        raise refusal
    union = session.get_one(Union, member.union_id)
    queue(session, union, [member], member.member_id, choice)
    audit.note(session, new={"outlet_code": choice.outlet_code, "consent_version": choice.consent_version})
    return applications_of(session, member.member_id)[0]


def list_applications(session: Session, caller: Caller) -> dict[str, Any]:
    """The caller's own applications with their steps, newest first."""
    applications = applications_of(session, UUID(caller.member_id))
    return {"items": [one for one in applications if one["outlet_code"] is not None]}


def _lock(session: Session, caller: Caller) -> Member:
    return session.get_one(Member, UUID(caller.member_id), with_for_update=True, populate_existing=True)


def _why_not(member: Member) -> Conflict | None:
    """Why the member cannot apply on the phone now; None where nothing is in the way."""
    if member.affiliation == "employer" or member.document_type != "resident_id":
        return Conflict("through_union", "请由所在工会办理", "个人办卡仅限持居民身份证的灵活就业和企业外会员。")
    if member.member_no is None:
        return Conflict("number_missing", "会员编号尚未生成", "请稍后再申请。")
    if member.card_state != CardState.NONE:
        return Conflict("application_live", "已在办理或已办卡", "请在办理进度中查看。")
    return member_phone_changes.refusal(member)


def _words(refusal: Conflict) -> str:
    """What the page says; who has to wait is told until when."""
    return f"{refusal.title}。{refusal.detail}" if refusal.code == "phone_changed" else refusal.title
