"""What may be asked of membership: sign-in, members, queueing, imports, unions, accounts, counts, the phone page."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from services.contracts.fields import (
    Whole,
    address,
    document_end,
    document_number,
    mobile,
    name,
    name_part,
    nationality,
    text,
)
from services.contracts.shared import CHANNELS, DOCUMENT_TYPES, IMPORT_STATES, RETIREMENT_CATEGORIES, SEXES
from services.kit.events.contract import choice
from services.kit.rpc.paging import PageAnswer, PageRequest

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


def _password() -> fields.String:
    return fields.String(
        required=True, load_only=True, validate=validate.Length(8, 64, error="密码应为 8 至 64 个字符")
    )


def _roles(**kwargs: Any) -> fields.List[Any]:
    return fields.List(choice(*ROLES), validate=validate.Length(1, error="请至少选择一个角色"), **kwargs)


# Sign-in and one's own account


class Credentials(Schema):
    account_name = text(64, required=True)
    password = fields.String(
        required=True, load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符")
    )


class CaptchaForm(Schema):
    """A captcha and its answer, for forms that somebody unknown sends."""

    captcha_id = text(600, required=True, metadata={"description": "of a captcha that was not answered before"})
    captcha_answer = text(
        20, 0, load_default="", metadata={"description": "case does not matter; empty where there is no picture"}
    )
    proof_of_work = fields.String(
        required=True,
        validate=Whole(r"^[0-9a-f]{64}$", error="安全验证未完成"),
        metadata={"description": "the solution: eight numbers of eight hexadecimal digits"},
    )


class SignInForm(Credentials, CaptchaForm):
    """What who signs in fills in."""


class CaptchaVerdict(Schema):
    """What the gateway, which made the captcha, says of the answer."""

    captcha_id = fields.UUID(required=True)
    expires_at = fields.AwareDateTime(required=True)
    is_right = fields.Boolean(required=True)
    level = fields.Integer(
        allow_none=True,
        load_default=None,
        metadata={"description": "how hard it was; null from a gateway of a release that knows no levels"},
    )


class GetCaptchaLevelRequest(Schema):
    purpose = choice(*CAPTCHA_PURPOSES, required=True)
    device_id = fields.UUID(allow_none=True, load_default=None)


class CaptchaLevelAnswer(Schema):
    level = fields.Integer(required=True, metadata={"description": "from 0 on; each one doubles the work"})


class Visit(Schema):
    """What the gateway knows of the browser that signs in."""

    user_agent = fields.String(required=True, allow_none=True)
    device_id = fields.UUID(
        allow_none=True, load_default=None, metadata={"description": "the browser, by its long-lived cookie"}
    )
    replaces = fields.UUID(
        required=True, allow_none=True, metadata={"description": "the session that the browser had until now"}
    )


class SignInRequest(Credentials):
    captcha = fields.Nested(CaptchaVerdict, required=True)
    visit = fields.Nested(Visit, required=True)


class UnionAnswer(Schema):
    union_id = fields.UUID(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    superior_union_id = fields.UUID(required=True, allow_none=True)
    superior_ids = fields.List(
        fields.UUID(), required=True, metadata={"description": "all unions above it, the city's first"}
    )
    kind = choice(*UNION_KINDS, required=True)


class AccountAnswer(Schema):
    """An account with its union, as its holder and the page's header need it."""

    account_id = fields.UUID(required=True)
    account_name = fields.String(required=True)
    display_name = fields.String(required=True)
    roles = _roles(required=True)
    union = fields.Nested(UnionAnswer, required=True)
    must_change_password = fields.Boolean(required=True)
    next_step = choice(
        *NEXT_STEPS,
        required=True,
        allow_none=True,
        metadata={"description": "what is to be done before anything else is allowed; null: nothing"},
    )
    has_second_factor = fields.Boolean(required=True)


class SessionAnswer(Schema):
    """A session as the gateway needs to know it."""

    session_id = fields.UUID(required=True)
    caller = fields.Dict(required=True, metadata={"description": "who acts in it"})
    ends_at = fields.AwareDateTime(required=True, metadata={"description": "unless it is used again"})
    next_step = choice(*NEXT_STEPS, required=True, allow_none=True)


