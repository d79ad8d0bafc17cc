"""The operations of batching: the pending list, branches and outlets, batches, registers, counts."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import ValidationError, validate

from services.contracts.consent import BASES
from services.contracts.fields import Address, DocumentNumber, Mobile, NamePart, Nationality, PersonName, Phone
from services.contracts.operations.roles import ACCOUNTS, STAFF, SUPERIORS, subordinates
from services.contracts.rules.cut_off import LAST_CUT_OFF_DAY
from services.contracts.shared import CHANNELS, DOCUMENT_TYPES, RETIREMENT_CATEGORIES, SEXES, SWITCH_REASONS
from services.kit.events.contract import choice
from services.kit.fields import FullMatch, text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, no_union, own_data, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest, sortable
from services.kit.schemas import UNSET, Unset

APPLICATION_STATES = ("queued", "submitted", "issued", "refused", "released", "removed")
CHECK_STATES = ("unchecked", "checking", "waiting", "passed", "failed")
BATCH_STATES = ("submitted", "partly_decided", "decided", "revoked")
REGISTER_STATES = ("unprinted", "printed")
REVOCATION_STATES = ("requested", "approved", "rejected", "closed")
CHARSETS = ("gb2312", "gbk", "gb18030")
PLACE_STATES = ("open", "closed", "all")
BANK_PROGRESS = ("accepted", "made")


ApplicationIds = Annotated[list[UUID], validate.Length(1, 10_000, error="请选择 1 至 10000 位会员")]
PlaceCode = Annotated[str, FullMatch(r"^[a-z0-9][a-z0-9-]{1,19}$", error="代码应为 2 至 20 个小写字母、数字或 -")]
"""The code of a branch or outlet, which never changes."""


# Pending list


@dataclass(frozen=True, kw_only=True)
class ListPendingRequest(PageRequest):
    channel: Annotated[str, choice(*CHANNELS)] = "ordinary"
    union_id: Annotated[UUID | Unset, "a subordinate union; the caller's own where absent"] = UNSET
    with_subordinates: Annotated[
        bool | Unset, "also the entries of all unions below; for reviewers and administrators, who only read"
    ] = UNSET
    name: Annotated[NamePart | Unset, "what the name begins with"] = UNSET
    document_number: Annotated[DocumentNumber | Unset, "the whole number"] = UNSET
    check_state: Annotated[str | Unset, choice(*CHECK_STATES)] = UNSET
    complete: Annotated[bool | Unset, "special channel: whether the information is complete"] = UNSET
    overdue: Annotated[bool | Unset, "whether it has waited beyond its limit 超期"] = UNSET
    sort: Annotated[str, sortable("member_no", "name", "listed_at", "document_expiry")] = "member_no"


@dataclass(frozen=True, kw_only=True)
class FindingAnswer:
    code: str
    severity: Annotated[str, choice("error", "warning", "info")]
    message: str


@dataclass(frozen=True, kw_only=True)
class PendingAnswer:
    """An application in the pending list."""

    application_id: UUID
    member_id: UUID
    union_id: UUID
    union_name: Annotated[str | None, "as at the union's last queueing; null for the caller's own union"]
    member_no: str
    name: str
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: Annotated[str, "masked"]
    document_expiry: Annotated[date | None, "9999-12-31 is 长期"]
    nationality: Annotated[str | None, "ISO 3166-1 alpha-3"]
    listed_at: datetime
    check_state: Annotated[str, choice(*CHECK_STATES)]
    findings: list[FindingAnswer]
    channel: Annotated[str, choice(*CHANNELS)]
    channel_reason: str | None
    channel_reason_code: str | None
    channel_note: Annotated[str | None, "what the clerk added"]
    checked_at: datetime | None
    can_switch: bool
    complete: bool
    missing: Annotated[list[Annotated[str, choice("document_expiry", "nationality")]], "what is to be filled in"]
    due_on: Annotated[date | None, "the last day in Shanghai to check or correct it; null: nothing is to be done"]
    overdue: Annotated[bool, "that day is over 超期"]


@dataclass(frozen=True, kw_only=True)
class OrdinaryCounts:
    total: int
    passed: int
    failed: int
    unchecked: int
    checking: int
    waiting: int
    overdue: Annotated[int, "have waited beyond their limit 超期"]


@dataclass(frozen=True, kw_only=True)
class SpecialCounts(OrdinaryCounts):
    complete: int
    incomplete: int
    ready: Annotated[int, "complete and passed"]


@dataclass(frozen=True, kw_only=True)
class PendingCounts:
    ordinary: OrdinaryCounts
    special: SpecialCounts


@dataclass(frozen=True, kw_only=True)
class ListPendingAnswer(PageAnswer):
    items: list[PendingAnswer]
    counts: Annotated[PendingCounts, "the whole list of these unions, without the other filters"]


@dataclass(frozen=True, kw_only=True)
class CheckPendingRequest:
    """Without ids, all applications of the channel that have not passed are checked."""

    application_ids: ApplicationIds | Unset = UNSET
    channel: Annotated[str, choice(*CHANNELS)] = "ordinary"


@dataclass(frozen=True, kw_only=True)
class CheckPendingAnswer:
    checking: Annotated[int, "how many checks this request started"]


@dataclass(frozen=True, kw_only=True)
class UpdatePendingRequest:
    """What is absent stays as it is."""

    application_id: UUID
    document_expiry: date | Unset = UNSET
    document_type: Annotated[str | Unset, choice(*DOCUMENT_TYPES)] = UNSET
    document_number: DocumentNumber | Unset = UNSET
    nationality: Nationality | Unset = UNSET
    name: PersonName | Unset = UNSET
    birth_date: Annotated[date | Unset, "only where the document's number does not contain it"] = UNSET
    sex: Annotated[str | Unset, choice(*SEXES), "likewise"] = UNSET
    phone: Mobile | Unset = UNSET
    retirement_category: Annotated[str | Unset, choice(*RETIREMENT_CATEGORIES)] = UNSET
    special_retirement_month: Annotated[date | Unset, "the first day of the month"] = UNSET
    channel: Annotated[str | Unset, choice(*CHANNELS)] = UNSET
    channel_reason_code: Annotated[
        str | Unset,
        choice(*SWITCH_REASONS),
        "why a clerk switches a member to the special channel for whom no rule requires it",
    ] = UNSET
    channel_note: Annotated[str | Unset, text(200), "required with the reason `other`"] = UNSET


@dataclass(frozen=True, kw_only=True)
class RemovePendingRequest:
    application_id: UUID


@dataclass(frozen=True, kw_only=True)
class RemovePendingManyRequest:
    """Removes either all applications of one kind or the named ones."""

    which: Annotated[
        str | Unset,
        choice("not_passed", "incomplete", "special_not_passed"),
        "not_passed: failed and unchecked ones of the ordinary channel; special_not_passed: of the"
        " special channel; incomplete: those of the special channel whose information is incomplete",
    ] = UNSET
    application_ids: ApplicationIds | Unset = UNSET

    def __post_init__(self) -> None:
        """Validates that exactly one of `which` and `application_ids` is present."""
        if (self.which is UNSET) == (self.application_ids is UNSET):
            raise ValidationError("请选择要移除的会员，或一类会员", "which")


@dataclass(frozen=True, kw_only=True)
class RemovePendingAnswer:
    removed: int


# Branches and outlets


@dataclass(frozen=True, kw_only=True)
class CountingAnswer:
    """What a submission to the bank would count for, were it made now."""

    month: Annotated[str, "the month it counts for: 2026-12"]
    last_day: Annotated[date, "the last day that counts for that month"]
    notified_by: Annotated[date, "by when the bank tells members by SMS"]


def _check_dates(dates: list[date] | Unset) -> None:
    """Validates that each month has one cut-off date at most."""
    if dates is not UNSET and len({(day.year, day.month) for day in dates}) < len(dates):
        raise ValidationError("每个月只能有一个截止日期", "cut_off_dates")


CutOffDates = Annotated[list[date], validate.Length(max=36, error="最多填写 36 个月的截止日期")]


@dataclass(frozen=True, kw_only=True)
class ListBranchesRequest:
    state: Annotated[str, choice(*PLACE_STATES)] = "open"


@dataclass(frozen=True, kw_only=True)
class BranchAnswer:
    code: str
    name: str
    charset: Annotated[str, choice(*CHARSETS), "the character set in which its systems hold names"]
    closed: bool
    union_hands_out: Annotated[bool, "unions hand out its cards, and mark them as collected"] = False
    by_file: Annotated[bool, "it takes no messages: operators take batches to it as files"] = False
    has_file_password: Annotated[bool, "its files can be made"] = False
    cut_off_day: Annotated[int | None, "the last day of a month that counts for it; null for the usual day"]
    cut_off_dates: Annotated[list[date], "the last days that count for their months, in place of the day"]
    counting: CountingAnswer


@dataclass(frozen=True, kw_only=True)
class ListBranchesAnswer:
    items: list[BranchAnswer]


@dataclass(frozen=True, kw_only=True)
class CreateBranchRequest:
    code: PlaceCode
    name: Annotated[str, text(50)]
    charset: Annotated[str, choice(*CHARSETS)]
    union_hands_out: bool = False
    by_file: bool = False
    cut_off_day: Annotated[int | None, validate.Range(1, LAST_CUT_OFF_DAY, error="截止日应为 1 至 31 日")] = None
    cut_off_dates: CutOffDates = field(default_factory=list)

    def __post_init__(self) -> None:
        """Validates the dates."""
        _check_dates(self.cut_off_dates)


@dataclass(frozen=True, kw_only=True)
class UpdateBranchRequest:
    """What is absent stays as it is."""

    code: Annotated[str, text(20)]
    name: Annotated[str | Unset, text(50)] = UNSET
    charset: Annotated[str | Unset, choice(*CHARSETS)] = UNSET
    closed: bool | Unset = UNSET
    union_hands_out: bool | Unset = UNSET
    by_file: bool | Unset = UNSET
    cut_off_day: Annotated[int | Unset | None, validate.Range(1, LAST_CUT_OFF_DAY, error="截止日应为 1 至 31 日")] = (
        UNSET
    )
    cut_off_dates: CutOffDates | Unset = UNSET

    def __post_init__(self) -> None:
        """Validates the dates."""
        _check_dates(self.cut_off_dates)


@dataclass(frozen=True, kw_only=True)
class ListOutletsRequest(PageRequest):
    branch_code: Annotated[str | Unset, text(20)] = UNSET
    district: Annotated[str | Unset, text(20), "the whole name of a district: 杨浦区"] = UNSET
    near: Annotated[str | Unset, text(20), "a district whose outlets come before all others"] = UNSET
    q: Annotated[str | Unset, text(50), "words, each of them a part of the name, address or district"] = UNSET
    state: Annotated[str, choice(*PLACE_STATES), "an outlet of a closed branch counts as closed"] = "open"
    sort: Annotated[str, sortable("code", "name", "district")] = "code"


@dataclass(frozen=True, kw_only=True)
class OutletAnswer:
    code: str
    branch_code: str
    name: str
    address: str
    district: str
    phone: str
    closed: bool
    counting: CountingAnswer


@dataclass(frozen=True, kw_only=True)
class ListOutletsAnswer(PageAnswer):
    items: list[OutletAnswer]


@dataclass(frozen=True, kw_only=True)
class CreateOutletRequest:
    code: PlaceCode
    branch_code: Annotated[str, text(20)]
    name: Annotated[str, text(50)]
    address: Address
    district: Annotated[str, text(20)]
    phone: Phone


@dataclass(frozen=True, kw_only=True)
class UpdateOutletRequest:
    """What is absent stays as it is; batches keep the name and address that they were submitted with."""

    code: Annotated[str, text(20)]
    name: Annotated[str | Unset, text(50)] = UNSET
    address: Address | Unset = UNSET
    district: Annotated[str | Unset, text(20)] = UNSET
    phone: Phone | Unset = UNSET
    closed: bool | Unset = UNSET


# Batches


@dataclass(frozen=True, kw_only=True)
class PrepareSubmissionRequest:
    """Takes nothing: the caller is known."""


@dataclass(frozen=True, kw_only=True)
class PreparedSubmission:
    """The outlet and contact of the caller's own last submission."""

    outlet: Annotated[OutletAnswer | None, "null without a former submission, and where the outlet has closed"]
    contact_name: str | None
    contact_phone: Annotated[str | None, "masked; a submission without a telephone number has this one"]


