"""The operations of sign-in: captchas, sessions, passwords, second factors, codes by SMS."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from marshmallow import fields, validate

from services.contracts.fields import (
    Mobile,
)
from services.contracts.operations.membership.accounts import NEXT_STEPS, AccountAnswer, NewPassword, UnionAnswer
from services.contracts.operations.roles import ACCOUNTS, LIMITED
from services.kit.events.contract import choice
from services.kit.fields import FullMatch, text
from services.kit.rpc.operation import ANONYMOUS, command, no_union, own_data, query

CAPTCHA_PURPOSES = ("sign_in", "sms_code")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    account_name: Annotated[str, text(64)]
    password: Annotated[
        str, fields.String(load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符"))
    ]


@dataclass(frozen=True, kw_only=True)
class CaptchaForm:
    """A captcha and its answer, for forms of anonymous callers."""

    captcha_id: Annotated[str, text(600), "of a captcha that was not answered before"]
    captcha_answer: Annotated[str, text(20, 0), "case does not matter; empty where there is no picture"] = ""
    proof_of_work: Annotated[
        str,
        FullMatch(r"^[0-9a-f]{64}$", error="安全验证未完成"),
        "the solution: eight numbers of eight hexadecimal digits",
    ]


@dataclass(frozen=True, kw_only=True)
class SignInForm(Credentials, CaptchaForm):
    """The sign-in form."""


@dataclass(frozen=True, kw_only=True)
class CaptchaVerdict:
    """The verdict of the gateway, which made the captcha, on the answer."""

    captcha_id: UUID
    expires_at: datetime
    is_right: bool
    level: Annotated[int | None, "its difficulty; null from a gateway of a release without levels"] = None


@dataclass(frozen=True, kw_only=True)
class GetCaptchaLevelRequest:
    purpose: Annotated[str, choice(*CAPTCHA_PURPOSES)]
    device_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class CaptchaLevelAnswer:
    level: Annotated[int, "from 0 on; each one doubles the work"]


@dataclass(frozen=True, kw_only=True)
class Visit:
    """The gateway's data on the browser that signs in."""

    user_agent: str | None
    device_id: Annotated[UUID | None, "the browser, by its long-lived cookie"] = None
    replaces: Annotated[UUID | None, "the session that the browser had before"]


@dataclass(frozen=True, kw_only=True)
class SignInRequest(Credentials):
    captcha: CaptchaVerdict
    visit: Visit


@dataclass(frozen=True, kw_only=True)
class SessionAnswer:
    """A session, for the gateway."""

    session_id: UUID
    caller: Annotated[dict[str, Any], "the caller of its requests"]
    ends_at: Annotated[datetime, "unless it is used again"]
    next_step: Annotated[str | None, choice(*NEXT_STEPS, allow_none=True)]


@dataclass(frozen=True, kw_only=True)
class SignInAnswer:
    """The account that signed in, and its session."""

    account: AccountAnswer
    session: SessionAnswer


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    session_id: UUID


@dataclass(frozen=True, kw_only=True)
class SignOutRequest:
    """Has no parameters: the session is the caller's."""


@dataclass(frozen=True, kw_only=True)
class ListMySessionsRequest:
    """Takes nothing: the caller is known."""


@dataclass(frozen=True, kw_only=True)
class MySession:
    """An active session of the caller."""

    session_id: UUID
    started_at: datetime
    used_at: Annotated[datetime, "accurate to half a minute"]
    origin: Annotated[str | None, "the address"]
    user_agent: Annotated[str | None, "the browser's User-Agent header"]
    is_current: bool


@dataclass(frozen=True, kw_only=True)
class MySessionsAnswer:
    items: Annotated[list[MySession], "newest first"]


@dataclass(frozen=True, kw_only=True)
class GetMeRequest:
    """Takes nothing: the caller is known."""