class SignInAnswer(Schema):
    """Somebody who signed in, and the session."""

    account = fields.Nested(AccountAnswer, required=True)
    session = fields.Nested(SessionAnswer, required=True)


class SessionRequest(Schema):
    session_id = fields.UUID(required=True)


class SignOutRequest(Schema):
    """Takes nothing: the session is known."""


class ListMySessionsRequest(Schema):
    """Takes nothing: the caller is known."""


class MySession(Schema):
    """A session of one's own that lives."""

    session_id = fields.UUID(required=True)
    started_at = fields.AwareDateTime(required=True)
    used_at = fields.AwareDateTime(required=True, metadata={"description": "within half a minute"})
    origin = fields.String(required=True, allow_none=True, metadata={"description": "the address"})
    user_agent = fields.String(required=True, allow_none=True, metadata={"description": "the browser's own words"})
    is_current = fields.Boolean(required=True)


class MySessionsAnswer(Schema):
    items = fields.List(fields.Nested(MySession), required=True, metadata={"description": "newest first"})


class GetMeRequest(Schema):
    """Takes nothing: the caller is known."""


class ChangePasswordRequest(Schema):
    current_password = fields.String(
        required=True, load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符")
    )
    new_password = _password()


class CurrentPasswordRequest(Schema):
    current_password = fields.String(
        required=True, load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符")
    )


class EnrolSecondFactorAnswer(Schema):
    secret = fields.String(required=True, metadata={"description": "base32, for who cannot scan"})
    otpauth_uri = fields.String(required=True)
    qr_svg = fields.String(required=True, metadata={"description": "the URI as a QR code, an SVG document"})


class SecondFactorCodeRequest(Schema):
    code = text(40, required=True, metadata={"description": "six digits of the authenticator, or a recovery code"})


class RecoveryCodesAnswer(Schema):
    recovery_codes = fields.List(
        fields.String(), required=True, metadata={"description": "each lets in once, in place of a code; told once"}
    )


# Members


class MemberFilter(Schema):
    """Which members of one union; what is absent does not narrow."""

    union_id = fields.UUID(metadata={"description": "a subordinate union; the caller's own where absent"})
    name = name_part(metadata={"description": "what the name begins with"})
    document_number = document_number(
        metadata={"description": "the whole number; such searches are counted and on record"}
    )
    document_end = document_end(
        metadata={
            "description": "the last four characters of the number, in the caller's own union alone; counted and on"
            " record likewise. A few others may be found by it"
        }
    )
    address = address(100, shortest=2, metadata={"description": "part of the address"})
    sex = choice(*SEXES)
    applied_from = fields.Date(metadata={"description": "day in Shanghai"})
    applied_to = fields.Date(metadata={"description": "day in Shanghai, inclusive"})
    card_state = choice(*CARD_STATES)
    channel = choice(*CHANNELS)


class ListMembersRequest(MemberFilter, PageRequest):
    pass


class SelectableReason(Schema):
    """Why a member cannot be queued."""

    code = choice("number_missing", "pending", "submitted", "issued", required=True)
    reason = fields.String(required=True)


class MemberItem(Schema):
    """A member as the list shows one."""

    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True, allow_none=True, metadata={"description": "null until it is given"})
    name = fields.String(required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True, metadata={"description": "masked"})
    card_no = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    applied_at = fields.AwareDateTime(required=True, allow_none=True)
    channel = choice(*CHANNELS, required=True, allow_none=True)
    card_state = choice(*CARD_STATES, required=True)
    application_id = fields.UUID(required=True, allow_none=True, metadata={"description": "the one of the card state"})
    selectable = fields.Boolean(required=True, metadata={"description": "whether the member can be queued"})
    reason = fields.Nested(SelectableReason, required=True, allow_none=True)


class ListMembersAnswer(PageAnswer):
    items = fields.List(fields.Nested(MemberItem), required=True)
    hint = fields.String(required=True, metadata={"description": "who is not in this list, and how they apply"})


class NumberSearchRequest(Schema):
    """A search that another service answers; it counts with those that membership answers."""

    document_number = document_number(required=True)
    place = text(100, required=True, metadata={"description": "the method that answers it"})


