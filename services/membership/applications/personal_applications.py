"""Members in flexible employment on the phone: their own data, their own application (个人办卡)."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.contracts.consent import refuse_unless_current
from services.contracts.masks import mask_card, mask_document, mask_phone
from services.contracts.operations.membership.members import (
    ApplyPersonallyRequest,
    GetPersonalApplicationsRequest,
    GetPersonalProfileRequest,
    PersonalApplicationAnswer,
    PersonalApplicationsAnswer,
    PersonalProfileAnswer,
    UpdatePersonalProfileRequest,
)
from services.kit.operations import audit
from services.kit.problems import Conflict
from services.kit.rpc.work import Work
from services.kit.schemas import change_fields, values_of
from services.membership.applications.application_states import CardState
from services.membership.applications.cards import card_steps_of, status_of
from services.membership.applications.queueing import PersonalChoice, queue
from services.membership.members import member_phone_changes
from services.membership.members.members import applications_of
from services.membership.models import Member, Union

_CHANGEABLE = ("address", "document_expiry", "document_issued")
"""The fields that a member may change; not the retirement category, on which the check depends."""


def get_profile(work: Work, _request: GetPersonalProfileRequest) -> PersonalProfileAnswer:
    """The caller's own data, masked, and whether an application can be made (会员信息梳理)."""
    return _profile(work.session, work.session.get_one(Member, UUID(work.caller.member_id)))


def update_profile(work: Work, request: UpdatePersonalProfileRequest) -> PersonalProfileAnswer:
    """Changes the present fields; raises Conflict `application_live` while an application is live.

    Raises Conflict `phone_changed` for a day after the phone was changed.
    """
    member = _lock(work)
    if member.card_state in (CardState.PENDING, CardState.SUBMITTED):
        raise Conflict("application_live", "申请已提交，不能修改信息", "请等待本次办卡结束后再修改。")
    if refusal := member_phone_changes.refusal(member):
        raise refusal
    changes = values_of(request)
    audit.record(work.session, old={name: getattr(member, name) for name in changes}, new=changes)
    change_fields(member, request, _CHANGEABLE)
    work.session.flush()
    return _profile(work.session, member)


def apply(work: Work, request: ApplyPersonallyRequest) -> PersonalApplicationAnswer:
    """Creates the caller's own application.

    Raises Invalid `consent_outdated`, and Conflict `through_union`, `number_missing`, `application_live` or
    `phone_changed`.
    """
    refuse_unless_current(request.consent_version)
    member = _lock(work)
    refusal = _why_not(member)
    if refusal:
        raise refusal
    union = work.session.get_one(Union, member.union_id)
    choice = PersonalChoice(request.outlet_code, request.consent_version, work.caller.origin)
    queue(work.session, union, [member], member.member_id, choice)
    audit.record(work.session, new={"outlet_code": choice.outlet_code, "consent_version": choice.consent_version})
    return _applications_of(work.session, member.member_id)[0]


def list_applications(work: Work, _request: GetPersonalApplicationsRequest) -> PersonalApplicationsAnswer:
    """The caller's own applications with their steps, newest first."""
    return PersonalApplicationsAnswer(items=_applications_of(work.session, UUID(work.caller.member_id)))


def _profile(session: Session, member: Member) -> PersonalProfileAnswer:
    refusal = _why_not(member)
    return PersonalProfileAnswer(
        member_id=member.member_id,
        member_no=member.member_no,
        name=member.name,
        document_type=member.document_type,
        document_number=mask_document(member.document_number),
        document_expiry=member.document_expiry,
        document_issued=member.document_issued,
        phone=mask_phone(member.phone or ""),
        address=member.address,
        retirement_category=member.retirement_category,
        card_state=member.card_state,
        card_no=mask_card(member.card_no) if member.card_no else None,
        card_status=status_of(member),
        card_steps=card_steps_of(session, member.member_id),
        can_apply=refusal is None,
        reason=_words(refusal) if refusal else None,
    )


def _applications_of(session: Session, member_id: UUID) -> list[PersonalApplicationAnswer]:
    """A member's applications that were made on the phone."""
    applications = applications_of(session, member_id)
    return [PersonalApplicationAnswer(**values_of(one)) for one in applications if one.outlet_code is not None]


def _lock(work: Work) -> Member:
    own = UUID(work.caller.member_id)
    return work.session.get_one(Member, own, with_for_update=True, populate_existing=True)


def _why_not(member: Member) -> Conflict | None:
    """Why the member cannot apply on the phone now; None if the member can."""
    if member.affiliation == "employer" or member.document_type != "resident_id":
        return Conflict("through_union", "请由所在工会办理", "个人办卡仅限持居民身份证的灵活就业和企业外会员。")
    if member.left_at is not None:
        return Conflict("has_left", "您已退会或退休，不能办卡", "如有疑问请联系所在工会。")
    if member.member_no is None:
        return Conflict("number_missing", "会员编号尚未生成", "请稍后再申请。")
    if member.card_state != CardState.NONE:
        return Conflict("application_live", "已在办理或已办卡", "请在办理进度中查看。")
    return member_phone_changes.refusal(member)


def _words(refusal: Conflict) -> str:
    """The refusal's text for the page, with the time until which the member has to wait, if any."""
    return f"{refusal.title}。{refusal.detail}" if refusal.code == "phone_changed" else refusal.title
