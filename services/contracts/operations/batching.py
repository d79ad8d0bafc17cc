"""What may be asked of batching: the pending list, branches and outlets, batches, registers, counts."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from services.contracts.consent import BASES
from services.contracts.fields import Whole, address, document_number, name_part, nationality, phone, text
from services.contracts.shared import CHANNELS, DOCUMENT_TYPES, SWITCH_REASONS
from services.kit.events.contract import choice
from services.kit.rpc.paging import PageAnswer, PageRequest

APPLICATION_STATES = ("queued", "submitted", "issued", "refused", "released", "removed")
CHECK_STATES = ("unchecked", "checking", "waiting", "passed", "failed")
BATCH_STATES = ("submitted", "partly_decided", "decided", "revoked")
REGISTER_STATES = ("unprinted", "printed")
REVOCATION_STATES = ("requested", "approved", "rejected", "closed")
CHARSETS = ("gb2312", "gbk", "gb18030")
PLACE_STATES = ("open", "closed", "all")
BANK_PROGRESS = ("accepted", "made")


def _application_ids() -> fields.List[Any]:
    return fields.List(fields.UUID(), validate=validate.Length(1, 10_000, error="请选择 1 至 10000 位会员"))


def _place_code() -> fields.String:
    """The code of a branch or outlet, which never changes."""
    form = Whole(r"^[a-z0-9][a-z0-9-]{1,19}$", error="代码应为 2 至 20 个小写字母、数字或 -")
    return fields.String(required=True, validate=form)


# Pending list


class ListPendingRequest(PageRequest):
    channel = choice(*CHANNELS, load_default="ordinary")
    name = name_part(metadata={"description": "what the name begins with"})
    document_number = document_number(metadata={"description": "the whole number"})
    check_state = choice(*CHECK_STATES)
    complete = fields.Boolean(metadata={"description": "special channel: whether the information is complete"})


class FindingAnswer(Schema):
    code = fields.String(required=True)
    severity = choice("error", "warning", "info", required=True)
    message = fields.String(required=True)


class PendingAnswer(Schema):
    """An application in the pending list."""

    application_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True)
    name = fields.String(required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True, metadata={"description": "masked"})
    document_expiry = fields.Date(required=True, allow_none=True, metadata={"description": "9999-12-31 is 长期"})
    nationality = fields.String(required=True, allow_none=True, metadata={"description": "ISO 3166-1 alpha-3"})
    listed_at = fields.AwareDateTime(required=True)
    check_state = choice(*CHECK_STATES, required=True)
    findings = fields.List(fields.Nested(FindingAnswer), required=True)
    channel = choice(*CHANNELS, required=True)
    channel_reason = fields.String(required=True, allow_none=True)
    channel_reason_code = fields.String(required=True, allow_none=True)
    channel_note = fields.String(required=True, allow_none=True, metadata={"description": "what the clerk added"})
    checked_at = fields.AwareDateTime(required=True, allow_none=True)
    can_switch = fields.Boolean(required=True)
    complete = fields.Boolean(required=True)
    missing = fields.List(
        choice("document_expiry", "nationality"), required=True, metadata={"description": "what is to be filled in"}
    )


class OrdinaryCounts(Schema):
    total = fields.Integer(required=True)
    passed = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    unchecked = fields.Integer(required=True)
    checking = fields.Integer(required=True)
    waiting = fields.Integer(required=True)


class SpecialCounts(OrdinaryCounts):
    complete = fields.Integer(required=True)
    incomplete = fields.Integer(required=True)
    ready = fields.Integer(required=True, metadata={"description": "complete and passed"})


class PendingCounts(Schema):
    ordinary = fields.Nested(OrdinaryCounts, required=True)
    special = fields.Nested(SpecialCounts, required=True)


class ListPendingAnswer(PageAnswer):
    items = fields.List(fields.Nested(PendingAnswer), required=True)
    counts = fields.Nested(PendingCounts, required=True, metadata={"description": "the whole list, without filters"})


class CheckPendingRequest(Schema):
    """Without ids: all of the channel that have not passed."""

    application_ids = _application_ids()
    channel = choice(*CHANNELS, load_default="ordinary")


class CheckPendingAnswer(Schema):
    checking = fields.Integer(required=True, metadata={"description": "how many are being checked by this request"})


class UpdatePendingRequest(Schema):
    """What is absent stays as it is."""

    application_id = fields.UUID(required=True)
    document_expiry = fields.Date()
    document_type = choice(*DOCUMENT_TYPES)
    document_number = document_number()
    nationality = nationality()
    channel = choice(*CHANNELS)
    channel_reason_code = choice(
        *SWITCH_REASONS,
        metadata={"description": "why a clerk switches to the special channel somebody whom no rule leads there"},
    )
    channel_note = text(200, metadata={"description": "with the reason `other` it is required"})


class RemovePendingRequest(Schema):
    application_id = fields.UUID(required=True)


class RemovePendingManyRequest(Schema):
    """Either all of one kind or those named."""

    which = choice(
        "not_passed",
        "incomplete",
        "special_not_passed",
        metadata={
            "description": "not_passed: failed and unchecked ones of the ordinary channel; special_not_passed: of the"
            " special channel; incomplete: those of the special channel whose information is incomplete"
        },
    )
    application_ids = _application_ids()

    @validates_schema
    def is_one_of_both(self, data: dict[str, object], **_: object) -> None:
        """Exactly one of `which` and `application_ids`."""
        if ("which" in data) == ("application_ids" in data):
            raise ValidationError("请选择要移除的会员，或一类会员", "which")


class RemovePendingAnswer(Schema):
    removed = fields.Integer(required=True)


# Branches and outlets


class ListBranchesRequest(Schema):
    state = choice(*PLACE_STATES, load_default="open")


class BranchAnswer(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    charset = choice(*CHARSETS, required=True, metadata={"description": "what its systems can hold of a name"})
    closed = fields.Boolean(required=True)


class ListBranchesAnswer(Schema):
    items = fields.List(fields.Nested(BranchAnswer), required=True)


class CreateBranchRequest(Schema):
    code = _place_code()
    name = text(50, required=True)
    charset = choice(*CHARSETS, required=True)


class UpdateBranchRequest(Schema):
    """What is absent stays as it is."""

    code = text(20, required=True)
    name = text(50)
    charset = choice(*CHARSETS)
    closed = fields.Boolean()


class ListOutletsRequest(PageRequest):
    branch_code = text(20)
    q = text(50, metadata={"description": "part of the name, address or district"})
    state = choice(
        *PLACE_STATES, load_default="open", metadata={"description": "an outlet of a closed branch counts as closed"}
    )


class OutletAnswer(Schema):
    code = fields.String(required=True)
    branch_code = fields.String(required=True)
    name = fields.String(required=True)
    address = fields.String(required=True)
    district = fields.String(required=True)
    phone = fields.String(required=True)
    closed = fields.Boolean(required=True)


class ListOutletsAnswer(PageAnswer):
    items = fields.List(fields.Nested(OutletAnswer), required=True)


class CreateOutletRequest(Schema):
    code = _place_code()
    branch_code = text(20, required=True)
    name = text(50, required=True)
    address = address(required=True)
    district = text(20, required=True)
    phone = phone(required=True)


class UpdateOutletRequest(Schema):
    """What is absent stays as it is; batches keep the name and address that they were submitted with."""

    code = text(20, required=True)
    name = text(50)
    address = address()
    district = text(20)
    phone = phone()
    closed = fields.Boolean()


# Batches


class SubmitBatchRequest(Schema):
    """The contact's number must be right: the bank calls it for collection."""

    channel = choice(*CHANNELS, required=True)
    branch_code = text(20, required=True)
    outlet_code = text(20, required=True)
    contact_name = text(50, required=True)
    contact_phone = phone(required=True)
    consent_version = text(
        20,
        metadata={
            "description": "the consent text that every member has signed, which the clerk attests to; without it, or"
            " with another than the one in force: Problem `consent_required` or `consent_outdated`"
        },
    )