@dataclass(frozen=True, kw_only=True)
class SubmitBatchRequest:
    """The bank calls the contact's number for collection, so it must be right."""

    channel: Annotated[str, choice(*CHANNELS)]
    branch_code: Annotated[str, text(20)]
    outlet_code: Annotated[str, text(20)]
    contact_name: Annotated[str, text(50)]
    contact_phone: Annotated[
        Phone | Unset, "that of the caller's own last submission where absent; required in the first one"
    ] = UNSET
    consent_version: Annotated[
        str | Unset,
        text(20),
        "the consent text that every member has signed, which the clerk attests to; without it, or"
        " with another than the one in force: Problem `consent_required` or `consent_outdated`",
    ] = UNSET


@dataclass(frozen=True, kw_only=True)
class ListBatchesRequest(PageRequest):
    union_id: Annotated[UUID | Unset, "a subordinate union; all in the caller's scope where absent"] = UNSET
    with_subordinates: Annotated[
        bool | Unset, "with `union_id` also the batches of all unions below it; false without it: the own alone"
    ] = UNSET
    batch_no: Annotated[str | Unset, text(40), "what the number begins or ends with"] = UNSET
    submitted_from: Annotated[date | Unset, "day in Shanghai"] = UNSET
    submitted_to: Annotated[date | Unset, "day in Shanghai, inclusive"] = UNSET
    register_state: Annotated[str | Unset, choice(*REGISTER_STATES)] = UNSET
    channel: Annotated[str | Unset, choice(*CHANNELS)] = UNSET
    state: Annotated[str | Unset, choice(*BATCH_STATES)] = UNSET
    outcome: Annotated[
        str | Unset, choice("awaiting", "refused"), "batches with persons that await the bank, or that it refused"
    ] = UNSET
    overdue: Annotated[bool | Unset, "whether it has waited beyond a limit 超期"] = UNSET
    sort: Annotated[str, sortable("batch_no", "total", "issued", "submitted_at", "feedback_at")] = "-submitted_at"


