"""What may be asked of membership: sign-in, members, queueing, imports, unions, accounts, counts, the phone page."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from marshmallow import ValidationError, fields, validate

from services.contracts.fields import (
    Address,
    AddressPart,
    DocumentEnd,
    DocumentNumber,
    Mobile,
    NamePart,
    Nationality,
    PersonName,
)
from services.contracts.operations.roles import ACCOUNTS, LIMITED, STAFF, subordinates
from services.contracts.shared import CHANNELS, DOCUMENT_TYPES, IMPORT_STATES, RETIREMENT_CATEGORIES, SEXES
from services.kit.events.contract import choice
from services.kit.fields import Whole, text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import ANONYMOUS, command, no_union, own_data, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

AFFILIATIONS = ("employer", "flexible", "outside")
APPLICATION_STATES = ("queued", "submitted", "issued", "refused", "released", "removed")
CARD_STATES = ("none", "pending", "submitted", "issued")
ROW_VERDICTS = ("new", "wrong")
ACCOUNT_STATES = ("active", "locked", "disabled")
ROLES = ("clerk", "reviewer", "administrator", "operator")
NEXT_STEPS = ("second_factor", "password_change", "second_factor_enrolment")
CAPTCHA_PURPOSES = ("sign_in", "sms_code")
PHONE_CHANGE_STATES = ("requested", "confirmed", "declined", "expired")
UNION_KINDS = ("city", "superior", "grassroots")
LARGEST_EXPORT = 50_000
"""Members in one sheet."""

LARGEST_QUEUEING = 10_000
"""Members that one request can queue."""


NewPassword = Annotated[
    str, fields.String(load_only=True, validate=validate.Length(8, 64, error="密码应为 8 至 64 个字符"))
]
Roles = Annotated[list[Annotated[str, choice(*ROLES)]], validate.Length(1, error="请至少选择一个角色")]


# Sign-in and one's own account


@dataclass(frozen=True, kw_only=True)
class Credentials:
    account_name: Annotated[str, text(64)]
    password: Annotated[
        str, fields.String(load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符"))
    ]


@dataclass(frozen=True, kw_only=True)
class CaptchaForm:
    """A captcha and its answer, for forms that somebody unknown sends."""

    captcha_id: Annotated[str, text(600), "of a captcha that was not answered before"]
    captcha_answer: Annotated[str, text(20, 0), "case does not matter; empty where there is no picture"] = ""
    proof_of_work: Annotated[
        str, Whole(r"^[0-9a-f]{64}$", error="安全验证未完成"), "the solution: eight numbers of eight hexadecimal digits"
    ]


@dataclass(frozen=True, kw_only=True)
class SignInForm(Credentials, CaptchaForm):
    """What who signs in fills in."""


@dataclass(frozen=True, kw_only=True)
class CaptchaVerdict:
    """What the gateway, which made the captcha, says of the answer."""

    captcha_id: UUID
    expires_at: datetime
    is_right: bool
    level: Annotated[int | None, "how hard it was; null from a gateway of a release that knows no levels"] = None


@dataclass(frozen=True, kw_only=True)
class GetCaptchaLevelRequest:
    purpose: Annotated[str, choice(*CAPTCHA_PURPOSES)]
    device_id: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class CaptchaLevelAnswer:
    level: Annotated[int, "from 0 on; each one doubles the work"]


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What the gateway knows of the browser that signs in."""

    user_agent: str | None
    device_id: Annotated[UUID | None, "the browser, by its long-lived cookie"] = None
    replaces: Annotated[UUID | None, "the session that the browser had until now"]


@dataclass(frozen=True, kw_only=True)
class SignInRequest(Credentials):
    captcha: CaptchaVerdict
    visit: Visit


@dataclass(frozen=True, kw_only=True)
class UnionAnswer:
    union_id: UUID
    code: str
    name: str
    superior_union_id: UUID | None
    superior_ids: Annotated[list[UUID], "all unions above it, the city's first"]
    kind: Annotated[str, choice(*UNION_KINDS)]


@dataclass(frozen=True, kw_only=True)
class AccountAnswer:
    """An account with its union, as its holder and the page's header need it."""

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