class ListBatchesRequest(PageRequest):
    union_id = fields.UUID(metadata={"description": "a subordinate union, for reviewers and administrators"})
    batch_no = text(40, metadata={"description": "what the number begins with"})
    submitted_from = fields.Date(metadata={"description": "day in Shanghai"})
    submitted_to = fields.Date(metadata={"description": "day in Shanghai, inclusive"})
    register_state = choice(*REGISTER_STATES)
    channel = choice(*CHANNELS)
    state = choice(*BATCH_STATES)


class BatchUnion(Schema):
    union_id = fields.UUID(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)


class BatchOutlet(Schema):
    code = fields.String(required=True)
    name = fields.String(required=True)
    address = fields.String(required=True)


class BatchAnswer(Schema):
    batch_no = fields.String(required=True)
    union = fields.Nested(BatchUnion, required=True)
    channel = choice(*CHANNELS, required=True)
    personal = fields.Boolean(required=True, metadata={"description": "a member's own application from the phone"})
    state = choice(*BATCH_STATES, required=True)
    total = fields.Integer(required=True)
    issued = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    released = fields.Integer(required=True)
    submitted_at = fields.AwareDateTime(required=True)
    feedback_at = fields.AwareDateTime(required=True, allow_none=True)
    feedback_text = fields.String(required=True, allow_none=True, metadata={"description": "until the bank speaks"})
    count_month = fields.String(required=True, metadata={"description": "the month the batch counts for: 2026-11"})
    revocation_state = choice(*REVOCATION_STATES, required=True, allow_none=True)
    outlet = fields.Nested(BatchOutlet, required=True)
    register_state = choice(*REGISTER_STATES, required=True)
    revocable = fields.Boolean(required=True)