class GetMemberRequest(Schema):
    member_id = fields.UUID(required=True)


class StepAnswer(Schema):
    state = choice(*APPLICATION_STATES, required=True)
    at = fields.AwareDateTime(required=True)
    note = fields.String(required=True, allow_none=True)


class ApplicationAnswer(Schema):
    """One attempt of a member to get a card, with its history, oldest step first."""

    application_id = fields.UUID(required=True)
    state = choice(*APPLICATION_STATES, required=True)
    channel = choice(*CHANNELS, required=True)
    batch_no = fields.String(required=True, allow_none=True)
    outlet_code = fields.String(required=True, allow_none=True, metadata={"description": "of a personal application"})
    queued_at = fields.AwareDateTime(required=True)
    consent_version = fields.String(
        required=True, allow_none=True, metadata={"description": "the text agreed to; null until it is submitted"}
    )
    consented_at = fields.AwareDateTime(required=True, allow_none=True)
    steps = fields.List(fields.Nested(StepAnswer), required=True)


class CorrectedField(Schema):
    field = fields.String(required=True)
    old = fields.String(required=True, allow_none=True, metadata={"description": "numbers are masked"})
    new = fields.String(required=True, allow_none=True)


class CorrectionAnswer(Schema):
    """What a clerk corrected of a member in the pending list."""

    corrected_at = fields.AwareDateTime(required=True)
    corrected_by = fields.String(required=True, allow_none=True, metadata={"description": "the clerk's name"})
    refused = fields.Boolean(
        required=True, metadata={"description": "the document is another member's: nothing was taken"}
    )
    changes = fields.List(fields.Nested(CorrectedField), required=True)


class MemberAnswer(MemberItem):
    """What is known of a member; numbers are masked, and what a document's number tells is left out."""

    union_id = fields.UUID(required=True)
    document_expiry = fields.Date(required=True, allow_none=True, metadata={"description": "9999-12-31 is 长期"})
    document_issued = fields.Date(required=True, allow_none=True)
    nationality = fields.String(required=True, allow_none=True, metadata={"description": "ISO 3166-1 alpha-3"})
    phone = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    phone_held_until = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={"description": "until when the member can do nothing on the phone, whose number was changed"},
    )
    address = fields.String(required=True, allow_none=True)
    retirement_category = choice(*RETIREMENT_CATEGORIES, required=True, allow_none=True)
    special_retirement_month = fields.Date(required=True, allow_none=True)
    affiliation = choice(*AFFILIATIONS, required=True)
    registered_at = fields.AwareDateTime(required=True)
    corrections = fields.List(fields.Nested(CorrectionAnswer), required=True, metadata={"description": "newest first"})
    applications = fields.List(
        fields.Nested(ApplicationAnswer), required=True, metadata={"description": "newest first"}
    )


class MemberFacts(Schema):
    """What a clerk says of a member; null or absent is not known."""

    name = name()
    document_type = choice(*DOCUMENT_TYPES)
    document_number = document_number()
    document_expiry = fields.Date(allow_none=True, metadata={"description": "9999-12-31 is 长期"})
    document_issued = fields.Date(allow_none=True)
    birth_date = fields.Date(allow_none=True)
    sex = choice(*SEXES, allow_none=True)
    nationality = nationality(allow_none=True)
    phone = mobile(allow_none=True)
    address = address(allow_none=True)
    retirement_category = choice(*RETIREMENT_CATEGORIES, allow_none=True)
    special_retirement_month = fields.Date(allow_none=True, metadata={"description": "the first day of the month"})
    affiliation = choice(*AFFILIATIONS)


