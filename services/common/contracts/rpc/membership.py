"""What may be asked of membership: sign-in, members, queueing, imports, unions, accounts, counts, the phone page."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from services.common.contracts.event import choice
from services.common.contracts.rpc.paging import PageAnswer, PageRequest
from services.common.contracts.rpc.values import mobile, text
from services.common.contracts.shared import CHANNELS, DOCUMENT_TYPES, RETIREMENT_CATEGORIES, SEXES

AFFILIATIONS = ("employer", "flexible")
APPLICATION_STATES = ("queued", "submitted", "issued", "refused", "released", "removed")
CARD_STATES = ("none", "pending", "submitted", "issued")
IMPORT_STATES = ("running", "finished", "failed")
ROLES = ("clerk", "reviewer", "administrator", "operator")
UNION_KINDS = ("city", "superior", "grassroots")
LARGEST_QUEUEING = 10_000
"""Members that one request can queue."""


def _password() -> fields.String:
    return fields.String(
        required=True, load_only=True, validate=validate.Length(8, 64, error="密码应为 8 至 64 个字符")
    )


def _roles(**kwargs: Any) -> fields.List[Any]:
    return fields.List(choice(*ROLES), validate=validate.Length(1, error="请至少选择一个角色"), **kwargs)


# Sign-in and one's own account


class SignInRequest(Schema):
    account_name = text(64, required=True)
    password = fields.String(
        required=True, load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符")
    )


class UnionAnswer(Schema):
    union_id = fields.UUID(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    superior_union_id = fields.UUID(required=True, allow_none=True)
    kind = choice(*UNION_KINDS, required=True)


class AccountAnswer(Schema):
    """An account with its union, as its holder and the page's header need it."""

    account_id = fields.UUID(required=True)
    account_name = fields.String(required=True)
    display_name = fields.String(required=True)
    roles = _roles(required=True)
    union = fields.Nested(UnionAnswer, required=True)
    must_change_password = fields.Boolean(required=True)


class GetMeRequest(Schema):
    """Takes nothing: the caller is known."""


class ChangePasswordRequest(Schema):
    current_password = fields.String(
        required=True, load_only=True, validate=validate.Length(1, 64, error="密码应为 8 至 64 个字符")
    )
    new_password = _password()


# Members


class MemberFilter(Schema):
    """Which members of one union; what is absent does not narrow."""

    union_id = fields.UUID(metadata={"description": "a subordinate union; the caller's own where absent"})
    name = text(50, metadata={"description": "what the name begins with"})
    document_number = text(40, metadata={"description": "the whole number"})
    address = text(100, shortest=2, metadata={"description": "part of the address"})
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
    sex = choice(*SEXES, required=True, allow_none=True)
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
    steps = fields.List(fields.Nested(StepAnswer), required=True)


class MemberAnswer(MemberItem):
    """All that is known of a member; numbers are masked less than in lists."""

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


class MemberFacts(Schema):
    """What a clerk says of a member; null or absent is not known."""

    name = text(50)
    document_type = choice(*DOCUMENT_TYPES)
    document_number = text(40)
    document_expiry = fields.Date(allow_none=True, metadata={"description": "9999-12-31 is 长期"})
    document_issued = fields.Date(allow_none=True)
    birth_date = fields.Date(allow_none=True)
    sex = choice(*SEXES, allow_none=True)
    nationality = fields.String(
        allow_none=True, validate=validate.Regexp(r"^[A-Z]{3}$", error="请填写三位国籍代码，如 CHN")
    )
    phone = mobile(allow_none=True)
    address = text(200, allow_none=True)
    retirement_category = choice(*RETIREMENT_CATEGORIES, allow_none=True)
    special_retirement_month = fields.Date(allow_none=True, metadata={"description": "the first day of the month"})
    affiliation = choice(*AFFILIATIONS)