@dataclass(frozen=True, kw_only=True)
class SessionAnswer:
    """A session as the gateway needs to know it."""

    session_id: UUID
    caller: Annotated[dict[str, Any], "who acts in it"]
    ends_at: Annotated[datetime, "unless it is used again"]
    next_step: Annotated[str | None, choice(*NEXT_STEPS, allow_none=True)]


@dataclass(frozen=True, kw_only=True)
class SignInAnswer:
    """Somebody who signed in, and the session."""

    account: AccountAnswer
    session: SessionAnswer


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    session_id: UUID


@dataclass(frozen=True, kw_only=True)
class SignOutRequest:
    """Takes nothing: the session is known."""


@dataclass(frozen=True, kw_only=True)
class ListMySessionsRequest:
    """Takes nothing: the caller is known."""


@dataclass(frozen=True, kw_only=True)
class MySession:
    """A session of one's own that lives."""

    session_id: UUID
    started_at: datetime
    used_at: Annotated[datetime, "within half a minute"]
    origin: Annotated[str | None, "the address"]
    user_agent: Annotated[str | None, "the browser's own words"]
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
    secret: Annotated[str, "base32, for who cannot scan"]
    otpauth_uri: str
    qr_svg: Annotated[str, "the URI as a QR code, an SVG document"]


@dataclass(frozen=True, kw_only=True)
class SecondFactorCodeRequest:
    code: Annotated[str, text(40), "six digits of the authenticator, or a recovery code"]


@dataclass(frozen=True, kw_only=True)
class RecoveryCodesAnswer:
    recovery_codes: Annotated[list[str], "each lets in once, in place of a code; told once"]


@dataclass(frozen=True, kw_only=True)
class ConfirmedSecondFactorAnswer(RecoveryCodesAnswer):
    """The codes, and the session that takes the place of the caller's."""

    session: SessionAnswer


# Members


@dataclass(frozen=True, kw_only=True)
class MemberFilter:
    """Which members of one union; what is absent does not narrow."""

    union_id: Annotated[UUID | Unset, "a subordinate union; the caller's own where absent"] = UNSET
    name: Annotated[NamePart | Unset, "what the name begins with"] = UNSET
    document_number: Annotated[DocumentNumber | Unset, "the whole number; such searches are counted and on record"] = (
        UNSET
    )
    document_end: Annotated[
        DocumentEnd | Unset,
        "the last four characters of the number, in the caller's own union alone; counted and on"
        " record likewise. A few others may be found by it",
    ] = UNSET
    address: Annotated[AddressPart | Unset, "part of the address"] = UNSET
    sex: Annotated[str | Unset, choice(*SEXES)] = UNSET
    applied_from: Annotated[date | Unset, "day in Shanghai"] = UNSET
    applied_to: Annotated[date | Unset, "day in Shanghai, inclusive"] = UNSET
    card_state: Annotated[str | Unset, choice(*CARD_STATES)] = UNSET
    channel: Annotated[str | Unset, choice(*CHANNELS)] = UNSET


@dataclass(frozen=True, kw_only=True)
class ListMembersRequest(MemberFilter, PageRequest):
    pass


@dataclass(frozen=True, kw_only=True)
class SelectableReason:
    """Why a member cannot be queued."""

    code: Annotated[str, choice("number_missing", "pending", "submitted", "issued")]
    reason: str


@dataclass(frozen=True, kw_only=True)
class MemberItem:
    """A member as the list shows one."""

    member_id: UUID
    member_no: Annotated[str | None, "null until it is given"]
    name: str
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: Annotated[str, "masked"]
    card_no: Annotated[str | None, "masked"]
    applied_at: datetime | None
    channel: Annotated[str | None, choice(*CHANNELS, allow_none=True)]
    card_state: Annotated[str, choice(*CARD_STATES)]
    application_id: Annotated[UUID | None, "the one of the card state"]
    selectable: Annotated[bool, "whether the member can be queued"]
    reason: SelectableReason | None


@dataclass(frozen=True, kw_only=True)
class ListMembersAnswer(PageAnswer):
    items: list[MemberItem]
    hint: Annotated[str, "who is not in this list, and how they apply"]


@dataclass(frozen=True, kw_only=True)
class NumberSearchRequest:
    """A search that another service answers; it counts with those that membership answers."""

    document_number: DocumentNumber
    place: Annotated[str, text(100), "the method that answers it"]


@dataclass(frozen=True, kw_only=True)
class GetMemberRequest:
    member_id: UUID