class RegisterMemberRequest(MemberFacts):
    name = name(required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = document_number(required=True)
    affiliation = choice(*AFFILIATIONS, load_default="employer")


class UpdateMemberRequest(MemberFacts):
    """What is absent stays as it is."""

    member_id = fields.UUID(required=True)


class RevealMemberRequest(Schema):
    """Asks for whole numbers; who asked and why is kept."""

    member_id = fields.UUID(required=True)
    reason = text(200, shortest=2, required=True)


class RevealedNumbers(Schema):
    """The numbers as they are, with what that of the document tells or the clerk wrote down."""

    document_number = fields.String(required=True)
    birth_date = fields.Date(required=True, allow_none=True)
    sex = choice(*SEXES, required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True)
    card_no = fields.String(required=True, allow_none=True)


class ExportMembersRequest(Schema):
    """Whole numbers are for administrators, who say why."""

    filter = fields.Nested(MemberFilter)
    whole_numbers = fields.Boolean(load_default=False)
    reason = text(200, shortest=2)

    @validates_schema
    def says_why(self, data: dict[str, object], **_: object) -> None:
        """Whole numbers need a reason."""
        if data["whole_numbers"] and "reason" not in data:
            raise ValidationError("导出完整号码须填写理由", "reason")


# Queueing


class QueueMembersRequest(Schema):
    """Either the named members or all of a filter that have no card 添加全部的未办卡会员至待办."""

    member_ids = fields.List(
        fields.UUID(), validate=validate.Length(1, LARGEST_QUEUEING, error=f"请选择 1 至 {LARGEST_QUEUEING} 位会员")
    )
    filter = fields.Nested(MemberFilter)

    @validates_schema
    def is_one_of_both(self, data: dict[str, object], **_: object) -> None:
        """Exactly one of `member_ids` and `filter`."""
        if ("member_ids" in data) == ("filter" in data):
            raise ValidationError("请勾选会员，或选择全部未办卡会员", "member_ids")


class SkippedReason(SelectableReason):
    code = choice("number_missing", "pending", "submitted", "issued", "not_found", required=True)
    count = fields.Integer(required=True)


class SkippedMember(Schema):
    member_id = fields.UUID(required=True)
    code = fields.String(required=True)
    reason = fields.String(required=True)


class QueueMembersAnswer(Schema):
    queued = fields.Integer(required=True)
    skipped = fields.Integer(required=True)
    skipped_by_reason = fields.List(fields.Nested(SkippedReason), required=True)
    skipped_members = fields.List(
        fields.Nested(SkippedMember), required=True, metadata={"description": "the first hundred"}
    )
    more = fields.Boolean(
        required=True, metadata={"description": f"by filter: more could be queued than {LARGEST_QUEUEING}; ask again"}
    )


# Imports


class StartImportRequest(Schema):
    file_name = text(200, required=True)
    content = fields.String(
        required=True, metadata={"description": "the .xlsx, .xls, .xlsb, .ods or .csv file, base64"}
    )


class ImportRequest(Schema):
    import_id = fields.UUID(required=True)


class ConfirmImportRequest(ImportRequest):
    """Says that what was previewed is to be registered. Said again, it changes nothing."""

    sheets = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1)),
        validate=validate.Length(1, 100, error="请至少选择一个工作表"),
        metadata={"description": "the numbers of the sheets to register; all that can be read where absent"},
    )


class NotRead(Schema):
    """What was passed over on a sheet, and why."""

    reason = fields.String(required=True)
    rows = fields.Integer(required=True, metadata={"description": "rows that hold something"})
    cells = fields.Integer(required=True, metadata={"description": "cells that hold something"})


class ImportSheet(Schema):
    """A sheet of the file."""

    sheet_no = fields.Integer(required=True)
    name = fields.String(required=True, metadata={"description": "empty for a text file"})
    is_hidden = fields.Boolean(required=True)
    reason = fields.String(required=True, allow_none=True, metadata={"description": "why it cannot be registered"})
    headings = fields.List(fields.String(), required=True, metadata={"description": "those that were understood"})
    rows = fields.Integer(required=True, metadata={"description": "rows that were read"})
    not_read = fields.List(fields.Nested(NotRead), required=True)
    is_chosen = fields.Boolean(
        required=True,
        allow_none=True,
        metadata={"description": "whether its rows are registered; null until confirmed"},
    )