class ListBatchesAnswer(PageAnswer):
    items = fields.List(fields.Nested(BatchAnswer), required=True)


class BatchRequest(Schema):
    """Names a batch."""

    batch_no = text(40, required=True)


class BatchContact(Schema):
    name = fields.String(required=True)
    phone = fields.String(required=True, metadata={"description": "masked"})


class BatchDetailAnswer(BatchAnswer):
    branch = fields.Nested(BranchAnswer, required=True)
    contact = fields.Nested(BatchContact, required=True)
    register_hash = fields.String(required=True, metadata={"description": "SHA-256 of the frozen register, hex"})


class SubmitBatchAnswer(BatchDetailAnswer):
    warnings = fields.List(
        fields.String(), required=True, metadata={"description": "names that the branch's systems cannot hold"}
    )


class ListBatchMembersRequest(BatchRequest, PageRequest):
    state = choice("submitted", "issued", "refused", "released")
    name = name_part(metadata={"description": "what the name begins with"})


class ConsentReceiptAnswer(Schema):
    """That a member agreed to personal data going to the bank."""

    version = fields.String(required=True, metadata={"description": "of the consent text"})
    basis = choice(*BASES, required=True, metadata={"description": "signed_form: as the clerk attests"})
    given_at = fields.AwareDateTime(required=True)


class ConsentFormRequest(Schema):
    channel = choice(*CHANNELS, load_default="ordinary")


class BatchMemberAnswer(Schema):
    """A person of a batch and what became of the application."""

    application_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    member_no = fields.String(required=True)
    name = fields.String(required=True)
    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True, metadata={"description": "masked"})
    state = choice(*APPLICATION_STATES, required=True)
    bank_progress = choice(*BANK_PROGRESS, required=True, allow_none=True)
    card_no = fields.String(required=True, allow_none=True, metadata={"description": "masked"})
    reason = fields.String(required=True, allow_none=True, metadata={"description": "why the bank refused"})
    decided_at = fields.AwareDateTime(required=True, allow_none=True)
    consent = fields.Nested(
        ConsentReceiptAnswer,
        required=True,
        allow_none=True,
        metadata={"description": "null for batches that were submitted before receipts were kept"},
    )


class ListBatchMembersAnswer(PageAnswer):
    items = fields.List(fields.Nested(BatchMemberAnswer), required=True)


class GetRegisterRequest(BatchRequest):
    """The register in one of two forms; asking for it marks the batch as printed."""

    format = choice("pdf", "xlsx", load_default="pdf")


class RegisterAnswer(Schema):
    file_name = fields.String(required=True)
    content_type = fields.String(required=True)
    content = fields.String(required=True, metadata={"description": "base64"})
    register_hash = fields.String(required=True)


# Batches at the bank, for operators


class BankTime(Schema):
    """A time that the bank gave as that of its decisions."""

    processed_at = fields.AwareDateTime(required=True)
    applications = fields.Integer(required=True, metadata={"description": "that were decided at this time"})
    is_plausible = fields.Boolean(
        required=True, metadata={"description": "false before the submission, or in the future"}
    )