@dataclass(frozen=True, kw_only=True)
class StepAnswer:
    state: Annotated[str, choice(*APPLICATION_STATES)]
    at: datetime
    note: str | None


@dataclass(frozen=True, kw_only=True)
class ApplicationAnswer:
    """One attempt of a member to get a card, with its history, oldest step first."""

    application_id: UUID
    state: Annotated[str, choice(*APPLICATION_STATES)]
    channel: Annotated[str, choice(*CHANNELS)]
    batch_no: str | None
    outlet_code: Annotated[str | None, "of a personal application"]
    queued_at: datetime
    consent_version: Annotated[str | None, "the text agreed to; null until it is submitted"]
    consented_at: datetime | None
    steps: list[StepAnswer]


@dataclass(frozen=True, kw_only=True)
class CorrectedField:
    field: str
    old: Annotated[str | None, "numbers are masked"]
    new: str | None


@dataclass(frozen=True, kw_only=True)
class CorrectionAnswer:
    """What a clerk corrected of a member in the pending list."""

    corrected_at: datetime
    corrected_by: Annotated[str | None, "the clerk's name"]
    refused: Annotated[bool, "the document is another member's: nothing was taken"]
    changes: list[CorrectedField]


@dataclass(frozen=True, kw_only=True)
class MemberAnswer(MemberItem):
    """What is known of a member; numbers are masked, and what a document's number tells is left out."""

    union_id: UUID
    document_expiry: Annotated[date | None, "9999-12-31 is 长期"]
    document_issued: date | None
    nationality: Annotated[str | None, "ISO 3166-1 alpha-3"]
    phone: Annotated[str | None, "masked"]
    phone_held_until: Annotated[
        datetime | None, "until when the member can do nothing on the phone, whose number was changed"
    ]
    address: str | None
    retirement_category: Annotated[str | None, choice(*RETIREMENT_CATEGORIES, allow_none=True)]
    special_retirement_month: date | None
    affiliation: Annotated[str, choice(*AFFILIATIONS)]
    registered_at: datetime
    corrections: Annotated[list[CorrectionAnswer], "newest first"]
    applications: Annotated[list[ApplicationAnswer], "newest first"]


@dataclass(frozen=True, kw_only=True)
class MemberFacts:
    """What a clerk says of a member; null or absent is not known."""

    name: PersonName | Unset = UNSET
    document_type: Annotated[str | Unset, choice(*DOCUMENT_TYPES)] = UNSET
    document_number: DocumentNumber | Unset = UNSET
    document_expiry: Annotated[date | Unset | None, "9999-12-31 is 长期"] = UNSET
    document_issued: date | Unset | None = UNSET
    birth_date: date | Unset | None = UNSET
    sex: Annotated[str | Unset | None, choice(*SEXES, allow_none=True)] = UNSET
    nationality: Nationality | Unset | None = UNSET
    phone: Mobile | Unset | None = UNSET
    address: Address | Unset | None = UNSET
    retirement_category: Annotated[str | Unset | None, choice(*RETIREMENT_CATEGORIES, allow_none=True)] = UNSET
    special_retirement_month: Annotated[date | Unset | None, "the first day of the month"] = UNSET
    affiliation: Annotated[str | Unset, choice(*AFFILIATIONS)] = UNSET


@dataclass(frozen=True, kw_only=True)
class RegisterMemberRequest(MemberFacts):
    name: PersonName = field()
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)] = field()
    document_number: DocumentNumber = field()
    affiliation: Annotated[str, choice(*AFFILIATIONS)] = "employer"


@dataclass(frozen=True, kw_only=True)
class UpdateMemberRequest(MemberFacts):
    """What is absent stays as it is."""

    member_id: UUID


@dataclass(frozen=True, kw_only=True)
class RevealMemberRequest:
    """Asks for whole numbers; who asked and why is kept."""

    member_id: UUID
    reason: Annotated[str, text(200, shortest=2)]


@dataclass(frozen=True, kw_only=True)
class RevealedNumbers:
    """The numbers as they are, with what that of the document tells or the clerk wrote down."""

    document_number: str
    birth_date: date | None
    sex: Annotated[str | None, choice(*SEXES, allow_none=True)]
    phone: str | None
    card_no: str | None


