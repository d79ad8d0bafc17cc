"""What may be asked of membership: sign-in, members, imports, queueing, unions and accounts, personal applications."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from services.common.contracts.event import choice
from services.common.contracts.rpc.paging import PageAnswer, PageRequest
from services.common.contracts.shared import CHANNELS, DOCUMENT_TYPES, RETIREMENT_CATEGORIES, SEXES

ACCOUNT_ROLES = ("clerk", "reviewer", "administrator", "operator")
UNION_KINDS = ("city", "superior", "grassroots")
AFFILIATIONS = ("employer", "flexible")
CARD_STATES = ("none", "pending", "submitted", "issued")
APPLICATION_STATES = ("queued", "submitted", "issued", "refused", "released", "removed")
IMPORT_STATES = ("running", "finished", "failed")
LARGEST_SELECTION = 10_000
"""How many members one request queues at the most."""
LARGEST_FILE = 20 * 1024 * 1024
"""Bytes that an import's file may have."""

_MOBILE = r"^1[3-9]\d{9}$"


def _text(longest: int, shortest: int = 1, **kwargs: Any) -> fields.String:
    message = f"请填写 {shortest} 至 {longest} 个字"
    return fields.String(validate=validate.Length(shortest, longest, error=message), **kwargs)


def _mobile(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.Regexp(_MOBILE, error="请填写 11 位手机号"), **kwargs)


def _password(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.Length(8, 64, error="密码长度为 8 至 64 位"), **kwargs)


def _nationality(**kwargs: Any) -> fields.String:
    return fields.String(validate=validate.Regexp(r"^[A-Z]{3}$", error="请填写三位国籍代码，如 CHN"), **kwargs)


# Accounts and unions


class UnionAnswer(Schema):
    union_id = fields.UUID(required=True)
    code = fields.String(required=True, metadata={"description": "统一社会信用代码"})
    name = fields.String(required=True)
    kind = choice(*UNION_KINDS, required=True)
    superior_union_id = fields.UUID(required=True, allow_none=True)


class SignInRequest(Schema):
    account_name = _text(64, required=True)
    password = fields.String(required=True, validate=validate.Length(1, 200, error="请填写密码"))


class AccountAnswer(Schema):
    """An account and the union that it works for."""

    account_id = fields.UUID(required=True)
    account_name = fields.String(required=True)
    display_name = fields.String(required=True)
    roles = fields.List(choice(*ACCOUNT_ROLES), required=True)
    union = fields.Nested(UnionAnswer, required=True)
    must_change_password = fields.Boolean(required=True)
    disabled = fields.Boolean(required=True)


class GetMeRequest(Schema):
    """Takes nothing: the caller's own account."""


class ChangePasswordRequest(Schema):
    current_password = fields.String(required=True, validate=validate.Length(1, 200, error="请填写当前密码"))
    new_password = _password(required=True)


class ListUnionsRequest(PageRequest):
    q = _text(50, metadata={"description": "part of the name, or what the code begins with"})


class ListUnionsAnswer(PageAnswer):
    items = fields.List(fields.Nested(UnionAnswer), required=True)


class CreateUnionRequest(Schema):
    name = _text(100, required=True)
    code = fields.String(
        required=True, validate=validate.Regexp(r"^81[0-9A-Z]{16}$", error="请填写以 81 开头的 18 位统一社会信用代码")
    )
    superior_union_id = fields.UUID(required=True)


class ListAccountsRequest(Schema):
    union_id = fields.UUID(required=True)


class ListAccountsAnswer(Schema):
    items = fields.List(fields.Nested(AccountAnswer), required=True)


def _roles(**kwargs: Any) -> fields.List[Any]:
    return fields.List(choice(*ACCOUNT_ROLES), validate=validate.Length(1, error="请选择至少一个角色"), **kwargs)


