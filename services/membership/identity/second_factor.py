"""The second factor 动态口令: time-based codes of an authenticator (TOTP), and recovery codes in case it is lost."""

import io
import secrets
from datetime import UTC, datetime

import segno
from pyotp import TOTP, random_base32
from pyotp.utils import strings_equal
from sqlalchemy import delete, func, insert, update
from sqlalchemy.orm import Session

from services.contracts.operations.membership.identity import (
    ConfirmedSecondFactorAnswer,
    CurrentPasswordRequest,
    EnrolSecondFactorAnswer,
    SecondFactorCodeRequest,
    SessionAnswer,
    SignInAnswer,
)
from services.kit.data.encryption import blind_index
from services.kit.problems import Conflict, FieldProblem, Invalid
from services.kit.rpc.work import Work
from services.membership.accounts.account_audit import record_account
from services.membership.accounts.account_notifications import notify_holder
from services.membership.identity import devices, lockout, sessions
from services.membership.identity.own_account import count_attempt, own_answer, reauthenticate
from services.membership.models import Account, RecoveryCode

RECOVERY_CODES = 10
_ISSUER = "上海工会会员服务卡"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_RECOVERY_LENGTH = 24
"""The length of recovery codes: 120 bits, which need no slow hash (ASVS 6.5.2)."""
_STEP_SECONDS = 30
_STEPS_BACK = 1
"""A code is valid while it is shown and one step longer, because typing takes time; RFC 6238 allows one step."""


def enrol(work: Work, request: CurrentPasswordRequest) -> EnrolSecondFactorAnswer:
    """Creates a secret for the caller's authenticator, shown once; it takes effect when a code confirms it.

    Raises Invalid for a wrong password, Conflict `second_factor_on`.
    """
    account, _ = reauthenticate(work, request.current_password)
    if account.totp_confirmed_at is not None:
        raise Conflict("second_factor_on", "已启用动态口令", "如需更换手机，请先停用再重新启用。")
    account.totp_secret, account.totp_last_step = random_base32(), None
    uri = TOTP(account.totp_secret).provisioning_uri(name=account.account_name, issuer_name=_ISSUER)
    picture = io.BytesIO()
    segno.make(uri, error="m", micro=False).save(picture, kind="svg", scale=4, xmldecl=False)
    return EnrolSecondFactorAnswer(secret=account.totp_secret, otpauth_uri=uri, qr_svg=picture.getvalue().decode())


def confirm(work: Work, request: SecondFactorCodeRequest) -> ConfirmedSecondFactorAnswer:
    """Turns the second factor on, after a code has proved that the authenticator has the secret.

    All other sessions end. Failures count as wrong current passwords do. Raises Conflict
    `second_factor_not_enrolled`, Invalid `second_factor_wrong`, Problem `session_ended`.
    """
    session = work.session
    account, current, counter = count_attempt(work)
    record_account(session, account)
    if account.totp_secret is None or account.totp_confirmed_at is not None:
        raise Conflict("second_factor_not_enrolled", "没有待确认的动态口令", "请重新扫描二维码。")
    if not _verify_totp(account, request.code):
        raise _wrong()
    lockout.discount_attempt(session, counter)
    account.totp_confirmed_at = datetime.now(UTC)
    codes = _new_recovery_codes(session, account)
    notify_holder(session, account, "second_factor_on")
    sessions.end_all(session, account, "second_factor_changed")
    begun = sessions.renew(session, current, passed_second_factor=True)
    return ConfirmedSecondFactorAnswer(recovery_codes=codes, session=begun)


def verify(work: Work, request: SecondFactorCodeRequest) -> SignInAnswer:
    """Completes the sign-in of a caller who proved the password and now the second factor, in a session with a new id.

    A code can be used once. Failures count as wrong current passwords do, and too many end this session; the device
    becomes known for the account. Raises Invalid `second_factor_wrong`, Problem `session_ended`.
    """
    session, code = work.session, request.code
    account, current, counter = count_attempt(work)
    record_account(session, account)
    if account.totp_confirmed_at is None:
        raise Conflict("second_factor_off", "未启用动态口令")
    if not _verify_totp(account, code) and not _use_recovery_code(session, account, code):
        raise _wrong()
    if counter.is_of_device:
        lockout.forget(session, counter)
    else:
        lockout.forget_failures(session, account)
    devices.remember(session, current.device_id, account.account_id)
    sessions.end(session, current, "second_factor_passed")
    begun = sessions.renew(session, current, passed_second_factor=True)
    return SignInAnswer(account=own_answer(session, account, begun.next_step), session=begun)


def remove(work: Work, request: CurrentPasswordRequest) -> SessionAnswer:
    """Turns the caller's second factor off; all other sessions end. Raises Invalid."""
    account, current = reauthenticate(work, request.current_password)
    forget(work.session, account)
    notify_holder(work.session, account, "second_factor_off")
    return sessions.renew(work.session, current)


def forget(session: Session, account: Account) -> None:
    """Turns the second factor of an account off, and ends its sessions."""
    account.totp_secret = account.totp_confirmed_at = account.totp_last_step = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.account_id))
    sessions.end_all(session, account, "second_factor_changed")


def _verify_totp(account: Account, code: str) -> bool:
    """Accepts a current code that was not used before; the account is locked, so that it is used only once."""
    if account.totp_secret is None:
        return False
    totp, now = TOTP(account.totp_secret), int(datetime.now(UTC).timestamp()) // _STEP_SECONDS
    for step in range(now - _STEPS_BACK, now + 1):
        is_new = account.totp_last_step is None or step > account.totp_last_step
        if is_new and strings_equal(totp.generate_otp(step), _plain(code)):
            account.totp_last_step = step
            return True
    return False


def _use_recovery_code(session: Session, account: Account, code: str) -> bool:
    used = session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account.account_id,
            RecoveryCode.code_digest == _digest(account, code),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=func.now())
        .returning(RecoveryCode.account_id)
    )
    return used is not None


def _new_recovery_codes(session: Session, account: Account) -> list[str]:
    codes = ["".join(secrets.choice(_BASE32) for _ in range(_RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES)]
    rows = [{"account_id": account.account_id, "code_digest": _digest(account, code)} for code in codes]
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.account_id))
    session.execute(insert(RecoveryCode), rows)
    return ["-".join(code[start : start + 4] for start in range(0, _RECOVERY_LENGTH, 4)) for code in codes]


def _digest(account: Account, code: str) -> bytes:
    return blind_index(f"{account.account_id} {_plain(code)}", "recovery code")


def _plain(code: str) -> str:
    return "".join(character for character in code.upper() if character.isalnum())


def _wrong() -> Invalid:
    title = "动态口令不正确或已使用"
    fields = [FieldProblem("code", "second_factor_wrong", title)]
    return Invalid(fields, "second_factor_wrong", title, "请输入验证器上新的口令，或使用恢复码。")