@dataclass(frozen=True, kw_only=True)
class BatchUnion:
    union_id: UUID
    code: str
    name: str


@dataclass(frozen=True, kw_only=True)
class BatchOutlet:
    code: str
    name: str
    address: str


@dataclass(frozen=True, kw_only=True)
class BatchAnswer:
    batch_no: str
    union: BatchUnion
    channel: Annotated[str, choice(*CHANNELS)]
    personal: Annotated[bool, "a member's own application from the phone"]
    state: Annotated[str, choice(*BATCH_STATES)]
    total: int
    issued: int
    refused: int
    released: int
    submitted_at: datetime
    feedback_at: datetime | None
    feedback_text: Annotated[str | None, "what to expect; null after the bank's first feedback"]
    count_month: Annotated[str, "the month the batch counts for: 2026-11"]
    revocation_state: Annotated[str | None, choice(*REVOCATION_STATES, allow_none=True)]
    outlet: BatchOutlet
    register_state: Annotated[str, choice(*REGISTER_STATES)]
    revocable: bool
    overdue: Annotated[
        list[Annotated[str, choice("unprinted", "bank_silent")]], "what has waited beyond its limit 超期"
    ]


@dataclass(frozen=True, kw_only=True)
class ListBatchesAnswer(PageAnswer):
    items: list[BatchAnswer]