class RegisterMemberRequest(MemberFacts):
    name = text(50, required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = text(40, required=True)
    affiliation = choice(*AFFILIATIONS, load_default="employer")


class UpdateMemberRequest(MemberFacts):
    """What is absent stays as it is."""

    member_id = fields.UUID(required=True)


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
    content = fields.String(required=True, metadata={"description": "the .xlsx or .csv file, base64"})


class ImportRequest(Schema):
    import_id = fields.UUID(required=True)


class ImportAnswer(Schema):
    """An import and how far it is."""

    import_id = fields.UUID(required=True)
    file_name = fields.String(required=True)
    state = choice(*IMPORT_STATES, required=True)
    failure = fields.String(required=True, allow_none=True, metadata={"description": "why the file cannot be read"})
    rows_total = fields.Integer(required=True, allow_none=True, metadata={"description": "null until counted"})
    rows_read = fields.Integer(required=True)
    rows_accepted = fields.Integer(required=True)
    rows_rejected = fields.Integer(required=True)
    started_at = fields.AwareDateTime(required=True)
    finished_at = fields.AwareDateTime(required=True, allow_none=True)


class ListImportsRequest(PageRequest):
    pass


class ListImportsAnswer(PageAnswer):
    items = fields.List(fields.Nested(ImportAnswer), required=True)


class GetImportTemplateRequest(Schema):
    """Takes nothing: there is one template."""


# Unions and accounts


class ListUnionsRequest(PageRequest):
    q = text(50, metadata={"description": "what the code begins with, or part of the name"})


class ListUnionsAnswer(PageAnswer):
    items = fields.List(fields.Nested(UnionAnswer), required=True)


class CreateUnionRequest(Schema):
    name = text(100, required=True)
    code = fields.String(required=True, metadata={"description": "统一社会信用代码, beginning with 81"})
    superior_union_id = fields.UUID(required=True)


class ListAccountsRequest(PageRequest):
    union_id = fields.UUID(required=True)


class AccountItem(Schema):
    """An account as administrators see it."""

    account_id = fields.UUID(required=True)
    union_id = fields.UUID(required=True)
    account_name = fields.String(required=True)
    display_name = fields.String(required=True)
    roles = _roles(required=True)
    phone = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    disabled = fields.Boolean(required=True)
    must_change_password = fields.Boolean(required=True)
    created_at = fields.AwareDateTime(required=True)


class ListAccountsAnswer(PageAnswer):
    items = fields.List(fields.Nested(AccountItem), required=True)


class CreateAccountRequest(Schema):
    union_id = fields.UUID(required=True)
    account_name = fields.String(
        required=True,
        validate=validate.Regexp(
            r"^[a-z][a-z0-9._-]{2,39}$", error="账号应为 3 至 40 个小写字母、数字或 . _ -，以字母开头"
        ),
    )
    display_name = text(50, required=True)
    roles = _roles(required=True)
    phone = mobile(allow_none=True, load_default=None)


class AccountWithPasswordAnswer(AccountItem):
    one_time_password = fields.String(
        required=True, metadata={"description": "shown once; must be changed at the first sign-in"}
    )


class UpdateAccountRequest(Schema):
    """What is absent stays as it is."""

    account_id = fields.UUID(required=True)
    display_name = text(50)
    roles = _roles()
    disabled = fields.Boolean()


class ResetPasswordRequest(Schema):
    account_id = fields.UUID(required=True)


class ResetPasswordAnswer(Schema):
    one_time_password = fields.String(required=True)


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
        fields.Nested(UnionMembers), required=True, metadata={"description": "direct subordinates, for a superior"}
    )


# The phone page 个人办卡


class RequestOtpRequest(Schema):
    phone = mobile(required=True)


class RequestOtpAnswer(Schema):
    """The same whether the number is known or not."""

    expires_at = fields.AwareDateTime(required=True)


class PersonalSignInRequest(Schema):
    phone = mobile(required=True)
    code = fields.String(required=True, load_only=True, validate=validate.Regexp(r"^\d{6}$", error="请填写 6 位验证码"))


class PersonalSignInAnswer(Schema):
    member_id = fields.UUID(required=True)
    name = fields.String(required=True)
    union = fields.Nested(UnionAnswer, required=True)


class GetPersonalProfileRequest(Schema):
    """Takes nothing: the member is known."""


class PersonalProfileAnswer(Schema):
    """What a member sees of himself, and what may be corrected (会员信息梳理)."""

    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True, allow_none=True)
    name = fields.String(required=True)
    sex = choice(*SEXES, required=True, allow_none=True)
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

    address = text(200)
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