@dataclass(frozen=True, kw_only=True)
class ExportMembersRequest:
    """Whole numbers are for administrators, who say why."""

    filter: MemberFilter | Unset = UNSET
    whole_numbers: bool = False
    reason: Annotated[str | Unset, text(200, shortest=2)] = UNSET

    def __post_init__(self) -> None:
        """Whole numbers need a reason."""
        if self.whole_numbers and self.reason is UNSET:
            raise ValidationError("导出完整号码须填写理由", "reason")


# Queueing


@dataclass(frozen=True, kw_only=True)
class QueueMembersRequest:
    """Either the named members or all of a filter that have no card 添加全部的未办卡会员至待办."""

    member_ids: Annotated[
        list[UUID] | Unset, validate.Length(1, LARGEST_QUEUEING, error=f"请选择 1 至 {LARGEST_QUEUEING} 位会员")
    ] = UNSET
    filter: MemberFilter | Unset = UNSET

    def __post_init__(self) -> None:
        """Exactly one of `member_ids` and `filter`."""
        if (self.member_ids is UNSET) == (self.filter is UNSET):
            raise ValidationError("请勾选会员，或选择全部未办卡会员", "member_ids")


@dataclass(frozen=True, kw_only=True)
class SkippedReason(SelectableReason):
    code: Annotated[str, choice("number_missing", "pending", "submitted", "issued", "not_found")]
    count: int


@dataclass(frozen=True, kw_only=True)
class SkippedMember:
    member_id: UUID
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class QueueMembersAnswer:
    queued: int
    skipped: int
    skipped_by_reason: list[SkippedReason]
    skipped_members: Annotated[list[SkippedMember], "the first hundred"]
    more: Annotated[bool, f"by filter: more could be queued than {LARGEST_QUEUEING}; ask again"]


# Imports


@dataclass(frozen=True, kw_only=True)
class StartImportRequest:
    file_name: Annotated[str, text(200)]
    content: Annotated[str, "the .xlsx, .xls, .xlsb, .ods or .csv file, base64"]


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    import_id: UUID


@dataclass(frozen=True, kw_only=True)
class ConfirmImportRequest(ImportRequest):
    """Says that what was previewed is to be registered. Said again, it changes nothing."""

    sheets: Annotated[
        list[Annotated[int, fields.Integer(strict=True, validate=validate.Range(1))]] | Unset,
        validate.Length(1, 100, error="请至少选择一个工作表"),
        "the numbers of the sheets to register; all that can be read where absent",
    ] = UNSET


@dataclass(frozen=True, kw_only=True)
class NotRead:
    """What was passed over on a sheet, and why."""

    reason: str
    rows: Annotated[int, "rows that hold something"]
    cells: Annotated[int, "cells that hold something"]


@dataclass(frozen=True, kw_only=True)
class ImportSheet:
    """A sheet of the file."""

    sheet_no: int
    name: Annotated[str, "empty for a text file"]
    is_hidden: bool
    reason: Annotated[str | None, "why it cannot be registered"]
    headings: Annotated[list[str], "those that were understood"]
    rows: Annotated[int, "rows that were read"]
    not_read: list[NotRead]
    is_chosen: Annotated[bool | None, "whether its rows are registered; null until confirmed"]


@dataclass(frozen=True, kw_only=True)
class ImportAnswer:
    """An import and how far it is.

    A file is read (`reading`), shown (`previewed`), and registered when that is confirmed (`running`). It has
    `finished` when all its members have their numbers.
    """

    import_id: UUID
    file_name: str
    state: Annotated[str, choice(*IMPORT_STATES)]
    failure: Annotated[str | None, "why the file cannot be read, or the import ended"]
    sheets: Annotated[list[ImportSheet], "empty until read"]
    rows_total: Annotated[int | None, "null until counted"]
    rows_new: Annotated[int, "of the preview: what can be registered, unless somebody has the number"]
    rows_known: Annotated[int, "rejected rows of members; 0 until confirmed"]
    rows_wrong: Annotated[int, "of the preview: what cannot be registered"]
    rows_read: Annotated[int, "rows that were registered or rejected"]
    rows_accepted: int
    rows_rejected: int
    rows_warned: Annotated[int, "accepted rows of which something should be looked at"]
    started_at: datetime
    expires_at: Annotated[datetime | None, "until when a preview can be confirmed"]
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class PreviewedRow:
    """A row of the file; numbers are masked, and columns that were not understood are left out."""

    sheet_no: int
    line_no: int
    cells: Annotated[dict[str, str], "by headings"]
    verdict: Annotated[str, choice(*ROW_VERDICTS)]
    reason: Annotated[str | None, "why it cannot be registered"]
    warning: str | None