class ImportAnswer(Schema):
    """An import and how far it is.

    A file is read (`reading`), shown (`previewed`), and registered when that is confirmed (`running`). It has
    `finished` when all its members have their numbers.
    """

    import_id = fields.UUID(required=True)
    file_name = fields.String(required=True)
    state = choice(*IMPORT_STATES, required=True)
    failure = fields.String(
        required=True, allow_none=True, metadata={"description": "why the file cannot be read, or the import ended"}
    )
    sheets = fields.List(fields.Nested(ImportSheet), required=True, metadata={"description": "empty until read"})
    rows_total = fields.Integer(required=True, allow_none=True, metadata={"description": "null until counted"})
    rows_new = fields.Integer(
        required=True,
        metadata={"description": "of the preview: what can be registered, unless somebody has the number"},
    )
    rows_known = fields.Integer(required=True, metadata={"description": "rejected rows of members; 0 until confirmed"})
    rows_wrong = fields.Integer(required=True, metadata={"description": "of the preview: what cannot be registered"})
    rows_read = fields.Integer(required=True, metadata={"description": "rows that were registered or rejected"})
    rows_accepted = fields.Integer(required=True)
    rows_rejected = fields.Integer(required=True)
    rows_warned = fields.Integer(
        required=True, metadata={"description": "accepted rows of which something should be looked at"}
    )
    started_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "until when a preview can be confirmed"}
    )
    finished_at = fields.AwareDateTime(required=True, allow_none=True)


class PreviewedRow(Schema):
    """A row of the file; numbers are masked, and columns that were not understood are left out."""

    sheet_no = fields.Integer(required=True)
    line_no = fields.Integer(required=True)
    cells = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True, metadata={"description": "by headings"}
    )
    verdict = choice(*ROW_VERDICTS, required=True)
    reason = fields.String(required=True, allow_none=True, metadata={"description": "why it cannot be registered"})
    warning = fields.String(required=True, allow_none=True)


class ImportPreviewAnswer(Schema):
    """What a file says, before anybody is registered."""

    rows = fields.List(
        fields.Nested(PreviewedRow), required=True, metadata={"description": "the first rows of each sheet"}
    )
    wrong = fields.List(
        fields.Nested(PreviewedRow), required=True, metadata={"description": "the first rows that are wrong"}
    )


class ListImportsRequest(PageRequest):
    pass


class ListImportsAnswer(PageAnswer):
    items = fields.List(fields.Nested(ImportAnswer), required=True)


class GetImportTemplateRequest(Schema):
    """Takes nothing: there is one template."""


# Unions and accounts


class ListUnionsRequest(PageRequest):
    q = text(50, metadata={"description": "what the code begins with, or part of the name"})
    superior_union_id = fields.UUID(metadata={"description": "only those right below this union"})


class ListUnionsAnswer(PageAnswer):
    items = fields.List(fields.Nested(UnionAnswer), required=True)


class CreateUnionRequest(Schema):
    name = text(100, required=True)
    code = fields.String(required=True, metadata={"description": "统一社会信用代码, beginning with 81"})
    superior_union_id = fields.UUID(required=True)
    kind = choice(
        "superior",
        "grassroots",
        metadata={"description": "below the city's union superior alone; below a superior union grassroots by default"},
    )


class UnionRequest(Schema):
    """Names a union."""

    union_id = fields.UUID(required=True)


class NameUnionsRequest(Schema):
    """Unions that messages name by id or by code alone."""

    union_ids = fields.List(text(64), load_default=list, validate=validate.Length(max=100))
    codes = fields.List(text(64), load_default=list, validate=validate.Length(max=100))


class NamedUnion(Schema):
    union_id = fields.UUID(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)


class NameUnionsAnswer(Schema):
    items = fields.List(fields.Nested(NamedUnion), required=True)


class RenameUnionRequest(UnionRequest):
    name = text(100, required=True)


class ListAccountsRequest(PageRequest):
    union_id = fields.UUID(metadata={"description": "of this union alone; without it of all within reach"})
    q = text(50, metadata={"description": "part of the account or the display name, or the whole telephone number"})
    state = choice(*ACCOUNT_STATES)


class AccountRequest(Schema):
    """Names an account."""

    account_id = fields.UUID(required=True)


