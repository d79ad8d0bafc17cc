"""Members in flexible employment on the phone: one-time passwords, their own data, their own application (个人办卡)."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.common.contracts.consent import refuse_unless_current
from services.common.contracts.membership import OTP_ISSUED
from services.common.messaging import audit
from services.common.messaging.outbox import tell
from services.common.messaging.rpc import Caller
from services.common.persistence import Database
from services.common.personal import blind_index, mask_card, mask_document, mask_phone
from services.common.problems import Conflict, Problem
from services.membership import lockout, phone_changes, sessions
from services.membership.application_states import CardState
from services.membership.documents import phone_digest
from services.membership.members import applications_of
from services.membership.models import Member, OneTimePassword, Union
from services.membership.queueing import PersonalChoice, queue
from services.membership.unions import union_answer

VALID_FOR = timedelta(minutes=5)
AT_MOST_EVERY = timedelta(minutes=1)
MOST_TRIES = 5
"""Choices: five tries of a password of six digits that is valid for five minutes, at most one new password a minute."""

_CHANGEABLE = ("address", "document_expiry", "document_issued")
"""Not the retirement category: the check follows from it."""


def request_otp(session: Session, phone: str) -> dict[str, Any]:
    """Lets a one-time password be sent to a member's phone; raises Problem `otp_too_soon` within a minute of the last.

    A number that no member has is answered alike, and nothing is sent to it.
    """
    now = datetime.now(UTC)
    code, expires_at = f"{secrets.randbelow(10**6):06d}", now + VALID_FOR
    member = _member_with(session, phone)
    row = {
        "member_id": member.member_id if member else None,
        "code_digest": _code_digest(phone, code),
        "tries": 0,
        "issued_at": now,
        "expires_at": expires_at,
    }
    issued = session.execute(
        insert(OneTimePassword)
        .values(phone_digest=phone_digest(phone), **row)
        .on_conflict_do_update(
            index_elements=[OneTimePassword.phone_digest],
            set_=row,
            where=OneTimePassword.issued_at <= now - AT_MOST_EVERY,
        )
        .returning(OneTimePassword.phone_digest)
    ).first()
    if issued is None:
        raise _too_soon()
    if member:
        audit.note(session, ("member", member.member_id), union_id=member.union_id)
        recipient = {"phone": phone, "code": code}
        told = {"purpose": "personal_sign_in", "expires_at": expires_at, "recipient": recipient}
        tell(session, OTP_ISSUED, told)
    return {"expires_at": expires_at}


def sign_in(session: Session, database: Database, caller: Caller, asked: dict[str, Any]) -> dict[str, Any]:
    """The member whose phone and one-time password these are, and a new session (PersonalSignInAnswer).

    The password is used up. Raises Problem `otp_wrong` for a wrong, used or expired one. A try is counted in a
    transaction of its own, since this one is rolled back then. Failures count for the address as those of accounts do,
    or six digits could be tried at many phones in turn: raises Problem `address_locked`.
    """
    phone, code = asked["phone"], asked["code"]
    digest = phone_digest(phone)
    with database.begin() as apart:
        if refusal := lockout.refusal_of_address(apart, caller.origin):
            raise refusal
        kept = apart.execute(
            update(OneTimePassword)
            .where(
                OneTimePassword.phone_digest == digest,
                OneTimePassword.expires_at > func.now(),
                OneTimePassword.tries < MOST_TRIES,
            )
            .values(tries=OneTimePassword.tries + 1)
            .returning(OneTimePassword.code_digest, OneTimePassword.member_id)
        ).first()
    if kept is not None and kept.member_id is not None:
        audit.note(session, ("member", kept.member_id))
    if (
        kept is None
        or kept.member_id is None
        or not secrets.compare_digest(kept.code_digest, _code_digest(phone, code))
    ):
        with database.begin() as apart:
            lockout.count_failure_of_address(apart, caller.origin)
        raise _otp_wrong()
    used = session.execute(
        update(OneTimePassword)
        .where(OneTimePassword.phone_digest == digest, OneTimePassword.code_digest == kept.code_digest)
        .values(expires_at=func.now(), code_digest=secrets.token_bytes(16))
        .returning(OneTimePassword.phone_digest)
    ).first()
    if used is None:
        raise _otp_wrong()
    member = session.get_one(Member, kept.member_id)
    union = session.get_one(Union, member.union_id)
    audit.note_actor(
        session,
        Caller(
            member_id=str(member.member_id),
            display_name=member.name,
            roles=frozenset({"member"}),
            union_id=str(union.union_id),
        ),
    )
    return {
        "member": {"member_id": member.member_id, "name": member.name, "union": union_answer(union)},
        "session": sessions.start(session, member, caller, asked["visit"]),
    }


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
    if refusal := phone_changes.refusal(member):
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


def _member_with(session: Session, phone: str) -> Member | None:
    """The flexible member with this number; none where several share it: the code would let one in for another."""
    found = session.scalars(
        select(Member).where(Member.phone_digest == phone_digest(phone), Member.affiliation != "employer").limit(2)
    ).all()
    return found[0] if len(found) == 1 else None


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
    return phone_changes.refusal(member)


def _words(refusal: Conflict) -> str:
    """What the page says; who has to wait is told until when."""
    return f"{refusal.title}。{refusal.detail}" if refusal.code == "phone_changed" else refusal.title


def _code_digest(phone: str, code: str) -> bytes:
    return blind_index(f"{phone} {code}", "one-time password")


def _too_soon() -> Problem:
    problem = Problem("otp_too_soon", 429, "验证码发送过于频繁", "请 1 分钟后再获取验证码。")
    problem.retry_after = int(AT_MOST_EVERY.total_seconds())
    return problem


def _otp_wrong() -> Problem:
    return Problem("otp_wrong", 401, "验证码不正确或已失效", "请核对验证码，或重新获取。")