@dataclass(frozen=True, kw_only=True)
class ImportPreviewAnswer:
    """What a file says, before anybody is registered."""

    rows: Annotated[list[PreviewedRow], "the first rows of each sheet"]
    wrong: Annotated[list[PreviewedRow], "the first rows that are wrong"]


@dataclass(frozen=True, kw_only=True)
class ListImportsRequest(PageRequest):
    pass


@dataclass(frozen=True, kw_only=True)
class ListImportsAnswer(PageAnswer):
    items: list[ImportAnswer]


@dataclass(frozen=True, kw_only=True)
class GetImportTemplateRequest:
    """Takes nothing: there is one template."""


# Unions and accounts


@dataclass(frozen=True, kw_only=True)
class ListUnionsRequest(PageRequest):
    q: Annotated[str | Unset, text(50), "what the code begins with, or part of the name"] = UNSET
    superior_union_id: Annotated[UUID | Unset, "only those right below this union"] = UNSET


@dataclass(frozen=True, kw_only=True)
class ListUnionsAnswer(PageAnswer):
    items: list[UnionAnswer]


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
    """Names a union."""

    union_id: UUID


@dataclass(frozen=True, kw_only=True)
class NameUnionsRequest:
    """Unions that messages name by id or by code alone."""

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
    union_id: Annotated[UUID | Unset, "of this union alone; without it of all within reach"] = UNSET
    q: Annotated[str | Unset, text(50), "part of the account or the display name, or the whole telephone number"] = (
        UNSET
    )
    state: Annotated[str | Unset, choice(*ACCOUNT_STATES)] = UNSET


@dataclass(frozen=True, kw_only=True)
class AccountRequest:
    """Names an account."""

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
        str, Whole(r"^[a-z][a-z0-9._-]{2,39}$", error="账号应为 3 至 40 个小写字母、数字或 . _ -，以字母开头")
    ]
    display_name: Annotated[str, text(50)]
    roles: Roles
    phone: Annotated[Mobile, "the holder's: the link to choose a password goes there"]


@dataclass(frozen=True, kw_only=True)
class NewAccountAnswer(AccountItem):
    """An account whose holder has a link to choose the first password."""

    sent_to: Annotated[str, "the telephone that gets the link, masked"]
    expires_at: Annotated[datetime, "until when the link works"]


@dataclass(frozen=True, kw_only=True)
class UpdateAccountRequest:
    """What is absent stays as it is. The telephone is changed by two administrators."""

    account_id: UUID
    display_name: Annotated[str | Unset, text(50)] = UNSET
    roles: Roles | Unset = UNSET
    disabled: bool | Unset = UNSET


# Forgotten passwords


@dataclass(frozen=True, kw_only=True)
class ResetLinkAnswer:
    """A link that is sent to the account's telephone alone; the newest one is the only one that works."""

    expires_at: datetime
    sent_to: Annotated[str, "the telephone that gets it by SMS, masked"]


# Telephones of accounts that are changed: one administrator asks, another one confirms


@dataclass(frozen=True, kw_only=True)
class RequestPhoneChangeRequest:
    account_id: UUID
    phone: Annotated[Mobile | None, "the new number; null takes the old away"]
    reason: Annotated[str, text(200, shortest=2), "who confirms reads it"]


@dataclass(frozen=True, kw_only=True)
class PhoneChangeRequest:
    """Names a change that was asked for."""

    change_id: UUID


@dataclass(frozen=True, kw_only=True)
class ListPhoneChangesRequest(PageRequest):
    state: Annotated[str | Unset, choice(*PHONE_CHANGE_STATES)] = UNSET
    account_id: UUID | Unset = UNSET