class AccountItem(Schema):
    """An account as administrators see it."""

    account_id = fields.UUID(required=True)
    union_id = fields.UUID(required=True)
    union_name = fields.String(required=True)
    account_name = fields.String(required=True)
    display_name = fields.String(required=True)
    roles = _roles(required=True)
    phone = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    state = choice(*ACCOUNT_STATES, required=True)
    disabled = fields.Boolean(required=True)
    locked_until = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "after too many wrong passwords"}
    )
    last_signed_in_at = fields.AwareDateTime(required=True, allow_none=True)
    must_change_password = fields.Boolean(required=True)
    has_second_factor = fields.Boolean(required=True)
    created_at = fields.AwareDateTime(required=True)


class ListAccountsAnswer(PageAnswer):
    items = fields.List(fields.Nested(AccountItem), required=True)


class CreateAccountRequest(Schema):
    union_id = fields.UUID(required=True)
    account_name = fields.String(
        required=True,
        validate=Whole(r"^[a-z][a-z0-9._-]{2,39}$", error="账号应为 3 至 40 个小写字母、数字或 . _ -，以字母开头"),
    )
    display_name = text(50, required=True)
    roles = _roles(required=True)
    phone = mobile(required=True, metadata={"description": "the holder's: the link to choose a password goes there"})


class NewAccountAnswer(AccountItem):
    """An account whose holder has a link to choose the first password."""

    sent_to = fields.String(required=True, metadata={"description": "the telephone that gets the link, masked"})
    expires_at = fields.AwareDateTime(required=True, metadata={"description": "until when the link works"})


class UpdateAccountRequest(Schema):
    """What is absent stays as it is. The telephone is changed by two administrators."""

    account_id = fields.UUID(required=True)
    display_name = text(50)
    roles = _roles()
    disabled = fields.Boolean()


# Forgotten passwords


class ResetLinkAnswer(Schema):
    """A link that is sent to the account's telephone alone; the newest one is the only one that works."""

    expires_at = fields.AwareDateTime(required=True)
    sent_to = fields.String(required=True, metadata={"description": "the telephone that gets it by SMS, masked"})


# Telephones of accounts that are changed: one administrator asks, another one confirms


class RequestPhoneChangeRequest(Schema):
    account_id = fields.UUID(required=True)
    phone = mobile(required=True, allow_none=True, metadata={"description": "the new number; null takes the old away"})
    reason = text(200, shortest=2, required=True, metadata={"description": "who confirms reads it"})


class PhoneChangeRequest(Schema):
    """Names a change that was asked for."""

    change_id = fields.UUID(required=True)


class ListPhoneChangesRequest(PageRequest):
    state = choice(*PHONE_CHANGE_STATES)
    account_id = fields.UUID()


class PhoneChangeAnswer(Schema):
    """A telephone number that waits for a second administrator, or what became of it."""

    change_id = fields.UUID(required=True)
    account_id = fields.UUID(required=True)
    account_name = fields.String(required=True)
    display_name = fields.String(required=True)
    union_id = fields.UUID(required=True)
    union_name = fields.String(required=True)
    old_phone = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    new_phone = fields.String(
        required=True, allow_none=True, metadata={"description": "whole for who can confirm it, masked for others"}
    )
    reason = fields.String(required=True)
    state = choice(*PHONE_CHANGE_STATES, required=True)
    requested_by = fields.UUID(required=True)
    requested_by_name = fields.String(required=True)
    requested_at = fields.AwareDateTime(required=True)
    expires_at = fields.AwareDateTime(required=True)
    decided_by_name = fields.String(required=True, allow_none=True)
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    can_confirm = fields.Boolean(
        required=True, metadata={"description": "whether it waits for the caller, who is another than who asked for it"}
    )


class PhoneChangesAnswer(PageAnswer):
    items = fields.List(fields.Nested(PhoneChangeAnswer), required=True)


# Links to choose a password, as their holders use them


class CheckResetLinkRequest(Schema):
    token = text(100, required=True, load_only=True)


class CheckResetLinkAnswer(Schema):
    account_name = fields.String(required=True, metadata={"description": "masked"})
    expires_at = fields.AwareDateTime(required=True)


class ResetPasswordForm(CheckResetLinkRequest):
    """What who chooses a password by a link fills in."""

    new_password = _password()


class ResetPasswordRequest(ResetPasswordForm):
    device_id = fields.UUID(
        allow_none=True, load_default=None, metadata={"description": "the browser, which is known from then on"}
    )


