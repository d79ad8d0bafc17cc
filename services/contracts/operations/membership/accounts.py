"""The operations on unions and their accounts: roles, locks, reset links, changes of telephone."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import fields, validate

from services.contracts.fields import Mobile
from services.contracts.operations.roles import subordinates
from services.contracts.shared import UNION_KINDS
from services.kit.events.contract import choice
from services.kit.fields import FullMatch, text
from services.kit.rpc.operation import ANONYMOUS, command, no_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest, sortable
from services.kit.schemas import UNSET, Unset

ACCOUNT_STATES = ("active", "locked", "disabled")
NEXT_STEPS = ("second_factor", "password_change", "second_factor_enrolment")
ROLES = ("clerk", "reviewer", "administrator", "operator")
PHONE_CHANGE_STATES = ("requested", "confirmed", "declined", "expired")

NewPassword = Annotated[
    str, fields.String(load_only=True, validate=validate.Length(8, 64, error="密码应为 8 至 64 个字符"))
]
Roles = Annotated[list[Annotated[str, choice(*ROLES)]], validate.Length(1, error="请至少选择一个角色")]


@dataclass(frozen=True, kw_only=True)
class UnionAnswer:
    union_id: UUID
    code: str
    name: str
    superior_union_id: UUID | None
    superior_ids: Annotated[list[UUID], "all unions above it, the city's first"]
    kind: Annotated[str, choice(*UNION_KINDS)]


@dataclass(frozen=True, kw_only=True)
class StandsInFor:
    """A reviewer in whose name the account decides today."""

    name: str
    last_day: Annotated[date, "in Shanghai, inclusive"]


@dataclass(frozen=True, kw_only=True)
class AccountAnswer:
    """An account with its union, for its holder and the page header."""

    account_id: UUID
    account_name: str
    display_name: str
    roles: Roles
    union: UnionAnswer
    must_change_password: bool
    next_step: Annotated[
        str | None,
        choice(*NEXT_STEPS, allow_none=True),
        "what is to be done before anything else is allowed; null: nothing",
    ]
    has_second_factor: bool
    deputy_for: list[StandsInFor]


@dataclass(frozen=True, kw_only=True)
class ListUnionsRequest(PageRequest):
    q: Annotated[str | Unset, text(50), "the beginning of the code, or part of the name"] = UNSET
    superior_union_id: Annotated[UUID | Unset, "only the direct subordinates of this union"] = UNSET
    ended: Annotated[bool, "those that were dissolved or merged, in place of the others"] = False
    sort: Annotated[str, sortable("code", "name")] = "code"


@dataclass(frozen=True, kw_only=True)
class ListedUnion(UnionAnswer):
    ended_at: datetime | None
    successor_name: Annotated[str | None, "of the union that it was merged into"]


@dataclass(frozen=True, kw_only=True)
class ListUnionsAnswer(PageAnswer):
    items: list[ListedUnion]


@dataclass(frozen=True, kw_only=True)
class CreateUnionRequest:
    name: Annotated[str, text(100)]
    code: Annotated[str, "统一社会信用代码, beginning with 81"]
    superior_union_id: UUID
    kind: Annotated[
        str | Unset,
        choice("superior", "grassroots"),
        "below the city's union superior alone; below a superior union grassroots by default",
    ] = UNSET


@dataclass(frozen=True, kw_only=True)
class UnionRequest:
    """Identifies a union."""

    union_id: UUID


@dataclass(frozen=True, kw_only=True)
class NameUnionsRequest:
    """Looks up names of unions that messages name only by id or code."""

    union_ids: Annotated[list[Annotated[str, text(64)]], validate.Length(max=100)] = field(default_factory=list)
    codes: Annotated[list[Annotated[str, text(64)]], validate.Length(max=100)] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class NamedUnion:
    union_id: UUID
    code: str
    name: str


@dataclass(frozen=True, kw_only=True)
class NameUnionsAnswer:
    items: list[NamedUnion]


@dataclass(frozen=True, kw_only=True)
class RenameUnionRequest(UnionRequest):
    name: Annotated[str, text(100)]


@dataclass(frozen=True, kw_only=True)
class ListAccountsRequest(PageRequest):
    union_id: Annotated[UUID | Unset, "only of this union; if absent, of all unions in scope"] = UNSET
    q: Annotated[str | Unset, text(50), "part of the account or the display name, or the whole telephone number"] = (
        UNSET
    )
    state: Annotated[str | Unset, choice(*ACCOUNT_STATES)] = UNSET
    sort: Annotated[str, sortable("account_name", "last_signed_in_at")] = "account_name"


@dataclass(frozen=True, kw_only=True)
class AccountRequest:
    """Identifies an account."""

    account_id: UUID


@dataclass(frozen=True, kw_only=True)
class AccountItem:
    """An account as administrators see it."""

    account_id: UUID
    union_id: UUID
    union_name: str
    account_name: str
    display_name: str
    roles: Roles
    phone: Annotated[str | None, "masked"]
    state: Annotated[str, choice(*ACCOUNT_STATES)]
    disabled: bool
    locked_until: Annotated[datetime | None, "after too many wrong passwords"]
    last_signed_in_at: datetime | None
    must_change_password: bool
    has_second_factor: bool
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class ListAccountsAnswer(PageAnswer):
    items: list[AccountItem]


@dataclass(frozen=True, kw_only=True)
class CreateAccountRequest:
    union_id: UUID
    account_name: Annotated[
        str, FullMatch(r"^[a-z][a-z0-9._-]{2,39}$", error="账号应为 3 至 40 个小写字母、数字或 . _ -，以字母开头")
    ]
    display_name: Annotated[str, text(50)]
    roles: Roles
    phone: Annotated[Mobile, "the holder's: the link to choose a password goes there"]


@dataclass(frozen=True, kw_only=True)
class NewAccountAnswer(AccountItem):
    """A new account, whose holder gets a link to choose the first password."""

    sent_to: Annotated[str, "the telephone that gets the link, masked"]
    expires_at: Annotated[datetime, "until when the link works"]


@dataclass(frozen=True, kw_only=True)
class UpdateAccountRequest:
    """Absent fields stay unchanged. Changing the telephone takes two administrators."""

    account_id: UUID
    display_name: Annotated[str | Unset, text(50)] = UNSET
    roles: Roles | Unset = UNSET
    disabled: bool | Unset = UNSET


@dataclass(frozen=True, kw_only=True)
class ResetLinkAnswer:
    """A link that is sent only to the account's telephone; only the newest link works."""

    expires_at: datetime
    sent_to: Annotated[str, "the telephone that gets it by SMS, masked"]