@dataclass(frozen=True, kw_only=True)
class PhoneChangeAnswer:
    """A telephone number that waits for a second administrator, or what became of it."""

    change_id: UUID
    account_id: UUID
    account_name: str
    display_name: str
    union_id: UUID
    union_name: str
    old_phone: Annotated[str | None, "masked"]
    new_phone: Annotated[str | None, "whole for who can confirm it, masked for others"]
    reason: str
    state: Annotated[str, choice(*PHONE_CHANGE_STATES)]
    requested_by: UUID
    requested_by_name: str
    requested_at: datetime
    expires_at: datetime
    decided_by_name: str | None
    decided_at: datetime | None
    can_confirm: Annotated[bool, "whether it waits for the caller, who is another than who asked for it"]


@dataclass(frozen=True, kw_only=True)
class PhoneChangesAnswer(PageAnswer):
    items: list[PhoneChangeAnswer]


# Links to choose a password, as their holders use them


@dataclass(frozen=True, kw_only=True)
class CheckResetLinkRequest:
    token: Annotated[str, text(100, load_only=True)]


@dataclass(frozen=True, kw_only=True)
class CheckResetLinkAnswer:
    account_name: Annotated[str, "masked"]
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class ResetPasswordForm(CheckResetLinkRequest):
    """What who chooses a password by a link fills in."""

    new_password: NewPassword


@dataclass(frozen=True, kw_only=True)
class ResetPasswordRequest(ResetPasswordForm):
    device_id: Annotated[UUID | None, "the browser, which is known from then on"] = None


@dataclass(frozen=True, kw_only=True)
class ResetPasswordAnswer:
    account_name: Annotated[str, "to sign in with"]


# Counts for the workbench


@dataclass(frozen=True, kw_only=True)
class MemberSummaryRequest:
    union_id: Annotated[UUID | Unset, "a subordinate union; the caller's own where absent"] = UNSET


@dataclass(frozen=True, kw_only=True)
class CardStateCounts:
    none: int
    pending: int
    submitted: int
    issued: int


@dataclass(frozen=True, kw_only=True)
class ApplicationsOfDay:
    day: date
    queued: int
    issued: int
    refused: int


@dataclass(frozen=True, kw_only=True)
class UnionMembers:
    union: UnionAnswer
    by_card_state: CardStateCounts


@dataclass(frozen=True, kw_only=True)
class MemberSummaryAnswer:
    by_card_state: CardStateCounts
    applications_by_day: Annotated[list[ApplicationsOfDay], "30 days"]
    by_union: Annotated[list[UnionMembers], "for a superior: each direct subordinate with all below it"]


# The phone page 个人办卡


@dataclass(frozen=True, kw_only=True)
class RequestOtpForm(CaptchaForm):
    """What who wants a one-time password fills in."""

    phone: Mobile


@dataclass(frozen=True, kw_only=True)
class RequestOtpRequest:
    phone: Mobile
    captcha: Annotated[CaptchaVerdict | None, "null from a gateway of a release that asked for none"] = None
    device_id: Annotated[UUID | None, "the browser in which the password will work"] = None


@dataclass(frozen=True, kw_only=True)
class RequestOtpAnswer:
    """The same whether the number is known or not."""

    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class PersonalSignInForm:
    """What a member fills in on the phone."""

    phone: Mobile
    code: Annotated[str, fields.String(load_only=True, validate=Whole(r"^[0-9]{6}$", error="请填写 6 位验证码"))]


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
    """A member who signed in, and the session."""

    member: SignedInMember
    session: SessionAnswer


@dataclass(frozen=True, kw_only=True)
class GetPersonalProfileRequest:
    """Takes nothing: the member is known."""


@dataclass(frozen=True, kw_only=True)
class PersonalProfileAnswer:
    """What a member sees of himself, and what may be corrected (会员信息梳理)."""

    member_id: UUID
    member_no: str | None
    name: str
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: Annotated[str, "masked"]
    document_expiry: date | None
    document_issued: date | None
    phone: Annotated[str, "masked"]
    address: str | None
    retirement_category: Annotated[str | None, choice(*RETIREMENT_CATEGORIES, allow_none=True)]
    card_state: Annotated[str, choice(*CARD_STATES)]
    card_no: Annotated[str | None, "masked"]
    can_apply: bool
    reason: Annotated[str | None, "why one cannot apply here"]


@dataclass(frozen=True, kw_only=True)
class UpdatePersonalProfileRequest:
    """What is absent stays as it is."""

    address: Address | Unset = UNSET
    document_expiry: date | Unset = UNSET
    document_issued: date | Unset = UNSET