class CreateAccountRequest(Schema):
    union_id = fields.UUID(required=True)
    account_name = fields.String(
        required=True,
        validate=validate.Regexp(
            r"^[a-z0-9][a-z0-9_-]{2,31}$", error="账号为 3 至 32 位小写字母、数字、下划线或短横线"
        ),
    )
    display_name = _text(50, required=True)
    roles = _roles(required=True)
    phone = _mobile()


class OneTimePasswordAnswer(AccountAnswer):
    """The account and the password with which it signs in once, to choose one of its own."""

    one_time_password = fields.String(required=True)


class UpdateAccountRequest(Schema):
    """What is absent stays as it is."""

    account_id = fields.UUID(required=True)
    display_name = _text(50)
    roles = _roles()
    disabled = fields.Boolean()


class ResetPasswordRequest(Schema):
    account_id = fields.UUID(required=True)


# Members


class MemberFilter(Schema):
    """Which members: all conditions together; only members of affiliated employers are listed."""

    name = _text(50, metadata={"description": "what the name begins with"})
    document_number = _text(40, metadata={"description": "the whole number"})
    address = _text(50, 2, metadata={"description": "part of the address, at least two characters"})
    sex = choice(*SEXES)
    applied_from = fields.Date(metadata={"description": "day in Shanghai"})
    applied_to = fields.Date(metadata={"description": "day in Shanghai, inclusive"})
    card_state = choice(*CARD_STATES)
    channel = choice(*CHANNELS)


class ListMembersRequest(PageRequest, MemberFilter):
    """Ordered by name where a name is asked for, by time of application where that is, else newest members first."""

    union_id = fields.UUID(metadata={"description": "a subordinate union, for reviewers and administrators"})


class ReasonAnswer(Schema):
    """Why a member cannot be queued."""

    code = fields.String(required=True)
    reason = fields.String(required=True)


class MemberRow(Schema):
    """A member in the list (卡片信息管理)."""

    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True, allow_none=True, metadata={"description": "null until it is generated"})
    name = fields.String(required=True)
    sex = choice(*SEXES, required=True, allow_none=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True, metadata={"description": "masked"})
    card_no = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    applied_at = fields.AwareDateTime(required=True, allow_none=True)
    channel = choice(*CHANNELS, required=True, allow_none=True)
    card_state = choice(*CARD_STATES, required=True)
    application_id = fields.UUID(required=True, allow_none=True)
    selectable = fields.Boolean(required=True)
    reason = fields.Nested(ReasonAnswer, required=True, allow_none=True)


class ListMembersAnswer(PageAnswer):
    items = fields.List(fields.Nested(MemberRow), required=True)
    hint = fields.String(required=True, metadata={"description": "where those apply who are not listed"})


class GetMemberRequest(Schema):
    member_id = fields.UUID(required=True)


class ApplicationStepAnswer(Schema):
    state = choice(*APPLICATION_STATES, required=True)
    at = fields.AwareDateTime(required=True)
    note = fields.String(required=True, allow_none=True)


class ApplicationAnswer(Schema):
    """One attempt to get a card, with its history, oldest step first."""

    application_id = fields.UUID(required=True)
    state = choice(*APPLICATION_STATES, required=True)
    channel = choice(*CHANNELS, required=True)
    batch_no = fields.String(required=True, allow_none=True)
    queued_at = fields.AwareDateTime(required=True)
    steps = fields.List(fields.Nested(ApplicationStepAnswer), required=True)


class MemberAnswer(MemberRow):
    """All of a member; numbers are masked."""

    union_id = fields.UUID(required=True)
    document_expiry = fields.Date(required=True, allow_none=True, metadata={"description": "9999-12-31 is 长期"})
    document_issued = fields.Date(required=True, allow_none=True)
    birth_date = fields.Date(required=True, allow_none=True)
    nationality = fields.String(required=True, allow_none=True, metadata={"description": "ISO 3166-1 alpha-3"})
    phone = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    address = fields.String(required=True, allow_none=True)
    retirement_category = choice(*RETIREMENT_CATEGORIES, required=True, allow_none=True)
    special_retirement_month = fields.Date(required=True, allow_none=True)
    affiliation = choice(*AFFILIATIONS, required=True)
    registered_at = fields.AwareDateTime(required=True)
    applications = fields.List(
        fields.Nested(ApplicationAnswer), required=True, metadata={"description": "newest first"}
    )


