"""One-time passwords by SMS: requested on the phone page, bound to the browser that requested one, used to sign in.

A known and an unknown telephone take the same work until the answer: the member is looked up, and the code created and
sent, asynchronously by an event.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.events.membership import (
    OTP_ISSUED,
    OTP_REQUESTED,
    OtpIssuedData,
    OtpPhone,
    OtpRecipient,
    OtpRequestedData,
)
from services.contracts.operations.membership.identity import (
    CaptchaVerdict,
    PersonalSignInAnswer,
    PersonalSignInRequest,
    RequestOtpAnswer,
    RequestOtpRequest,
    SignedInMember,
)
from services.contracts.values import SHANGHAI
from services.kit.data.database import Database
from services.kit.data.encryption import blind_index
from services.kit.events.envelope import Event
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.origins import counted_origin
from services.kit.problems import Problem
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.settings import read_settings, settings_class
from services.membership.identity import captchas, devices, lockout, sessions
from services.membership.members.member_documents import phone_digest
from services.membership.models import Member, OneTimePassword, SmsCode, Union
from services.membership.unions import union_answer

PURPOSE = "sms_code"
"""The purpose of its captchas, and the kind of its failures."""
VALID_FOR = timedelta(minutes=5)
AT_MOST_EVERY = timedelta(minutes=1)
MOST_TRIES = 5
MOST_TRIES_A_DAY = 20
"""Choices: five tries of six digits that are valid for five minutes, and after 20 tries in a day no new password."""
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_Kept = Row[UUID, bytes | None, UUID | None]
"""A requested password: its id, its digest, and its member."""
_NO_DEVICE = UUID(int=0)
"""The namespace of ids for browsers that an earlier release's gateway does not name; these derive from the address."""


@settings_class
class SmsCodeSettings:
    """How many one-time passwords are sent; read from the environment by `read_settings`."""

    sms_codes_an_hour: int = 5
    sms_codes_a_day: int = 10
    """Most passwords for one telephone; a device that its member has signed in with is counted separately."""
    sms_phones_an_hour_per_address: int = 20


@dataclass(frozen=True)
class _PastRequest:
    """A password that was requested in the last day."""

    issued_at: datetime
    device_id: UUID
    tries: int


def request_code(work: Work, request: RequestOtpRequest) -> RequestOtpAnswer:
    """Requests a one-time password for a member's phone, which is valid only in this browser.

    A number that no member has gets the same answer after the same work, but no SMS. Raises Problem `captcha_used`,
    `captcha_wrong` or `captcha_too_easy`, and with status 429 and the time of the next attempt `otp_too_soon` within a
    minute, `otp_too_many`, `otp_too_many_tries` and `otp_too_many_phones`.
    """
    session, caller = work.session, work.caller
    digest, device_id = phone_digest(request.phone), request.device_id or _device_at(caller)
    is_known = _pass_captcha(work, digest, device_id, request.captcha)
    requested_at, origin = datetime.now(UTC), counted_origin(caller.origin)
    _wait_for_others(session, f"address {origin}")
    _wait_for_others(session, f"phone {digest.hex()}")
    if refusal := _refusal(session, digest, device_id, origin, is_known=is_known):
        raise refusal
    code = SmsCode(
        code_id=uuid7(),
        phone_digest=digest,
        device_id=device_id,
        origin=origin,
        issued_at=requested_at,
        expires_at=requested_at + VALID_FOR,
    )
    session.add(code)
    recipient = OtpPhone(phone=request.phone)
    publish(session, OTP_REQUESTED, OtpRequestedData(code_id=code.code_id, origin=caller.origin, recipient=recipient))
    return RequestOtpAnswer(expires_at=code.expires_at)


def issue_code(session: Session, event: Event[OtpRequestedData]) -> None:
    """Creates the requested password and publishes it for sending, if exactly one member has the number.

    The member is locked first, as by a change of the phone: so a password is either created before the change, which
    voids it, or not created.
    """
    phone = event.data.recipient.phone
    member = _member_with(session, phone)
    if member is not None and not _keeps_phone(session, member, phone):
        return
    kept = session.get(SmsCode, event.data.code_id, with_for_update=True)
    if member is None or kept is None or kept.expires_at <= datetime.now(UTC):
        return
    code = f"{secrets.randbelow(10**6):06d}"
    kept.member_id, kept.code_digest = member.member_id, _code_digest(phone, code)
    recipient = OtpRecipient(phone=phone, code=code)
    issued = OtpIssuedData(purpose="personal_sign_in", expires_at=kept.expires_at, recipient=recipient)
    publish(session, OTP_ISSUED, issued)
    _record_issued(session, member, event.data.origin)


