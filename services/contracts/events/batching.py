"""What batching tells: checks asked for, pending lists changed, batches submitted, the bank's results, releases."""

from marshmallow import fields

from services.contracts.consent import BASES
from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.shared import CHANNELS, DOCUMENT_TYPES, SEXES, ApplicationStep, PersonFacts, UnionFacts
from services.kit.events.contract import EventContract, EventData, Parted, Sealed, choice, chunk_of


class RequestedCheck(EventData):
    application_id = fields.UUID(required=True)
    check_no = fields.Integer(required=True, metadata={"description": "grows with each check of the application"})


class ValidationRequestedData(EventData):
    union_id = fields.UUID(required=True)
    applications = chunk_of(RequestedCheck)
    persons = Sealed(Parted(fields.Nested(PersonFacts)), required=True)


class PendingChangedData(EventData):
    union_id = fields.UUID(required=True)
    reason = choice(
        "queued", "checking", "checked", "removed", "changed", "switched", "submitted", "cancelled", required=True
    )
    count = fields.Integer(required=True, metadata={"description": "how many applications changed"})


class ChannelAssignedData(EventData):
    union_id = fields.UUID(required=True)
    channel = choice(*CHANNELS, required=True)
    reason = fields.String(
        allow_none=True, load_default=None, metadata={"description": "why a clerk switched; without personal data"}
    )
    applications = chunk_of(ApplicationStep)


class MembersRemovedData(EventData):
    union_id = fields.UUID(required=True)
    reason = choice("by_clerk", "not_passed", "incomplete", "check_failed", "cancelled", required=True)
    detail = fields.String(
        allow_none=True, load_default=None, metadata={"description": "why, in Chinese, where the reason is not enough"}
    )
    applications = chunk_of(ApplicationStep)


class RefusedMember(EventData):
    application_id = fields.UUID(required=True)
    member_no = fields.String(required=True)
    reason_code = fields.String(required=True, metadata={"description": "stable code of the reason"})
    reason = fields.String(required=True, metadata={"description": "why, in Chinese; without personal data"})


class MembersRefusedData(EventData):
    union_id = fields.UUID(required=True)
    members = chunk_of(RefusedMember)


class CorrectedFacts(EventData):
    """All of a member that the pending list lets a clerk correct, as it is now. Always sealed."""

    document_type = choice(*DOCUMENT_TYPES, required=True)
    document_number = fields.String(required=True)
    document_expiry = fields.Date(allow_none=True, load_default=None)
    nationality = fields.String(allow_none=True, load_default=None)
    birth_date = fields.Date(allow_none=True, load_default=None)
    sex = choice(*SEXES, allow_none=True, load_default=None)


class MemberCorrectedData(EventData):
    union_id = fields.UUID(required=True)
    application_id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    corrected_by = fields.UUID(required=True, metadata={"description": "the clerk's account"})
    corrected_at = fields.AwareDateTime(required=True, metadata={"description": "of two corrections the later holds"})
    person = Sealed(fields.Nested(CorrectedFacts), required=True)


class Contact(EventData):
    """Whom the bank calls for collection. Always sealed."""

    name = fields.String(required=True)
    phone = fields.String(required=True)


class BatchSubmittedData(EventData):
    batch_no = fields.String(required=True)
    union = fields.Nested(UnionFacts, required=True)
    channel = choice(*CHANNELS, required=True)
    outlet_code = fields.String(required=True)
    outlet_name = fields.String(required=True)
    submitted_by = fields.UUID(required=True)
    submitted_at = fields.AwareDateTime(required=True)
    total = fields.Integer(required=True, metadata={"description": "persons in the whole batch"})
    part = fields.Integer(required=True, metadata={"description": "this part of the batch, from 1"})
    parts = fields.Integer(required=True)
    personal = fields.Boolean(load_default=False, metadata={"description": "a member's own application from the phone"})
    consent_version = fields.String(
        allow_none=True, load_default=None, metadata={"description": "the text that each member agreed to"}
    )
    consent_basis = choice(*BASES, allow_none=True, load_default=None)
    contact = Sealed(fields.Nested(Contact), required=True)
    applications = chunk_of(ApplicationStep)


class IssuedApplication(ApplicationStep):
    issued_at = fields.AwareDateTime(required=True)
    late = fields.Boolean(load_default=False, metadata={"description": "issued after the application was released"})


class IssuedCard(EventData):
    application_id = fields.UUID(required=True)
    card_no = fields.String(required=True)


