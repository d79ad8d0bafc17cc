"""The operations on members: the list, registration, queueing, counts, and the member's own phone page."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import ValidationError, validate

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
from services.contracts.operations.membership.accounts import UnionAnswer
from services.contracts.operations.membership.covers import Cover
from services.contracts.operations.roles import STAFF, SUPERIORS, subordinates
from services.contracts.shared import (
    CARD_STATUSES,
    CARD_STEPS,
    CHANNELS,
    DOCUMENT_TYPES,
    RETIREMENT_CATEGORIES,
    SEXES,
)
from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, own_data, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest, sortable
from services.kit.schemas import UNSET, Unset

AFFILIATIONS = ("employer", "flexible", "outside")


APPLICATION_STATES = ("queued", "submitted", "issued", "refused", "released", "removed")


CARD_STATES = ("none", "pending", "submitted", "issued")


REASONS_OF_LEAVING = ("left", "retired")
"""退会, 退休."""


LAST_OUTCOMES = ("refused", "released")


LARGEST_EXPORT = 50_000
"""Most members in one exported sheet."""


LARGEST_QUEUEING = 10_000
"""Most members that one request can queue."""


@dataclass(frozen=True, kw_only=True)
class MemberFilter:
    """Filters for the members of one union, or of one and all below it; absent ones are not applied."""

    union_id: Annotated[UUID | Unset, "a subordinate union; the caller's own where absent"] = UNSET
    with_subordinates: Annotated[
        bool | Unset, "also the members of all unions below; for reviewers and administrators, and not with `address`"
    ] = UNSET
    name: Annotated[NamePart | Unset, "what the name begins with"] = UNSET
    document_number: Annotated[DocumentNumber | Unset, "the whole number; such searches are counted and recorded"] = (
        UNSET
    )
    document_end: Annotated[
        DocumentEnd | Unset,
        "the last four characters of the number, in the caller's own union alone; counted and on"
        " record likewise. A few others may be found by it",
    ] = UNSET
    phone: Annotated[Mobile | Unset, "the whole number; counted and on record likewise"] = UNSET
    address: Annotated[AddressPart | Unset, "part of the address"] = UNSET
    sex: Annotated[str | Unset, choice(*SEXES)] = UNSET
    applied_from: Annotated[date | Unset, "day in Shanghai"] = UNSET
    applied_to: Annotated[date | Unset, "day in Shanghai, inclusive"] = UNSET
    card_state: Annotated[str | Unset, choice(*CARD_STATES)] = UNSET
    card_status: Annotated[str | Unset, choice(*CARD_STATUSES), "of members whose card was issued"] = UNSET
    channel: Annotated[str | Unset, choice(*CHANNELS)] = UNSET
    last_outcome: Annotated[
        str | Unset, choice(*LAST_OUTCOMES), "of members who are free since their newest application ended so"
    ] = UNSET
    has_left: Annotated[bool | Unset, "only who has left or retired, or only who has not"] = UNSET
    last_batch_no: Annotated[
        str | Unset, text(64), "of members who are free since this batch, where they were refused or released"
    ] = UNSET


@dataclass(frozen=True, kw_only=True)
class ListMembersRequest(MemberFilter, PageRequest):
    sort: Annotated[
        str | Unset, sortable("member_no", "name", "applied_at"), "if absent, as the filter's index has it"
    ] = UNSET


@dataclass(frozen=True, kw_only=True)
class SelectableReason:
    """Why a member cannot be queued."""

    code: Annotated[str, choice("number_missing", "pending", "submitted", "issued", "left")]
    reason: str


@dataclass(frozen=True, kw_only=True)
class EndedApplication:
    """How the newest application of a member ended who is free again."""

    state: Annotated[str, choice(*LAST_OUTCOMES)]
    batch_no: str | None
    reason: Annotated[str | None, "the bank's, or why it was released"]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class MemberItem:
    """A member in the list."""

    member_id: UUID
    member_no: Annotated[str | None, "null until it is assigned"]
    name: str
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: Annotated[str, "masked"]
    card_no: Annotated[str | None, "masked"]
    applied_at: datetime | None
    channel: Annotated[str | None, choice(*CHANNELS, allow_none=True)]
    card_state: Annotated[str, choice(*CARD_STATES)]
    card_status: Annotated[
        str | None, choice(*CARD_STATUSES, allow_none=True), "of an issued card; null where none was issued"
    ]
    application_id: Annotated[UUID | None, "the application of the card state"]
    union_id: UUID
    union_name: str
    ended: Annotated[EndedApplication | None, "why the member is free again; null for others"]
    left_because: Annotated[str | None, choice(*REASONS_OF_LEAVING, allow_none=True), "null for who has not left"]
    selectable: Annotated[bool, "whether the member can be queued"]
    reason: SelectableReason | None


@dataclass(frozen=True, kw_only=True)
class ListMembersAnswer(PageAnswer):
    items: list[MemberItem]
    hint: Annotated[str, "which members are not in this list, and how they apply"]


@dataclass(frozen=True, kw_only=True)
class NumberSearchRequest:
    """A search by number that another service answers; it counts towards the same limit as membership's searches."""

    document_number: DocumentNumber
    place: Annotated[str, text(100), "the method that answers it"]