@dataclass(frozen=True, kw_only=True)
class BatchRequest:
    """Identifies a batch."""

    batch_no: Annotated[str, text(40)]


@dataclass(frozen=True, kw_only=True)
class BatchContact:
    name: str
    phone: Annotated[str, "masked"]


@dataclass(frozen=True, kw_only=True)
class BatchDetailAnswer(BatchAnswer):
    branch: BranchAnswer
    contact: BatchContact
    register_hash: Annotated[str, "SHA-256 of the frozen register, hex"]


@dataclass(frozen=True, kw_only=True)
class SubmitBatchAnswer(BatchDetailAnswer):
    warnings: Annotated[list[str], "names that the branch's systems cannot hold"]


@dataclass(frozen=True, kw_only=True)
class ListBatchMembersRequest(BatchRequest, PageRequest):
    state: Annotated[str | Unset, choice("submitted", "issued", "refused", "released")] = UNSET
    name: Annotated[NamePart | Unset, "what the name begins with"] = UNSET
    sort: Annotated[str, sortable("position", "name", "decided_at"), "position: as on the register"] = "position"


@dataclass(frozen=True, kw_only=True)
class ConsentReceiptAnswer:
    """A member's consent to personal data going to the bank."""

    version: Annotated[str, "of the consent text"]
    basis: Annotated[str, choice(*BASES), "signed_form: as the clerk attests"]
    given_at: datetime


