"""Captchas that were answered: each counts once, over all gateway processes, right or wrong."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.common.problems import FieldProblem, Invalid
from services.membership.models import UsedCaptcha


def use_up(session: Session, verdict: Mapping[str, Any]) -> Invalid | None:
    """Uses the captcha up; answers what is wrong with it: `captcha_used`, `captcha_wrong`, or nothing.

    The refusal is answered, not raised: what is used up stays so, in a transaction that the caller commits.
    """
    session.execute(delete(UsedCaptcha).where(UsedCaptcha.expires_at < func.now()))
    first_use = session.scalar(
        insert(UsedCaptcha)
        .values(captcha_id=verdict["captcha_id"], expires_at=verdict["expires_at"])
        .on_conflict_do_nothing()
        .returning(UsedCaptcha.captcha_id)
    )
    if first_use is None:
        return _refusal("captcha_used", "验证码已使用过", "请换一张验证码后重新填写。")
    if not verdict["is_right"]:
        return _refusal("captcha_wrong", "验证码不正确", "已换一张验证码，请重新填写。")
    return None


def _refusal(code: str, title: str, detail: str) -> Invalid:
    return Invalid([FieldProblem("captcha_answer", code, title)], code, title, detail)