@dataclass(frozen=True, kw_only=True)
class RequestPhoneChangeRequest:
    account_id: UUID
    phone: Annotated[Mobile | None, "the new number; null removes the old one"]
    reason: Annotated[str, text(200, shortest=2), "the confirming administrator reads it"]


@dataclass(frozen=True, kw_only=True)
class PhoneChangeRequest:
    """Identifies a requested change of telephone."""

    change_id: UUID


@dataclass(frozen=True, kw_only=True)
class ListPhoneChangesRequest(PageRequest):
    state: Annotated[str | Unset, choice(*PHONE_CHANGE_STATES)] = UNSET
    account_id: UUID | Unset = UNSET


@dataclass(frozen=True, kw_only=True)
class PhoneChangeAnswer:
    """A requested change of telephone that waits for a second administrator, or its outcome."""

    change_id: UUID
    account_id: UUID
    account_name: str
    display_name: str
    union_id: UUID
    union_name: str
    old_phone: Annotated[str | None, "masked"]
    new_phone: Annotated[str | None, "whole for those who can confirm it, masked for others"]
    reason: str
    state: Annotated[str, choice(*PHONE_CHANGE_STATES)]
    requested_by: UUID
    requested_by_name: str
    requested_at: datetime
    expires_at: datetime
    decided_by_name: str | None
    decided_at: datetime | None
    can_confirm: Annotated[bool, "whether the caller, who is not the requester, can confirm it"]


@dataclass(frozen=True, kw_only=True)
class PhoneChangesAnswer(PageAnswer):
    items: list[PhoneChangeAnswer]