@dataclass(frozen=True, kw_only=True)
class ConsentFormRequest:
    channel: Annotated[str, choice(*CHANNELS)] = "ordinary"


@dataclass(frozen=True, kw_only=True)
class BatchMemberAnswer:
    """A person of a batch and the state of the application."""

    application_id: UUID
    member_id: UUID
    member_no: str
    name: str
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: Annotated[str, "masked"]
    state: Annotated[str, choice(*APPLICATION_STATES)]
    bank_progress: Annotated[str | None, choice(*BANK_PROGRESS, allow_none=True)]
    card_no: Annotated[str | None, "masked"]
    reason: Annotated[str | None, "why the bank refused"]
    decided_at: datetime | None
    consent: Annotated[ConsentReceiptAnswer | None, "null for batches that were submitted before receipts were kept"]


@dataclass(frozen=True, kw_only=True)
class ListBatchMembersAnswer(PageAnswer):
    items: list[BatchMemberAnswer]


@dataclass(frozen=True, kw_only=True)
class GetRegisterRequest(BatchRequest):
    """The register in one of two formats; the request marks the batch as printed."""

    format: Annotated[str, choice("pdf", "xlsx")] = "pdf"


@dataclass(frozen=True, kw_only=True)
class RegisterAnswer:
    file_name: str
    content_type: str
    content: Annotated[str, "base64"]
    register_hash: str


# Batches at the bank, for operators


@dataclass(frozen=True, kw_only=True)
class BankTime:
    """A time that the bank reported for its decisions."""

    processed_at: datetime
    applications: Annotated[int, "how many were decided at this time"]
    is_plausible: Annotated[bool, "false before the submission, or in the future"]


@dataclass(frozen=True, kw_only=True)
class BankFeedbackAnswer:
    """A feedback of the bank, and how many of its results were applied, repeated or rejected."""

    feedback_id: str
    received_at: datetime
    processed_at: datetime | None
    results: int
    applied: int
    repeated: int
    rejected: int