@dataclass(frozen=True, kw_only=True)
class FindPersonRequest:
    """Asks whether a person is a member, where, and how far the card is; counted and recorded as a search."""

    document_number: Annotated[DocumentNumber, "the whole number"]


@dataclass(frozen=True, kw_only=True)
class FoundPerson:
    """A member of the caller's union or of one below it, with any affiliation; numbers are masked."""

    member_id: UUID
    member_no: Annotated[str | None, "null until it is assigned"]
    name: str
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: Annotated[str, "masked"]
    union: UnionAnswer
    affiliation: Annotated[str, choice(*AFFILIATIONS)]
    card_state: Annotated[str, choice(*CARD_STATES)]
    applied_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class FindPersonAnswer:
    items: Annotated[list[FoundPerson], "one for each kind of document with this number; empty: no member here"]


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
    """A clerk's correction of a member in the pending list."""

    corrected_at: datetime
    corrected_by: Annotated[str | None, "the clerk's name"]
    refused: Annotated[bool, "the document is another member's: nothing was changed"]
    changes: list[CorrectedField]


@dataclass(frozen=True, kw_only=True)
class CardStepAnswer:
    """What happened to the member's card."""

    step: Annotated[str, choice(*CARD_STEPS)]
    happened_at: datetime
    by_union: Annotated[bool, "the union handed the card out; otherwise the bank reported it"]
    card_no: Annotated[str, "masked; the number after the step"]


@dataclass(frozen=True, kw_only=True)
class MemberAnswer(MemberItem):
    """A member's data; numbers are masked, and facts that a document number contains are left out."""

    document_expiry: Annotated[date | None, "9999-12-31 is 长期"]
    document_issued: date | None
    nationality: Annotated[str | None, "ISO 3166-1 alpha-3"]
    phone: Annotated[str | None, "masked"]
    phone_held_until: Annotated[
        datetime | None, "until when the member can do nothing on the phone, because its number was changed"
    ]
    address: str | None
    retirement_category: Annotated[str | None, choice(*RETIREMENT_CATEGORIES, allow_none=True)]
    special_retirement_month: date | None
    affiliation: Annotated[str, choice(*AFFILIATIONS)]
    registered_at: datetime
    left_at: datetime | None
    corrections: Annotated[list[CorrectionAnswer], "newest first"]
    applications: Annotated[list[ApplicationAnswer], "newest first"]
    card_steps: Annotated[list[CardStepAnswer], "newest first"]
    enrolments: Annotated[list[Cover], "newest first"]


@dataclass(frozen=True, kw_only=True)
class MemberFacts:
    """A member's facts as a clerk enters them; null or absent means unknown."""

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
class EndMembershipRequest:
    member_id: UUID
    because: Annotated[str, choice(*REASONS_OF_LEAVING)]


@dataclass(frozen=True, kw_only=True)
class RevealMemberRequest:
    """Requests whole numbers; the caller and the reason are recorded."""

    member_id: UUID
    reason: Annotated[str, text(200, shortest=2)]