class RegisterMemberRequest(Schema):
    """What a resident ID number tells (birth date, sex, men's category) may be left out."""

    name = _text(50, required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = _text(40, required=True)
    document_expiry = fields.Date(allow_none=True, metadata={"description": "9999-12-31 is 长期"})
    document_issued = fields.Date(allow_none=True)
    birth_date = fields.Date(allow_none=True)
    sex = choice(*SEXES, allow_none=True)
    nationality = _nationality(allow_none=True)
    phone = _mobile(allow_none=True)
    address = _text(200, allow_none=True)
    retirement_category = choice(*RETIREMENT_CATEGORIES, allow_none=True)
    special_retirement_month = fields.Date(allow_none=True)
    affiliation = choice(*AFFILIATIONS, load_default="employer")


class UpdateMemberRequest(Schema):
    """What is absent stays as it is."""

    member_id = fields.UUID(required=True)
    name = _text(50)
    document_type = choice(*DOCUMENT_TYPES)
    document_number = _text(40)
    document_expiry = fields.Date(allow_none=True)
    document_issued = fields.Date(allow_none=True)
    birth_date = fields.Date(allow_none=True)
    sex = choice(*SEXES, allow_none=True)
    nationality = _nationality(allow_none=True)
    phone = _mobile(allow_none=True)
    address = _text(200, allow_none=True)
    retirement_category = choice(*RETIREMENT_CATEGORIES, allow_none=True)
    special_retirement_month = fields.Date(allow_none=True)
    affiliation = choice(*AFFILIATIONS)


# Queueing


class QueueMembersRequest(Schema):
    """Either the chosen members or all that match a filter."""

    member_ids = fields.List(
        fields.UUID(),
        validate=validate.Length(1, LARGEST_SELECTION, error=f"请选择 1 至 {LARGEST_SELECTION} 位会员"),
    )
    filter = fields.Nested(MemberFilter)

    @validates_schema
    def is_one_of_both(self, data: dict[str, object], **_: object) -> None:
        """Exactly one of `member_ids` and `filter`."""
        if ("member_ids" in data) == ("filter" in data):
            raise ValidationError("请勾选会员，或按查询条件添加全部", "member_ids")


class SkippedReason(ReasonAnswer):
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
        fields.Nested(SkippedMember), required=True, metadata={"description": "the first 100"}
    )
    more = fields.Boolean(
        required=True, metadata={"description": f"the filter matches more than the {LARGEST_SELECTION} now queued"}
    )


# Imports


class StartImportRequest(Schema):
    file_name = _text(200, required=True)
    content = fields.String(
        required=True,
        validate=validate.Length(1, LARGEST_FILE * 4 // 3 + 4, error="文件不能为空，也不能超过 20 MB"),
        metadata={"description": "base64 of an .xlsx or .csv file"},
    )


class ImportAnswer(Schema):
    import_id = fields.UUID(required=True)
    file_name = fields.String(required=True)
    state = choice(*IMPORT_STATES, required=True)
    rows_total = fields.Integer(required=True, allow_none=True, metadata={"description": "null until it is counted"})
    rows_read = fields.Integer(required=True)
    rows_accepted = fields.Integer(required=True)
    rows_rejected = fields.Integer(required=True)
    failure = fields.String(required=True, allow_none=True, metadata={"description": "why the file was refused"})
    started_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)


class ImportRequest(Schema):
    """Names an import."""

    import_id = fields.UUID(required=True)


