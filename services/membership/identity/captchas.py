"""Answered captchas: each can be used once, over all gateway processes, right or wrong, if it was hard enough."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.contracts.operations.membership.identity import (
    CaptchaLevelAnswer,
    CaptchaVerdict,
    GetCaptchaLevelRequest,
)
from services.kit.problems import FieldProblem, Invalid
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.membership.identity import devices, lockout
from services.membership.models import UsedCaptcha


def captcha_level(work: Work, request: GetCaptchaLevelRequest) -> CaptchaLevelAnswer:
    """The difficulty of the next captcha; it is not raised for devices that have signed in before."""
    if devices.has_signed_in_anybody(work.session, request.device_id):
        return CaptchaLevelAnswer(level=0)
    return CaptchaLevelAnswer(level=lockout.level_of_address(work.session, request.purpose, work.caller.origin))


def consume(
    session: Session, caller: Caller, purpose: str, verdict: CaptchaVerdict, *, is_known_device: bool
) -> Invalid | None:
    """Marks the captcha as used; returns an error `captcha_used`, `captcha_wrong` or `captcha_too_easy`, or None.

    It must be as hard as the address requires now, whatever was required when it was made. The error is returned, not
    raised, so that the caller's transaction commits the use. A wrong answer counts as a failure of the address.
    """
    first_use = session.scalar(
        insert(UsedCaptcha)
        .values(captcha_id=verdict.captcha_id, expires_at=verdict.expires_at)
        .on_conflict_do_nothing()
        .returning(UsedCaptcha.captcha_id)
    )
    if first_use is None:
        return _refusal("captcha_used", "验证码已使用过", "请换一张验证码后重新填写。")
    if not verdict.is_right:
        lockout.count_failure_of_address(session, purpose, caller.origin)
        return _refusal("captcha_wrong", "验证码不正确", "已换一张验证码，请重新填写。")
    needed = lockout.level_of_address(session, purpose, caller.origin)
    if not is_known_device and verdict.level is not None and verdict.level < needed:
        return _refusal("captcha_too_easy", "需要重新验证", "当前网络失败次数较多，请按新的验证码重新填写并稍候提交。")
    return None


def _refusal(code: str, title: str, detail: str) -> Invalid:
    return Invalid([FieldProblem("captcha_answer", code, title)], code, title, detail)