@dataclass(frozen=True, kw_only=True)
class RevealedNumbers:
    """The whole numbers, with the facts that the document number contains or the clerk entered."""

    document_number: str
    birth_date: date | None
    sex: Annotated[str | None, choice(*SEXES, allow_none=True)]
    phone: str | None
    card_no: str | None


@dataclass(frozen=True, kw_only=True)
class ExportMembersRequest:
    """Whole numbers are only for administrators, who give a reason."""

    filter: MemberFilter | Unset = UNSET
    whole_numbers: bool = False
    reason: Annotated[str | Unset, text(200, shortest=2)] = UNSET

    def __post_init__(self) -> None:
        """Validates that whole numbers have a reason."""
        if self.whole_numbers and self.reason is UNSET:
            raise ValidationError("导出完整号码须填写理由", "reason")


@dataclass(frozen=True, kw_only=True)
class QueueMembersRequest:
    """Queues either the named members or all of a filter that have no card 添加全部的未办卡会员至待办."""

    member_ids: Annotated[
        list[UUID] | Unset, validate.Length(1, LARGEST_QUEUEING, error=f"请选择 1 至 {LARGEST_QUEUEING} 位会员")
    ] = UNSET
    filter: MemberFilter | Unset = UNSET

    def __post_init__(self) -> None:
        """Validates that exactly one of `member_ids` and `filter` is present."""
        if (self.member_ids is UNSET) == (self.filter is UNSET):
            raise ValidationError("请勾选会员，或选择全部未办卡会员", "member_ids")


@dataclass(frozen=True, kw_only=True)
class SkippedReason(SelectableReason):
    code: Annotated[str, choice("number_missing", "pending", "submitted", "issued", "left", "not_found")]
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
    more: Annotated[bool, f"by filter: more than {LARGEST_QUEUEING} could be queued; repeat the request"]


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
    by_union: Annotated[list[UnionMembers], "for a superior: each direct subordinate with all its subordinates"]


@dataclass(frozen=True, kw_only=True)
class GetPersonalProfileRequest:
    """Takes nothing: the member is known."""


@dataclass(frozen=True, kw_only=True)
class PersonalProfileAnswer:
    """A member's own data, and which of it the member may correct (会员信息梳理)."""

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
    card_status: Annotated[str | None, choice(*CARD_STATUSES, allow_none=True)]
    card_steps: Annotated[list[CardStepAnswer], "newest first"]
    can_apply: bool
    reason: Annotated[str | None, "why the member cannot apply here"]


@dataclass(frozen=True, kw_only=True)
class UpdatePersonalProfileRequest:
    """What is absent stays as it is."""

    address: Address | Unset = UNSET
    document_expiry: date | Unset = UNSET
    document_issued: date | Unset = UNSET


@dataclass(frozen=True, kw_only=True)
class ExportOwnDataRequest:
    """Takes nothing: the member is known."""


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


LIST_MEMBERS = query(
    "membership.list_members", ListMembersRequest, ListMembersAnswer, allow=subordinates(*STAFF), may_lag=SUPERIORS
)


COUNT_NUMBER_SEARCH = command(
    "membership.count_number_search", NumberSearchRequest, allow=subordinates(*STAFF), title="按证件号码查询"
)


FIND_PERSON = command(
    "membership.find_person",
    FindPersonRequest,
    FindPersonAnswer,
    allow=subordinates("reviewer", "administrator"),
    title="按证件号码核查会员",
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


END_MEMBERSHIP = command(
    "membership.end_membership", EndMembershipRequest, MemberAnswer, allow=own_union("clerk"), title="办理退会"
)


RESUME_MEMBERSHIP = command(
    "membership.resume_membership", GetMemberRequest, MemberAnswer, allow=own_union("clerk"), title="恢复会籍"
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
    "membership.get_member_summary",
    MemberSummaryRequest,
    MemberSummaryAnswer,
    allow=subordinates(*STAFF),
    may_lag=SUPERIORS,
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


EXPORT_OWN_DATA = command(
    "membership.export_own_data", ExportOwnDataRequest, FileAnswer, allow=own_data("member"), title="个人导出信息"
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