@dataclass(frozen=True, kw_only=True)
class ChangePasswordRequest:
    current_password: Annotated[
        str, fields.String(load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符"))
    ]
    new_password: NewPassword


@dataclass(frozen=True, kw_only=True)
class CurrentPasswordRequest:
    current_password: Annotated[
        str, fields.String(load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符"))
    ]


@dataclass(frozen=True, kw_only=True)
class EnrolSecondFactorAnswer:
    secret: Annotated[str, "base32, for users who cannot scan"]
    otpauth_uri: str
    qr_svg: Annotated[str, "the URI as a QR code, an SVG document"]


@dataclass(frozen=True, kw_only=True)
class SecondFactorCodeRequest:
    code: Annotated[str, text(40), "six digits of the authenticator, or a recovery code"]


@dataclass(frozen=True, kw_only=True)
class RecoveryCodesAnswer:
    recovery_codes: Annotated[list[str], "each can be used once in place of a code; shown only once"]


@dataclass(frozen=True, kw_only=True)
class ConfirmedSecondFactorAnswer(RecoveryCodesAnswer):
    """The recovery codes, and the session that replaces the caller's."""

    session: SessionAnswer


@dataclass(frozen=True, kw_only=True)
class RequestOtpForm(CaptchaForm):
    """The form that requests a one-time password."""

    phone: Mobile


@dataclass(frozen=True, kw_only=True)
class RequestOtpRequest:
    phone: Mobile
    captcha: Annotated[CaptchaVerdict | None, "null from a gateway of a release without captchas here"] = None
    device_id: Annotated[UUID | None, "the browser in which the password will work"] = None


@dataclass(frozen=True, kw_only=True)
class RequestOtpAnswer:
    """The answer is the same whether the number is known or not."""

    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class PersonalSignInForm:
    """The sign-in form of a member on the phone."""

    phone: Mobile
    code: Annotated[str, fields.String(load_only=True, validate=FullMatch(r"^[0-9]{6}$", error="请填写 6 位验证码"))]


@dataclass(frozen=True, kw_only=True)
class PersonalSignInRequest(PersonalSignInForm):
    visit: Visit


@dataclass(frozen=True, kw_only=True)
class SignedInMember:
    member_id: UUID
    name: str
    union: UnionAnswer


@dataclass(frozen=True, kw_only=True)
class PersonalSignInAnswer:
    """The member who signed in, and the session."""

    member: SignedInMember
    session: SessionAnswer


GET_CAPTCHA_LEVEL = query(
    "membership.get_captcha_level", GetCaptchaLevelRequest, CaptchaLevelAnswer, allow=no_union(ANONYMOUS)
)


SIGN_IN = command("membership.sign_in", SignInRequest, SignInAnswer, allow=no_union(ANONYMOUS), title="登录")


USE_SESSION = command(
    "membership.use_session", SessionRequest, SessionAnswer, allow=no_union(ANONYMOUS), title="继续登录状态"
)


LOOK_AT_SESSION = query("membership.look_at_session", SessionRequest, SessionAnswer, allow=no_union(ANONYMOUS))


SIGN_OUT = command(
    "membership.sign_out", SignOutRequest, allow=own_data(*ACCOUNTS, LIMITED, "member"), title="退出登录"
)


GET_ME = query("membership.get_me", GetMeRequest, AccountAnswer, allow=own_data(*ACCOUNTS, LIMITED))


ENROL_SECOND_FACTOR = command(
    "membership.enrol_second_factor",
    CurrentPasswordRequest,
    EnrolSecondFactorAnswer,
    allow=own_data(*ACCOUNTS, LIMITED),
    title="申请动态口令",
)


CONFIRM_SECOND_FACTOR = command(
    "membership.confirm_second_factor",
    SecondFactorCodeRequest,
    ConfirmedSecondFactorAnswer,
    allow=own_data(*ACCOUNTS, LIMITED),
    title="启用动态口令",
)


PASS_SECOND_FACTOR = command(
    "membership.pass_second_factor",
    SecondFactorCodeRequest,
    SignInAnswer,
    allow=own_data(LIMITED),
    title="动态口令验证",
)


REMOVE_SECOND_FACTOR = command(
    "membership.remove_second_factor",
    CurrentPasswordRequest,
    SessionAnswer,
    allow=own_data(*ACCOUNTS),
    title="停用动态口令",
)


LIST_MY_SESSIONS = query(
    "membership.list_my_sessions", ListMySessionsRequest, MySessionsAnswer, allow=own_data(*ACCOUNTS)
)


END_MY_SESSION = command("membership.end_my_session", SessionRequest, allow=own_data(*ACCOUNTS), title="结束本人的登录")


CHANGE_PASSWORD = command(
    "membership.change_password",
    ChangePasswordRequest,
    SessionAnswer,
    allow=own_data(*ACCOUNTS, LIMITED),
    title="修改密码",
)


REQUEST_OTP = command(
    "membership.request_otp", RequestOtpRequest, RequestOtpAnswer, allow=no_union(ANONYMOUS), title="获取短信验证码"
)


PERSONAL_SIGN_IN = command(
    "membership.personal_sign_in",
    PersonalSignInRequest,
    PersonalSignInAnswer,
    allow=no_union(ANONYMOUS),
    title="个人登录",
)