@dataclass(frozen=True, kw_only=True)
class ApplyPersonallyRequest:
    outlet_code: Annotated[str, text(20)]
    consent_version: Annotated[str, text(20), "the consent text that the member agreed to"]


@dataclass(frozen=True, kw_only=True)
class PersonalApplicationAnswer(ApplicationAnswer):
    outlet_code: str


@dataclass(frozen=True, kw_only=True)
class GetPersonalApplicationsRequest:
    """Takes nothing: the member is known."""


@dataclass(frozen=True, kw_only=True)
class PersonalApplicationsAnswer:
    items: list[PersonalApplicationAnswer]


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
LIST_MEMBERS = query("membership.list_members", ListMembersRequest, ListMembersAnswer, allow=subordinates(*STAFF))
COUNT_NUMBER_SEARCH = command(
    "membership.count_number_search", NumberSearchRequest, allow=subordinates(*STAFF), title="按证件号码查询"
)
GET_MEMBER = command(
    "membership.get_member", GetMemberRequest, MemberAnswer, allow=subordinates(*STAFF), title="查看会员详情"
)
REGISTER_MEMBER = command(
    "membership.register_member", RegisterMemberRequest, MemberAnswer, allow=own_union("clerk"), title="登记会员"
)
UPDATE_MEMBER = command(
    "membership.update_member", UpdateMemberRequest, MemberAnswer, allow=own_union("clerk"), title="修改会员信息"
)
REVEAL_MEMBER = command(
    "membership.reveal_member",
    RevealMemberRequest,
    RevealedNumbers,
    allow=subordinates("clerk", "administrator"),
    title="查看会员完整号码",
)
EXPORT_MEMBERS = command(
    "membership.export_members", ExportMembersRequest, FileAnswer, allow=subordinates(*STAFF), title="导出会员名单"
)
QUEUE_MEMBERS = command(
    "membership.queue_members",
    QueueMembersRequest,
    QueueMembersAnswer,
    allow=own_union("clerk"),
    title="添加会员至待办",
)
GET_MEMBER_SUMMARY = query(
    "membership.get_member_summary", MemberSummaryRequest, MemberSummaryAnswer, allow=subordinates(*STAFF)
)
START_IMPORT = command(
    "membership.start_import", StartImportRequest, ImportAnswer, allow=own_union("clerk"), title="批量导入会员"
)
PREVIEW_IMPORT = command(
    "membership.preview_import", ImportRequest, ImportPreviewAnswer, allow=own_union("clerk"), title="预览批量导入"
)
CONFIRM_IMPORT = command(
    "membership.confirm_import", ConfirmImportRequest, ImportAnswer, allow=own_union("clerk"), title="确认批量导入"
)
CANCEL_IMPORT = command(
    "membership.cancel_import", ImportRequest, ImportAnswer, allow=own_union("clerk"), title="取消批量导入"
)
GET_IMPORT = query("membership.get_import", ImportRequest, ImportAnswer, allow=own_union("clerk"))
LIST_IMPORTS = query("membership.list_imports", ListImportsRequest, ListImportsAnswer, allow=own_union("clerk"))
GET_IMPORT_ERRORS = command(
    "membership.get_import_errors", ImportRequest, FileAnswer, allow=own_union("clerk"), title="下载导入错误清单"
)
GET_IMPORT_TEMPLATE = query(
    "membership.get_import_template", GetImportTemplateRequest, FileAnswer, allow=no_union("clerk")
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
GET_PERSONAL_PROFILE = query(
    "membership.get_personal_profile", GetPersonalProfileRequest, PersonalProfileAnswer, allow=own_data("member")
)
UPDATE_PERSONAL_PROFILE = command(
    "membership.update_personal_profile",
    UpdatePersonalProfileRequest,
    PersonalProfileAnswer,
    allow=own_data("member"),
    title="个人修改信息",
)
APPLY_PERSONALLY = command(
    "membership.apply_personally",
    ApplyPersonallyRequest,
    PersonalApplicationAnswer,
    allow=own_data("member"),
    title="个人申请办卡",
)
GET_PERSONAL_APPLICATIONS = query(
    "membership.get_personal_applications",
    GetPersonalApplicationsRequest,
    PersonalApplicationsAnswer,
    allow=own_data("member"),
)
