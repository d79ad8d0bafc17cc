"""The events of revocation: a request, the superior union's decision, or that no decision is needed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from uuid import UUID

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.overdue import WORK_OVERDUE
from services.contracts.events.status import STATUSES_SAMPLED
from services.contracts.events.subjects import SUBJECT_ANSWERED
from services.contracts.shared import REVOCATION_REASONS, UnionFacts
from services.kit.events.contract import ENCRYPTED, EventContract, EventData, choice


@dataclass(frozen=True, kw_only=True)
class Applicant(EventData):
    """The person who requested the revocation. Always encrypted."""

    name: str
    phone: str


@dataclass(frozen=True, kw_only=True)
class RevocationRequestedData(EventData):
    revocation_id: UUID
    batch_no: str
    union: UnionFacts
    reviewer_union_id: UUID
    requested_by: UUID
    requested_at: datetime
    reason_code: Annotated[str | None, choice(*REVOCATION_REASONS, allow_none=True), "null: none was asked for"] = None
    former_reviewer_union_ids: Annotated[
        list[UUID], "who was to decide before the union moved, in this order; of two events the longer list is newer"
    ] = field(default_factory=list)
    applicant: Annotated[Applicant, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class Represented(EventData):
    """The reviewer in whose name a deputy decided. Always encrypted."""

    name: str


@dataclass(frozen=True, kw_only=True)
class RevocationDecidedData(EventData):
    revocation_id: UUID
    batch_no: str
    union_id: UUID
    reviewer_union_id: UUID
    decided_by: UUID
    decided_at: datetime
    remark: str | None = None
    on_behalf_of: Annotated[UUID | None, "the reviewer for whom a deputy decided; null: in its own right"] = None
    represented: Annotated[Represented | None, ENCRYPTED] = None
    applicant: Annotated[Applicant, ENCRYPTED]


@dataclass(frozen=True, kw_only=True)
class RevocationApprovedData(RevocationDecidedData):
    """An approval: batching releases the applications that the bank has not decided."""


@dataclass(frozen=True, kw_only=True)
class RevocationRejectedData(RevocationDecidedData):
    """A rejection: the batch's members stay locked."""


@dataclass(frozen=True, kw_only=True)
class RevocationClosedData(EventData):
    """The end of a request without a decision, because an approval could release nobody any more."""

    revocation_id: UUID
    batch_no: str
    union_id: UUID
    reviewer_union_id: UUID
    closed_at: datetime
    applicant: Annotated[Applicant, ENCRYPTED]


REVOCATION_REQUESTED = EventContract(
    "revocation",
    "revocation_requested",
    RevocationRequestedData,
    "A union requested its superior to revoke a batch.",
    consumers=("batching", "notification"),
    is_live=True,
)
REVOCATION_APPROVED = EventContract(
    "revocation",
    "revocation_approved",
    RevocationApprovedData,
    "The superior union agreed to revoke a batch.",
    consumers=("batching", "notification"),
    is_live=True,
)
REVOCATION_REJECTED = EventContract(
    "revocation",
    "revocation_rejected",
    RevocationRejectedData,
    "The superior union did not agree to revoke a batch.",
    consumers=("batching", "notification"),
    is_live=True,
)
REVOCATION_CLOSED = EventContract(
    "revocation",
    "revocation_closed",
    RevocationClosedData,
    "The bank has decided on all of a batch before the superior union decided on its revocation.",
    consumers=("batching", "notification"),
    is_live=True,
)
ACT_RECORDED = ACTS_RECORDED["revocation"]
STATUS_SAMPLED = STATUSES_SAMPLED["revocation"]
ANSWERED = SUBJECT_ANSWERED["revocation"]
OVERDUE = WORK_OVERDUE["revocation"]
EVENTS = (
    REVOCATION_REQUESTED,
    REVOCATION_APPROVED,
    REVOCATION_REJECTED,
    REVOCATION_CLOSED,
    ACT_RECORDED,
    STATUS_SAMPLED,
    ANSWERED,
    OVERDUE,
)