class BankFeedbackAnswer(Schema):
    """A feedback of the bank, and how many of its results became what."""

    feedback_id = fields.String(required=True)
    received_at = fields.AwareDateTime(required=True)
    processed_at = fields.AwareDateTime(required=True, allow_none=True)
    results = fields.Integer(required=True)
    applied = fields.Integer(required=True)
    repeated = fields.Integer(required=True)
    rejected = fields.Integer(required=True)


class BankBatchAnswer(Schema):
    """A batch as it lies between us and the bank; shows no person."""

    batch_no = fields.String(required=True)
    union_name = fields.String(required=True)
    submitted_at = fields.AwareDateTime(required=True)
    total = fields.Integer(required=True)
    issued = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    released = fields.Integer(required=True)
    recalled = fields.Integer(required=True, metadata={"description": "applicants that a recall would name now"})
    feedback_at = fields.AwareDateTime(required=True, allow_none=True)
    times = fields.List(fields.Nested(BankTime), required=True)
    feedbacks = fields.List(fields.Nested(BankFeedbackAnswer), required=True, metadata={"description": "newest first"})


def _reason() -> fields.String:
    return text(200, 2, required=True, metadata={"description": "stands in the log of acts"})


class ResendToBankRequest(BatchRequest):
    """Sends what the bank was sent before once more, marked as repeated."""

    what = choice(
        "batch",
        "recall",
        required=True,
        metadata={"description": "batch: the batch as it was submitted, and the recall of who was released since"},
    )
    reason = _reason()


class ResendToBankAnswer(Schema):
    applicants = fields.Integer(required=True, metadata={"description": "in the batch that was sent again"})
    recalled = fields.Integer(required=True, metadata={"description": "in the recall that was sent again"})


class CorrectProcessedAtRequest(BatchRequest):
    """Puts the right time in the place of a wrong one that the bank gave."""

    processed_at = fields.AwareDateTime(required=True, metadata={"description": "as it is now, one of `times`"})
    corrected_at = fields.AwareDateTime(
        required=True, metadata={"description": "the right time: not before the submission, not in the future"}
    )
    reason = _reason()


class CorrectProcessedAtAnswer(Schema):
    applications = fields.Integer(required=True, metadata={"description": "whose time of decision was corrected"})


# Personal applications


class ListPersonalProgressRequest(Schema):
    """Takes nothing: the member is known."""


class CollectionOutlet(BatchOutlet):
    phone = fields.String(required=True)


class PersonalProgressAnswer(Schema):
    """Where the card of a personal application is to be collected, and how far the bank is."""

    application_id = fields.UUID(required=True)
    outlet = fields.Nested(CollectionOutlet, required=True)
    bank_progress = choice(*BANK_PROGRESS, required=True, allow_none=True)


class ListPersonalProgressAnswer(Schema):
    items = fields.List(fields.Nested(PersonalProgressAnswer), required=True, metadata={"description": "newest first"})


# Counts for the workbench


class BatchSummaryRequest(Schema):
    """Takes nothing: the caller's union, and for a superior all unions below it."""


class SubmittedDay(Schema):
    day = fields.Date(required=True)
    submitted = fields.Integer(required=True)


class RefusalReason(Schema):
    reason_code = fields.String(required=True)
    reason = fields.String(required=True)
    count = fields.Integer(required=True)


class UnionBatches(Schema):
    union_id = fields.UUID(required=True)
    batches = fields.Integer(required=True)
    total = fields.Integer(required=True)
    issued = fields.Integer(required=True)
    refused = fields.Integer(required=True)
    released = fields.Integer(required=True)


class BatchSummaryAnswer(Schema):
    awaiting_bank = fields.Integer(required=True, metadata={"description": "applications the bank has not decided"})
    submitted_by_day = fields.List(fields.Nested(SubmittedDay), required=True, metadata={"description": "30 days"})
    refused_by_reason = fields.List(fields.Nested(RefusalReason), required=True)
    by_union = fields.List(
        fields.Nested(UnionBatches),
        required=True,
        metadata={"description": "for a superior: each direct subordinate with all below it"},
    )