@dataclass(frozen=True, kw_only=True)
class BankBatchAnswer:
    """A batch's messages with the bank; contains no persons."""

    batch_no: str
    union_name: str
    submitted_at: datetime
    total: int
    issued: int
    refused: int
    released: int
    recalled: Annotated[int, "how many applicants a recall would name now"]
    feedback_at: datetime | None
    times: list[BankTime]
    feedbacks: Annotated[list[BankFeedbackAnswer], "newest first"]


Reason = Annotated[str, text(200, 2), "is kept in the audit log"]


@dataclass(frozen=True, kw_only=True)
class ResendToBankRequest(BatchRequest):
    """Sends an earlier message to the bank once more, marked as repeated."""

    what: Annotated[
        str, choice("batch", "recall"), "batch: the batch as it was submitted, and the recall of those released since"
    ]
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class ResendToBankAnswer:
    applicants: Annotated[int, "how many are in the batch that was sent again"]
    recalled: Annotated[int, "how many are in the recall that was sent again"]


@dataclass(frozen=True, kw_only=True)
class CorrectProcessedAtRequest(BatchRequest):
    """Corrects a wrong time that the bank reported."""

    processed_at: Annotated[datetime, "the wrong time, one of `times`"]
    corrected_at: Annotated[datetime, "the right time: not before the submission, not in the future"]
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class CorrectProcessedAtAnswer:
    applications: Annotated[int, "how many times of decision were corrected"]


# Personal applications


@dataclass(frozen=True, kw_only=True)
class ListPersonalProgressRequest:
    """Has no parameters: the member is the caller."""


@dataclass(frozen=True, kw_only=True)
class CollectionOutlet(BatchOutlet):
    phone: str


@dataclass(frozen=True, kw_only=True)
class PersonalProgressAnswer:
    """The outlet where the card of a personal application is collected, and the bank's progress."""

    application_id: UUID
    outlet: CollectionOutlet
    bank_progress: Annotated[str | None, choice(*BANK_PROGRESS, allow_none=True)]


@dataclass(frozen=True, kw_only=True)
class ListPersonalProgressAnswer:
    items: Annotated[list[PersonalProgressAnswer], "newest first"]


@dataclass(frozen=True, kw_only=True)
class CancelPersonallyRequest:
    application_id: UUID


# Counts for the workbench


@dataclass(frozen=True, kw_only=True)
class BatchSummaryRequest:
    """Counts a union, and for a superior all its subordinates."""

    union_id: Annotated[UUID | Unset, "a subordinate union; the caller's own where absent"] = UNSET


@dataclass(frozen=True, kw_only=True)
class SubmittedDay:
    day: date
    submitted: int


@dataclass(frozen=True, kw_only=True)
class RefusalReason:
    reason_code: str
    reason: str
    count: int


@dataclass(frozen=True, kw_only=True)
class UnionBatches:
    union_id: UUID
    batches: int
    total: int
    issued: int
    refused: int
    released: int


@dataclass(frozen=True, kw_only=True)
class BatchSummaryAnswer:
    awaiting_bank: Annotated[int, "applications the bank has not decided"]
    awaiting_batches: Annotated[int, "batches with such applications"]
    submitted_by_day: Annotated[list[SubmittedDay], "30 days"]
    refused_by_reason: list[RefusalReason]
    by_union: Annotated[list[UnionBatches], "for a superior: each direct subordinate with all its subordinates"]