def sign_in(work: Work, request: PersonalSignInRequest) -> PersonalSignInAnswer:
    """Signs in the member whose phone and one-time password these are, in a new session.

    The password must be the newest that this browser requested, whatever other browsers did meanwhile; it is consumed.
    Raises Problem `otp_wrong` for a wrong, used or expired one. A try is counted in a transaction of its own, since
    this one is rolled back then; failures make captchas of the address harder.
    """
    session = work.session
    member = _member_proved(work, request)
    union = session.get_one(Union, member.union_id)
    devices.remember(session, request.visit.device_id, member.member_id)
    audit.record_actor(
        session,
        Caller(
            member_id=str(member.member_id),
            display_name=member.name,
            roles=frozenset({"member"}),
            union_id=str(union.union_id),
        ),
    )
    signed_in = SignedInMember(member_id=member.member_id, name=member.name, union=union_answer(union))
    return PersonalSignInAnswer(member=signed_in, session=sessions.start(session, member, work.caller, request.visit))


def void_all_of_member(session: Session, member_id: UUID, old_phone: str | None) -> None:
    """Voids all passwords that were sent to a member, also those of the previous release.

    It also voids those requested for the member's old number and not created yet. The member must be locked.
    """
    old_digest = phone_digest(old_phone) if old_phone else None
    is_requested = SmsCode.member_id.is_(None) & (SmsCode.phone_digest == old_digest)
    session.execute(
        update(SmsCode)
        .where((SmsCode.member_id == member_id) | is_requested, SmsCode.expires_at > func.now())
        .values(expires_at=func.now(), code_digest=None)
    )
    session.execute(delete(OneTimePassword).where(OneTimePassword.member_id == member_id))


def _device_at(caller: Caller) -> UUID:
    """An id for an unnamed browser, from its address, so that nobody at another address uses up its tries."""
    return uuid5(_NO_DEVICE, counted_origin(caller.origin))


def _record_issued(session: Session, member: Member, origin: str | None) -> None:
    """Records that a password was created for a member, on a request from this address."""
    audit_event = audit.AuditEvent("membership.request_otp", Caller(origin=origin))
    with audit.recording(session, "membership", audit_event):
        audit.record(session, ("member", member.member_id), union_id=member.union_id)


def _pass_captcha(work: Work, digest: bytes, device_id: UUID, captcha: CaptchaVerdict | None) -> bool:
    """Consumes the captcha; returns whether the browser has signed in a member with this telephone. Raises Problem."""
    with work.database.begin() as apart:
        is_known = devices.has_signed_in_phone(apart, device_id, digest)
        refusal = captcha and captchas.consume(apart, work.caller, PURPOSE, captcha, is_known_device=is_known)
    if refusal:
        raise refusal
    return is_known


def _wait_for_others(session: Session, whose: str) -> None:
    """Serializes requests for one telephone or from one address, so that they are counted one at a time."""
    session.execute(text("select pg_advisory_xact_lock(hashtextextended(:whose, 0))"), {"whose": f"sms code: {whose}"})


def _refusal(session: Session, digest: bytes, device_id: UUID, origin: str, *, is_known: bool) -> Problem | None:
    """Why no password is sent now, with the next time; for a known device only its own requests count."""
    settings, now = read_settings(SmsCodeSettings), datetime.now(UTC)
    of_phone = _requests_for_phone(session, digest, now)
    phones = _phones_of(session, origin, now)
    if is_known:
        of_phone, phones = [one for one in of_phone if one.device_id == device_id], {}
    times = [one.issued_at for one in of_phone]
    if times and times[0] > now - AT_MOST_EVERY:
        return _too_soon(times[0] + AT_MOST_EVERY, now)
    in_hour = [at for at in times if at > now - _HOUR]
    if len(in_hour) >= settings.sms_codes_an_hour:
        return _too_many(in_hour[settings.sms_codes_an_hour - 1] + _HOUR, now)
    if len(times) >= settings.sms_codes_a_day:
        return _too_many(times[settings.sms_codes_a_day - 1] + _DAY, now)
    if sum(one.tries for one in of_phone) >= MOST_TRIES_A_DAY:
        return _too_many_tries(min(one.issued_at for one in of_phone if one.tries) + _DAY, now)
    if digest not in phones and len(phones) >= settings.sms_phones_an_hour_per_address:
        newest_first = sorted(phones.values(), reverse=True)
        return _too_many_phones(newest_first[settings.sms_phones_an_hour_per_address - 1] + _HOUR, now)
    return None


def _requests_for_phone(session: Session, digest: bytes, now: datetime) -> Sequence[_PastRequest]:
    """The telephone's requests of the last day, newest first."""
    rows = session.execute(
        select(SmsCode.issued_at, SmsCode.device_id, SmsCode.tries)
        .where(SmsCode.phone_digest == digest, SmsCode.issued_at > now - _DAY)
        .order_by(SmsCode.issued_at.desc())
    )
    return [_PastRequest(one.issued_at, one.device_id, one.tries) for one in rows]