@dataclass(frozen=True, kw_only=True)
class CheckResetLinkRequest:
    token: Annotated[str, text(100, load_only=True)]


@dataclass(frozen=True, kw_only=True)
class CheckResetLinkAnswer:
    account_name: Annotated[str, "masked"]
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class ResetPasswordForm(CheckResetLinkRequest):
    """The form for choosing a password by a link."""

    new_password: NewPassword


@dataclass(frozen=True, kw_only=True)
class ResetPasswordRequest(ResetPasswordForm):
    device_id: Annotated[UUID | None, "the browser, which is known from then on"] = None


@dataclass(frozen=True, kw_only=True)
class ResetPasswordAnswer:
    account_name: Annotated[str, "to sign in with"]


LIST_UNIONS = query(
    "membership.list_unions", ListUnionsRequest, ListUnionsAnswer, allow=subordinates("reviewer", "administrator")
)
GET_UNION = query("membership.get_union", UnionRequest, UnionAnswer, allow=subordinates("reviewer", "administrator"))
NAME_UNIONS = query("membership.name_unions", NameUnionsRequest, NameUnionsAnswer, allow=no_union("operator"))
CREATE_UNION = command(
    "membership.create_union", CreateUnionRequest, UnionAnswer, allow=subordinates("administrator"), title="新增工会"
)
RENAME_UNION = command(
    "membership.rename_union",
    RenameUnionRequest,
    UnionAnswer,
    allow=subordinates("administrator"),
    title="修改工会名称",
)
LIST_ACCOUNTS = query(
    "membership.list_accounts", ListAccountsRequest, ListAccountsAnswer, allow=subordinates("administrator")
)
GET_ACCOUNT = query("membership.get_account", AccountRequest, AccountItem, allow=subordinates("administrator"))
CREATE_ACCOUNT = command(
    "membership.create_account",
    CreateAccountRequest,
    NewAccountAnswer,
    allow=subordinates("administrator"),
    title="新增账号",
)
UPDATE_ACCOUNT = command(
    "membership.update_account",
    UpdateAccountRequest,
    AccountItem,
    allow=subordinates("administrator"),
    title="修改账号",
)
UNLOCK_ACCOUNT = command(
    "membership.unlock_account", AccountRequest, AccountItem, allow=subordinates("administrator"), title="解锁账号"
)
REMOVE_SECOND_FACTOR_OF = command(
    "membership.remove_second_factor_of",
    AccountRequest,
    AccountItem,
    allow=subordinates("administrator"),
    title="解除账号的动态口令",
)
REQUEST_PHONE_CHANGE = command(
    "membership.request_phone_change",
    RequestPhoneChangeRequest,
    PhoneChangeAnswer,
    allow=subordinates("administrator"),
    title="申请更换账号手机号",
)
LIST_PHONE_CHANGES = query(
    "membership.list_phone_changes",
    ListPhoneChangesRequest,
    PhoneChangesAnswer,
    allow=subordinates("administrator"),
    title="查看待确认的新手机号",
)
CONFIRM_PHONE_CHANGE = command(
    "membership.confirm_phone_change",
    PhoneChangeRequest,
    PhoneChangeAnswer,
    allow=subordinates("administrator"),
    title="确认更换账号手机号",
)
DECLINE_PHONE_CHANGE = command(
    "membership.decline_phone_change",
    PhoneChangeRequest,
    PhoneChangeAnswer,
    allow=subordinates("administrator"),
    title="不同意更换账号手机号",
)
CREATE_RESET_LINK = command(
    "membership.create_reset_link",
    AccountRequest,
    ResetLinkAnswer,
    allow=subordinates("administrator"),
    title="发送密码重置链接",
)
CHECK_RESET_LINK = command(
    "membership.check_reset_link",
    CheckResetLinkRequest,
    CheckResetLinkAnswer,
    allow=no_union(ANONYMOUS),
    title="打开密码重置链接",
)
RESET_PASSWORD = command(
    "membership.reset_password",
    ResetPasswordRequest,
    ResetPasswordAnswer,
    allow=no_union(ANONYMOUS),
    title="通过重置链接设置密码",
)