class ResetPasswordAnswer(Schema):
    account_name = fields.String(required=True, metadata={"description": "to sign in with"})


# Counts for the workbench


class MemberSummaryRequest(Schema):
    union_id = fields.UUID(metadata={"description": "a subordinate union; the caller's own where absent"})


class CardStateCounts(Schema):
    none = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    submitted = fields.Integer(required=True)
    issued = fields.Integer(required=True)


class ApplicationsOfDay(Schema):
    day = fields.Date(required=True)
    queued = fields.Integer(required=True)
    issued = fields.Integer(required=True)
    refused = fields.Integer(required=True)


class UnionMembers(Schema):
    union = fields.Nested(UnionAnswer, required=True)
    by_card_state = fields.Nested(CardStateCounts, required=True)


class MemberSummaryAnswer(Schema):
    by_card_state = fields.Nested(CardStateCounts, required=True)
    applications_by_day = fields.List(
        fields.Nested(ApplicationsOfDay), required=True, metadata={"description": "30 days"}
    )
    by_union = fields.List(
        fields.Nested(UnionMembers),
        required=True,
        metadata={"description": "for a superior: each direct subordinate with all below it"},
    )


# The phone page 个人办卡


class RequestOtpForm(CaptchaForm):
    """What who wants a one-time password fills in."""

    phone = mobile(required=True)


class RequestOtpRequest(Schema):
    phone = mobile(required=True)
    captcha = fields.Nested(
        CaptchaVerdict,
        allow_none=True,
        load_default=None,
        metadata={"description": "null from a gateway of a release that asked for none"},
    )
    device_id = fields.UUID(
        allow_none=True, load_default=None, metadata={"description": "the browser in which the password will work"}
    )


class RequestOtpAnswer(Schema):
    """The same whether the number is known or not."""

    expires_at = fields.AwareDateTime(required=True)


class PersonalSignInForm(Schema):
    """What a member fills in on the phone."""

    phone = mobile(required=True)
    code = fields.String(required=True, load_only=True, validate=Whole(r"^[0-9]{6}$", error="请填写 6 位验证码"))


class PersonalSignInRequest(PersonalSignInForm):
    visit = fields.Nested(Visit, required=True)


class SignedInMember(Schema):
    member_id = fields.UUID(required=True)
    name = fields.String(required=True)
    union = fields.Nested(UnionAnswer, required=True)


class PersonalSignInAnswer(Schema):
    """A member who signed in, and the session."""

    member = fields.Nested(SignedInMember, required=True)
    session = fields.Nested(SessionAnswer, required=True)


class GetPersonalProfileRequest(Schema):
    """Takes nothing: the member is known."""


class PersonalProfileAnswer(Schema):
    """What a member sees of himself, and what may be corrected (会员信息梳理)."""

    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True, allow_none=True)
    name = fields.String(required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True, metadata={"description": "masked"})
    document_expiry = fields.Date(required=True, allow_none=True)
    document_issued = fields.Date(required=True, allow_none=True)
    phone = fields.String(required=True, metadata={"description": "masked"})
    address = fields.String(required=True, allow_none=True)
    retirement_category = choice(*RETIREMENT_CATEGORIES, required=True, allow_none=True)
    card_state = choice(*CARD_STATES, required=True)
    card_no = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    can_apply = fields.Boolean(required=True)
    reason = fields.String(required=True, allow_none=True, metadata={"description": "why one cannot apply here"})


class UpdatePersonalProfileRequest(Schema):
    """What is absent stays as it is."""

    address = address()
    document_expiry = fields.Date()
    document_issued = fields.Date()


class ApplyPersonallyRequest(Schema):
    outlet_code = text(20, required=True)
    consent_version = text(20, required=True, metadata={"description": "the consent text that the member agreed to"})


class PersonalApplicationAnswer(ApplicationAnswer):
    outlet_code = fields.String(required=True)


class GetPersonalApplicationsRequest(Schema):
    """Takes nothing: the member is known."""


class PersonalApplicationsAnswer(Schema):
    items = fields.List(fields.Nested(PersonalApplicationAnswer), required=True)