def _phones_of(session: Session, origin: str, now: datetime) -> dict[bytes, datetime]:
    """The telephones that an address requested in the last hour, each with its first time."""
    rows = session.execute(
        select(SmsCode.phone_digest, func.min(SmsCode.issued_at))
        .where(SmsCode.origin == origin, SmsCode.issued_at > now - _HOUR)
        .group_by(SmsCode.phone_digest)
    )
    return {digest: at for digest, at in rows}  # noqa: C416 - rows are not pairs to mypy


def _member_proved(work: Work, request: PersonalSignInRequest) -> Member:
    """Consumes the password; returns the member whose phone and password these are. Raises Problem `otp_wrong`."""
    kept = _code_proved(work, request)
    member = work.session.get_one(Member, kept.member_id)
    if not _keeps_phone(work.session, member, request.phone) or not _consume(work.session, kept):
        raise _wrong()
    return member


def _code_proved(work: Work, request: PersonalSignInRequest) -> _Kept:
    """Counts a try; returns the browser's newest password if it is this one. Raises Problem `otp_wrong`."""
    device_id = request.visit.device_id or _device_at(work.caller)
    kept = _count_try(work.database, phone_digest(request.phone), device_id)
    if kept is not None:
        audit.record(work.session, *([("member", kept.member_id)] if kept.member_id else []))
    digest = kept.code_digest if kept and kept.code_digest else secrets.token_bytes(16)
    if not secrets.compare_digest(digest, _code_digest(request.phone, request.code)) or kept is None:
        with work.database.begin() as apart:
            lockout.count_failure_of_address(apart, PURPOSE, work.caller.origin)
        raise _wrong()
    return kept


def _count_try(database: Database, digest: bytes, device_id: UUID) -> _Kept | None:
    """Counts a try of the newest password that the browser requested and returns it; None where no try is left."""
    newest = (
        select(SmsCode.code_id)
        .where(SmsCode.phone_digest == digest, SmsCode.device_id == device_id)
        .order_by(SmsCode.issued_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    with database.begin() as apart:
        return apart.execute(
            update(SmsCode)
            .where(SmsCode.code_id == newest, SmsCode.expires_at > func.now(), SmsCode.tries < MOST_TRIES)
            .values(tries=SmsCode.tries + 1)
            .returning(SmsCode.code_id, SmsCode.code_digest, SmsCode.member_id)
        ).first()


def _consume(session: Session, kept: _Kept) -> bool:
    """Voids the password; returns whether it was still valid."""
    consumed = session.execute(
        update(SmsCode)
        .where(SmsCode.code_id == kept.code_id, SmsCode.code_digest == kept.code_digest)
        .values(expires_at=func.now(), code_digest=None)
        .returning(SmsCode.code_id)
    )
    return consumed.first() is not None


def _member_with(session: Session, phone: str) -> Member | None:
    """The flexible member with this number; None where several share it, for one could then sign in as another."""
    found = session.scalars(
        select(Member).where(Member.phone_digest == phone_digest(phone), Member.affiliation != "employer").limit(2)
    ).all()
    return found[0] if len(found) == 1 else None


def _keeps_phone(session: Session, member: Member, phone: str) -> bool:
    """Whether the member still has this number; the member is locked until the transaction ends."""
    session.refresh(member, with_for_update={"read": True})
    return member.phone_digest == phone_digest(phone) and member.affiliation != "employer"


def _code_digest(phone: str, code: str) -> bytes:
    return blind_index(f"{phone} {code}", "one-time password")


def _wrong() -> Problem:
    return Problem("otp_wrong", 401, "验证码不正确或已失效", "请核对验证码，或在本设备上重新获取。")


def _too_soon(until: datetime, now: datetime) -> Problem:
    return _later("otp_too_soon", "验证码发送过于频繁", until, now)


def _too_many(until: datetime, now: datetime) -> Problem:
    return _later("otp_too_many", "该手机号获取验证码次数过多", until, now)


def _too_many_tries(until: datetime, now: datetime) -> Problem:
    return _later("otp_too_many_tries", "该手机号验证码输错次数过多", until, now)


def _too_many_phones(until: datetime, now: datetime) -> Problem:
    return _later("otp_too_many_phones", "当前网络获取验证码的手机号过多", until, now)


def _later(code: str, title: str, until: datetime, now: datetime) -> Problem:
    """A refusal with the time of the next attempt: in seconds, or as a time in Shanghai."""
    seconds = max(1, int((until - now).total_seconds()) + 1)
    when = f"{seconds} 秒后" if seconds <= 90 else f"{until.astimezone(SHANGHAI):%m月%d日 %H:%M} 以后"
    problem = Problem(code, 429, title, f"请在 {when}再获取验证码。")
    problem.retry_after = seconds
    return problem
