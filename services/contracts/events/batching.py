"""The events of batching: requested checks, changed pending lists, submitted batches, the bank's results, releases."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.consent import BASES
from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.overdue import WORK_OVERDUE
from services.contracts.events.status import STATUSES_SAMPLED
from services.contracts.events.subjects import SUBJECT_ANSWERED
from services.contracts.shared import (
    CARD_STATUSES,
    CARD_STEPS,
    CHANNELS,
    DOCUMENT_TYPES,
    RETIREMENT_CATEGORIES,
    SEXES,
    ApplicationStep,
    CodedName,
    PersonFacts,
    UnionFacts,
)
from services.kit.events.contract import (
    CHUNK,
    ENCRYPTED,
    PARTED,
    EventContract,
    EventData,
    choice,
)
from services.kit.schemas import UNSET, Unset

APPLICATION_STATES = ("queued", "submitted", "issued", "refused", "released", "removed")
RELEASE_REASONS = ("revoked", "cancelled")
NOTICE_OCCASIONS = ("queued", "submitted")


@dataclass(frozen=True, kw_only=True)
class RequestedCheck(EventData):
    application_id: UUID
    check_no: Annotated[int, "grows with each check of the application"]


@dataclass(frozen=True, kw_only=True)
class ValidationRequestedData(EventData):
    union_id: UUID
    applications: Annotated[list[RequestedCheck], CHUNK]
    persons: Annotated[list[PersonFacts], PARTED, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class PendingChangedData(EventData):
    union_id: UUID
    reason: Annotated[
        str, choice("queued", "checking", "checked", "removed", "changed", "switched", "submitted", "cancelled")
    ]
    count: Annotated[int, "how many applications changed"]


@dataclass(frozen=True, kw_only=True)
class ChannelAssignedData(EventData):
    union_id: UUID
    channel: Annotated[str, choice(*CHANNELS)]
    reason: Annotated[str | None, "why a clerk switched; without personal data"] = None
    applications: Annotated[list[ApplicationStep], CHUNK]


@dataclass(frozen=True, kw_only=True)
class MembersRemovedData(EventData):
    union_id: UUID
    reason: Annotated[str, choice("by_clerk", "not_passed", "incomplete", "check_failed", "cancelled")]
    detail: Annotated[str | None, "why, in Chinese, where the reason is not enough"] = None
    applications: Annotated[list[ApplicationStep], CHUNK]


@dataclass(frozen=True, kw_only=True)
class RefusedMember(EventData):
    application_id: UUID
    member_no: str
    reason_code: Annotated[str, "stable code of the reason"]
    reason: Annotated[str, "why, in Chinese; without personal data"]


@dataclass(frozen=True, kw_only=True)
class MembersRefusedData(EventData):
    union_id: UUID
    members: Annotated[list[RefusedMember], CHUNK]


@dataclass(frozen=True, kw_only=True)
class CorrectedFacts(EventData):
    """The current values of the document, and of a person's other facts those that changed. Always encrypted."""

    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: str
    document_expiry: date | None = None
    nationality: str | None = None
    birth_date: date | None = None
    sex: Annotated[str | None, choice(*SEXES, allow_none=True)] = None
    name: Annotated[str | Unset, "absent where it did not change, as are the fields below"] = UNSET
    phone: str | Unset | None = UNSET
    retirement_category: Annotated[str | Unset | None, choice(*RETIREMENT_CATEGORIES, allow_none=True)] = UNSET
    special_retirement_month: date | Unset | None = UNSET