LIST_PENDING = query("batching.list_pending", ListPendingRequest, ListPendingAnswer, allow=subordinates(*STAFF))
CHECK_PENDING = command(
    "batching.check_pending", CheckPendingRequest, CheckPendingAnswer, allow=own_union("clerk"), title="系统校验"
)
UPDATE_PENDING = command(
    "batching.update_pending", UpdatePendingRequest, PendingAnswer, allow=own_union("clerk"), title="修改待办会员"
)
REMOVE_PENDING = command(
    "batching.remove_pending", RemovePendingRequest, RemovePendingAnswer, allow=own_union("clerk"), title="移除待办会员"
)
REMOVE_PENDING_MANY = command(
    "batching.remove_pending_many",
    RemovePendingManyRequest,
    RemovePendingAnswer,
    allow=own_union("clerk"),
    title="批量移除待办会员",
)
GET_CONSENT_FORM = query("batching.get_consent_form", ConsentFormRequest, FileAnswer, allow=own_union("clerk"))
LIST_BRANCHES = query(
    "batching.list_branches", ListBranchesRequest, ListBranchesAnswer, allow=no_union(*ACCOUNTS, "member")
)
LIST_OUTLETS = query(
    "batching.list_outlets", ListOutletsRequest, ListOutletsAnswer, allow=no_union(*ACCOUNTS, "member")
)
CREATE_BRANCH = command(
    "batching.create_branch", CreateBranchRequest, BranchAnswer, allow=no_union("administrator"), title="新增发卡支行"
)
UPDATE_BRANCH = command(
    "batching.update_branch", UpdateBranchRequest, BranchAnswer, allow=no_union("administrator"), title="修改发卡支行"
)
CREATE_OUTLET = command(
    "batching.create_outlet", CreateOutletRequest, OutletAnswer, allow=no_union("administrator"), title="新增经办网点"
)
UPDATE_OUTLET = command(
    "batching.update_outlet", UpdateOutletRequest, OutletAnswer, allow=no_union("administrator"), title="修改经办网点"
)
PREPARE_SUBMISSION = query(
    "batching.prepare_submission", PrepareSubmissionRequest, PreparedSubmission, allow=own_union("clerk")
)


SUBMIT_BATCH = command(
    "batching.submit_batch", SubmitBatchRequest, SubmitBatchAnswer, allow=own_union("clerk"), title="提交办卡"
)
LIST_BATCHES = query(
    "batching.list_batches", ListBatchesRequest, ListBatchesAnswer, allow=subordinates(*STAFF), may_lag=SUPERIORS
)
GET_BATCH = query("batching.get_batch", BatchRequest, BatchDetailAnswer, allow=subordinates(*STAFF), may_lag=SUPERIORS)
LIST_BATCH_MEMBERS = query(
    "batching.list_batch_members",
    ListBatchMembersRequest,
    ListBatchMembersAnswer,
    allow=subordinates(*STAFF),
    may_lag=SUPERIORS,
)
GET_REGISTER = command(
    "batching.get_register", GetRegisterRequest, RegisterAnswer, allow=own_union("clerk"), title="打印清册"
)
GET_ATTACHMENTS = command(
    "batching.get_attachments", BatchRequest, FileAnswer, allow=own_union("clerk"), title="下载打印附件"
)
GET_BATCH_SUMMARY = query(
    "batching.get_batch_summary",
    BatchSummaryRequest,
    BatchSummaryAnswer,
    allow=subordinates(*STAFF),
    may_lag=SUPERIORS,
)
GET_BANK_BATCH = query("batching.get_bank_batch", BatchRequest, BankBatchAnswer, allow=no_union("operator"))
RESEND_TO_BANK = command(
    "batching.resend_to_bank",
    ResendToBankRequest,
    ResendToBankAnswer,
    allow=no_union("operator"),
    title="重新发送给银行",
)
CORRECT_PROCESSED_AT = command(
    "batching.correct_processed_at",
    CorrectProcessedAtRequest,
    CorrectProcessedAtAnswer,
    allow=no_union("operator"),
    title="改正银行处理时间",
)
LIST_PERSONAL_PROGRESS = query(
    "batching.list_personal_progress", ListPersonalProgressRequest, ListPersonalProgressAnswer, allow=own_data("member")
)
CANCEL_PERSONALLY = command(
    "batching.cancel_personally", CancelPersonallyRequest, allow=own_data("member"), title="本人取消申请并撤回同意"
)