class CardsIssuedData(EventData):
    batch_no = fields.String(required=True)
    union_id = fields.UUID(required=True)
    applications = chunk_of(IssuedApplication)
    cards = Sealed(fields.List(fields.Nested(IssuedCard)), required=True)
    personal = fields.Boolean(load_default=False, metadata={"description": "a member's own application from the phone"})
    contact = Sealed(fields.Nested(Contact), allow_none=True, load_default=None)


class RefusedApplication(ApplicationStep):
    reason_code = fields.String(required=True)
    reason = fields.String(required=True)


class CardsRefusedData(EventData):
    batch_no = fields.String(required=True)
    union_id = fields.UUID(required=True)
    applications = chunk_of(RefusedApplication)
    personal = fields.Boolean(load_default=False, metadata={"description": "a member's own application from the phone"})
    contact = Sealed(fields.Nested(Contact), allow_none=True, load_default=None)


class BatchReleasedData(EventData):
    batch_no = fields.String(required=True)
    union_id = fields.UUID(required=True)
    revocation_id = fields.UUID(allow_none=True, load_default=None)
    reason = choice("revoked", "cancelled", required=True)
    applications = chunk_of(ApplicationStep)


class IssueTimesCorrectedData(EventData):
    batch_no = fields.String(required=True)
    union_id = fields.UUID(required=True)
    said_at = fields.AwareDateTime(required=True, metadata={"description": "the time of issue that was wrong"})
    issued_at = fields.AwareDateTime(required=True, metadata={"description": "the right one"})
    applications = chunk_of(ApplicationStep, metadata={"description": "the version is that of the issue"})


VALIDATION_REQUESTED = EventContract(
    "batching",
    "validation_requested",
    ValidationRequestedData,
    "The clerk asked for the system check of these members.",
    consumers=("validation",),
)
PENDING_CHANGED = EventContract(
    "batching", "pending_changed", PendingChangedData, "A union's pending list changed: pages that show it refresh."
)
CHANNEL_ASSIGNED = EventContract(
    "batching",
    "channel_assigned",
    ChannelAssignedData,
    "Applications take this channel: when first listed as special, and whenever a clerk switches.",
    consumers=("membership",),
)
MEMBERS_REMOVED = EventContract(
    "batching",
    "members_removed",
    MembersRemovedData,
    "Applications left the pending list; their members are free again.",
    consumers=("membership",),
    is_live=True,
)
MEMBERS_REFUSED = EventContract(
    "batching",
    "members_refused",
    MembersRefusedData,
    "Queued members could not be listed, for what membership says of them cannot be kept: their clerk is told why.",
    consumers=("notification",),
)
MEMBER_CORRECTED = EventContract(
    "batching",
    "member_corrected",
    MemberCorrectedData,
    "A clerk corrected a member's document in the pending list (修改证件到期日, 完善信息).",
    consumers=("membership",),
)
BATCH_SUBMITTED = EventContract(
    "batching",
    "batch_submitted",
    BatchSubmittedData,
    "A batch was submitted to a bank outlet (in parts when large).",
    consumers=("membership", "revocation", "notification"),
    is_live=True,
)
CARDS_ISSUED = EventContract(
    "batching",
    "cards_issued",
    CardsIssuedData,
    "The bank issued cards.",
    consumers=("membership", "revocation", "notification"),
    is_live=True,
)
CARDS_REFUSED = EventContract(
    "batching",
    "cards_refused",
    CardsRefusedData,
    "The bank refused applications.",
    consumers=("membership", "revocation", "notification"),
    is_live=True,
)
BATCH_RELEASED = EventContract(
    "batching",
    "batch_released",
    BatchReleasedData,
    "Applications the bank had not decided were released from a batch; their members are free again.",
    consumers=("membership", "revocation", "notification"),
    is_live=True,
)
ISSUE_TIMES_CORRECTED = EventContract(
    "batching",
    "issue_times_corrected",
    IssueTimesCorrectedData,
    "An operator corrected when the bank had issued cards: its clock had been wrong.",
    consumers=("membership",),
)
ACT_RECORDED = ACTS_RECORDED["batching"]
EVENTS = (
    VALIDATION_REQUESTED,
    PENDING_CHANGED,
    CHANNEL_ASSIGNED,
    MEMBERS_REMOVED,
    MEMBERS_REFUSED,
    MEMBER_CORRECTED,
    BATCH_SUBMITTED,
    CARDS_ISSUED,
    CARDS_REFUSED,
    BATCH_RELEASED,
    ISSUE_TIMES_CORRECTED,
    ACT_RECORDED,
)