@dataclass(frozen=True, kw_only=True)
class MemberCorrectedData(EventData):
    union_id: UUID
    application_id: UUID
    member_id: UUID
    corrected_by: Annotated[UUID, "the clerk's account"]
    corrected_at: Annotated[datetime, "of two corrections the later one counts"]
    person: Annotated[CorrectedFacts, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class Contact(EventData):
    """The person whom the bank calls for collection. Always encrypted."""

    name: str
    phone: str


@dataclass(frozen=True, kw_only=True)
class BatchSubmittedData(EventData):
    batch_no: str
    union: UnionFacts
    channel: Annotated[str, choice(*CHANNELS)]
    branch_code: Annotated[str | None, "the branch of the outlet"] = None
    branch_name: str | None = None
    outlet_code: str
    outlet_name: str
    submitted_by: UUID
    submitted_at: datetime
    total: Annotated[int, "persons in the whole batch"]
    part: Annotated[int, "this part of the batch, from 1"]
    parts: int
    personal: Annotated[bool, "a member's own application from the phone"] = False
    consent_version: Annotated[str | None, "the text that each member agreed to"] = None
    consent_basis: Annotated[str | None, choice(*BASES, allow_none=True)] = None
    contact: Annotated[Contact, ENCRYPTED]
    applications: Annotated[list[ApplicationStep], CHUNK]


@dataclass(frozen=True, kw_only=True)
class IssuedApplication(ApplicationStep):
    issued_at: datetime
    late: Annotated[bool, "issued after the application was released"] = False


@dataclass(frozen=True, kw_only=True)
class IssuedCard(EventData):
    application_id: UUID
    card_no: str


@dataclass(frozen=True, kw_only=True)
class CardsIssuedData(EventData):
    batch_no: str
    union_id: UUID
    applications: Annotated[list[IssuedApplication], CHUNK]
    cards: Annotated[list[IssuedCard], ENCRYPTED]
    personal: Annotated[bool, "a member's own application from the phone"] = False
    contact: Annotated[Contact | None, ENCRYPTED] = None


@dataclass(frozen=True, kw_only=True)
class RefusedApplication(ApplicationStep):
    reason_code: str
    reason: str
    refused_at: Annotated[datetime | None, "when, by the bank's clock"] = None


@dataclass(frozen=True, kw_only=True)
class CardsRefusedData(EventData):
    batch_no: str
    union_id: UUID
    applications: Annotated[list[RefusedApplication], CHUNK]
    personal: Annotated[bool, "a member's own application from the phone"] = False
    contact: Annotated[Contact | None, ENCRYPTED] = None


@dataclass(frozen=True, kw_only=True)
class BatchReleasedData(EventData):
    batch_no: str
    union_id: UUID
    revocation_id: UUID | None = None
    reason: Annotated[str, choice(*RELEASE_REASONS)]
    released_at: datetime | None = None
    applications: Annotated[list[ApplicationStep], CHUNK]


@dataclass(frozen=True, kw_only=True)
class IssueTimesCorrectedData(EventData):
    batch_no: str
    union_id: UUID
    said_at: Annotated[datetime, "the wrong time of issue"]
    issued_at: Annotated[datetime, "the right time of issue"]
    applications: Annotated[list[ApplicationStep], CHUNK, "the version is that of the issue"]


@dataclass(frozen=True, kw_only=True)
class CountedApplication(EventData):
    """What reports count of an application, as it is now. Its further steps have events of their own."""

    application_id: UUID
    union_id: UUID
    queued_at: datetime
    version: Annotated[int, validate.Range(min=0), "of the newest step, on which the state depends"]
    state: Annotated[str, choice(*APPLICATION_STATES)]
    state_at: Annotated[datetime | None, "when it was issued, refused or released"] = None
    reason_code: Annotated[str | None, "of the refusal or the release"] = None
    channel: Annotated[str, choice(*CHANNELS)]
    branch_code: Annotated[str | None, "the branch that it was submitted to"] = None
    submitted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ApplicationsCountedData(EventData):
    applications: Annotated[list[CountedApplication], CHUNK]
    names: Annotated[list[CodedName], "of branches and of the bank's reasons"] = field(default_factory=list)
    rebuild_id: Annotated[UUID | None, "the rebuild of the reports that it belongs to"] = None


@dataclass(frozen=True, kw_only=True)
class ChangedCard(ApplicationStep):
    """A step of the card of an issued application; `version` counts the card's steps, not the application's."""

    step: Annotated[str, choice(*CARD_STEPS)]
    happened_at: datetime
    status: Annotated[
        str, choice(*CARD_STATUSES), "the card's status with all that is known; the newest version counts"
    ]
    by_union: Annotated[bool, "the union handed the card out; otherwise the bank reported the step"] = False


@dataclass(frozen=True, kw_only=True)
class CardNumber(EventData):
    application_id: UUID
    card_no: Annotated[str, "the current number"]


@dataclass(frozen=True, kw_only=True)
class CardsChangedData(EventData):
    union_id: UUID
    cards: Annotated[list[ChangedCard], CHUNK, "steps; a card may have several"]
    numbers: Annotated[list[CardNumber], ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class WaitingCard(EventData):
    """The member whose card waits for collection, and where. Always encrypted."""

    application_id: UUID
    phone: Annotated[str, "the number that the bank was given"]
    outlet_name: str
    outlet_address: str
    handed_out_by_union: bool = False


@dataclass(frozen=True, kw_only=True)
class CollectionReminder(EventData):
    application_id: UUID
    member_id: UUID
    made_at: datetime


@dataclass(frozen=True, kw_only=True)
class CollectionRemindedData(EventData):
    union_id: UUID
    reminders: Annotated[list[CollectionReminder], CHUNK]
    members: Annotated[list[WaitingCard], ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class NotifiedMember(EventData):
    """A member with the number at which to reach it. Always encrypted."""

    application_id: UUID
    member_id: UUID
    phone: str


@dataclass(frozen=True, kw_only=True)
class MemberNoticesDueData(EventData):
    union_id: UUID
    union_name: str
    occasion: Annotated[str, choice(*NOTICE_OCCASIONS)]
    outlet_name: Annotated[str | None, "where the batch was submitted"] = None
    outlet_address: str | None = None
    outlet_phone: str | None = None
    handed_out_by_union: Annotated[bool, "the union hands the cards out, not the outlet"] = False
    members: Annotated[list[NotifiedMember], ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class UnionsMovedData(EventData):
    union_ids: Annotated[list[UUID], validate.Length(1)]


VALIDATION_REQUESTED = EventContract(
    "batching",
    "validation_requested",
    ValidationRequestedData,
    "A clerk requested the system check of these members.",
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
    consumers=("membership", "notification"),
)
MEMBERS_REMOVED = EventContract(
    "batching",
    "members_removed",
    MembersRemovedData,
    "Applications left the pending list; their members are free again.",
    consumers=("membership", "notification"),
    is_live=True,
)
MEMBERS_REFUSED = EventContract(
    "batching",
    "members_refused",
    MembersRefusedData,
    "Queued members could not be listed, for membership's data on them is invalid: their clerk is notified why.",
    consumers=("notification",),
)
MEMBER_CORRECTED = EventContract(
    "batching",
    "member_corrected",
    MemberCorrectedData,
    "A clerk corrected a member in the pending list (修改证件到期日, 完善信息, 处理).",
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
APPLICATIONS_COUNTED = EventContract(
    "batching",
    "applications_counted",
    ApplicationsCountedData,
    "Applications came in, were corrected, or are counted anew for a rebuild of the reports: without personal data.",
    consumers=("notification",),
)
CARDS_CHANGED = EventContract(
    "batching",
    "cards_changed",
    CardsChangedData,
    "Cards were collected, activated, lost, replaced, renewed or closed.",
    consumers=("membership",),
    is_live=True,
)
COLLECTION_REMINDED = EventContract(
    "batching",
    "collection_reminded",
    CollectionRemindedData,
    "Cards have waited long for collection: their members are reminded.",
    consumers=("notification",),
)
MEMBER_NOTICES_DUE = EventContract(
    "batching",
    "member_notices_due",
    MemberNoticesDueData,
    "Applications were listed by a clerk, or submitted: members with a mobile number are told.",
    consumers=("notification",),
)
UNIONS_MOVED = EventContract(
    "batching",
    "unions_moved",
    UnionsMovedData,
    "Unions have another place in the tree: their batches, cards and lists are to follow.",
    consumers=("batching",),
)
ACT_RECORDED = ACTS_RECORDED["batching"]
STATUS_SAMPLED = STATUSES_SAMPLED["batching"]
ANSWERED = SUBJECT_ANSWERED["batching"]
OVERDUE = WORK_OVERDUE["batching"]
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
    APPLICATIONS_COUNTED,
    CARDS_CHANGED,
    COLLECTION_REMINDED,
    MEMBER_NOTICES_DUE,
    UNIONS_MOVED,
    ACT_RECORDED,
    STATUS_SAMPLED,
    ANSWERED,
    OVERDUE,
)