class ListImportsRequest(PageRequest):
    """The union's imports, newest first."""


class ListImportsAnswer(PageAnswer):
    items = fields.List(fields.Nested(ImportAnswer), required=True)


class GetImportTemplateRequest(Schema):
    """Takes nothing: there is one template."""


# Counts for the workbench


class MemberSummaryRequest(Schema):
    union_id = fields.UUID(metadata={"description": "a subordinate union; the caller's own without it"})


class CardStateCounts(Schema):
    none = fields.Integer(required=True)
    pending = fields.Integer(required=True)
    submitted = fields.Integer(required=True)
    issued = fields.Integer(required=True)


class ApplicationsOfDay(Schema):
    day = fields.Date(required=True, metadata={"description": "day in Shanghai"})
    queued = fields.Integer(required=True)
    issued = fields.Integer(required=True)
    refused = fields.Integer(required=True)


class UnionMembers(Schema):
    """A direct subordinate with all below it."""

    union = fields.Nested(UnionAnswer, required=True)
    by_card_state = fields.Nested(CardStateCounts, required=True)


class MemberSummaryAnswer(Schema):
    by_card_state = fields.Nested(CardStateCounts, required=True, metadata={"description": "the union and all below"})
    applications_by_day = fields.List(
        fields.Nested(ApplicationsOfDay), required=True, metadata={"description": "the last 30 days, oldest first"}
    )
    by_union = fields.List(
        fields.Nested(UnionMembers), required=True, metadata={"description": "direct subordinates, for a superior"}
    )


# Members on the phone


class RequestOtpRequest(Schema):
    phone = _mobile(required=True)


class RequestOtpAnswer(Schema):
    """The same whether the phone is known or not."""

    expires_at = fields.AwareDateTime(required=True)


class PersonalSignInRequest(Schema):
    phone = _mobile(required=True)
    code = fields.String(required=True, validate=validate.Regexp(r"^\d{6}$", error="请填写 6 位验证码"))


class PersonalSignInAnswer(Schema):
    member_id = fields.UUID(required=True)
    name = fields.String(required=True)
    union = fields.Nested(UnionAnswer, required=True)


class GetPersonalProfileRequest(Schema):
    """Takes nothing: the member who is signed in."""


class PersonalProfileAnswer(Schema):
    """What a member checks before applying (会员信息梳理); numbers are masked."""

    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True, allow_none=True)
    name = fields.String(required=True)
    union = fields.Nested(UnionAnswer, required=True)
    sex = choice(*SEXES, required=True, allow_none=True)
    birth_date = fields.Date(required=True, allow_none=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True, metadata={"description": "masked"})
    document_issued = fields.Date(required=True, allow_none=True)
    document_expiry = fields.Date(required=True, allow_none=True)
    phone = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    address = fields.String(required=True, allow_none=True)
    retirement_category = choice(*RETIREMENT_CATEGORIES, required=True, allow_none=True)
    card_state = choice(*CARD_STATES, required=True)
    card_no = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    can_apply = fields.Boolean(required=True)
    reason = fields.Nested(ReasonAnswer, required=True, allow_none=True, metadata={"description": "why one cannot"})


class UpdatePersonalProfileRequest(Schema):
    """What is absent stays as it is."""

    address = _text(200)
    document_expiry = fields.Date()
    document_issued = fields.Date()
    retirement_category = choice(*RETIREMENT_CATEGORIES)


class ApplyPersonallyRequest(Schema):
    outlet_code = _text(20, required=True)
    consent_version = _text(20, required=True, metadata={"description": "the notice that the member consented to"})


class GetPersonalApplicationsRequest(Schema):
    """Takes nothing: the member who is signed in."""


class PersonalApplicationsAnswer(Schema):
    items = fields.List(fields.Nested(ApplicationAnswer), required=True, metadata={"description": "newest first"})
