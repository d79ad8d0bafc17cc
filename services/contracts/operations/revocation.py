"""The operations of revocation: request the revocation of a batch, list requests, decide on them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import ValidationError, validate

from services.contracts.fields import Phone
from services.contracts.operations.roles import DEPUTY, STAFF, subordinates
from services.contracts.shared import CHANNELS, REVOCATION_REASONS, UnionFacts
from services.kit.events.contract import choice
from services.kit.fields import lines, text
from services.kit.rpc.operation import command, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest, sortable
from services.kit.schemas import UNSET, Unset

LARGEST_REVIEW = 50
"""Most requests that are decided at once."""

REQUEST_STATES = ("requested", "approved", "rejected", "closed")
"""`closed`: the bank decided on all of the batch before anybody decided on the request."""


@dataclass(frozen=True, kw_only=True)
class RequestRevocation:
    """Requests the superior union to revoke a batch of the caller's union."""

    batch_no: Annotated[str, validate.Length(1, 64, error="请选择办卡批次")]
    applicant_name: Annotated[str, text(50)]
    applicant_phone: Phone
    reason_code: Annotated[str, choice(*REVOCATION_REASONS)]
    reason: Annotated[str, text(200, shortest=2), "what happened, which the reviewer reads"]


@dataclass(frozen=True, kw_only=True)
class ListRevocations(PageRequest):
    """Requests of the caller's union, and those that it may decide on as a deputy.

    For reviewers and administrators also those of all subordinates.
    """

    state: Annotated[str | Unset, choice(*REQUEST_STATES)] = UNSET
    batch_no: Annotated[str | Unset, validate.Length(1, 64), "what the number begins or ends with"] = UNSET
    can_decide: Annotated[bool | Unset, "whether it waits for the caller's decision"] = UNSET
    overdue: Annotated[bool | Unset, "whether it has waited beyond the limit 超期"] = UNSET
    sort: Annotated[
        str | Unset, sortable("batch_no", "requested_at", "decided_at"), "if absent: open ones first, then the newest"
    ] = UNSET


@dataclass(frozen=True, kw_only=True)
class GetRevocation:
    """One request that the caller may see."""

    revocation_id: UUID


@dataclass(frozen=True, kw_only=True)
class ApproveRevocation:
    """The superior union agrees: batching releases the applications that the bank has not decided."""

    revocation_id: UUID
    remark: Annotated[str | None, lines(200, allow_none=True)] = None


@dataclass(frozen=True, kw_only=True)
class RejectRevocation:
    """The superior union does not agree: the batch's members stay locked."""

    revocation_id: UUID
    remark: Annotated[str, lines(200), "the reason, which the applicant reads"]


@dataclass(frozen=True, kw_only=True)
class OneDecision:
    """The decision on one of several requests."""

    revocation_id: UUID
    decision: Annotated[str, choice("approve", "reject")]
    remark: Annotated[str | None, lines(200, allow_none=True), "required to reject; the applicant reads it"] = None

    def __post_init__(self) -> None:
        """Validates that a rejection has a remark."""
        if self.decision == "reject" and not self.remark:
            raise ValidationError("审核不通过时，请填写审核意见", "remark")


@dataclass(frozen=True, kw_only=True)
class DecideRevocations:
    """Several requests are decided at once, each by its own decision and remark; one refusal stops no other."""

    decisions: Annotated[
        list[OneDecision], validate.Length(1, LARGEST_REVIEW, error=f"请选择 1 至 {LARGEST_REVIEW} 件申请")
    ]


@dataclass(frozen=True, kw_only=True)
class DecidedOne:
    """What became of one decision."""

    revocation_id: UUID
    state: Annotated[str | None, choice(*REQUEST_STATES, allow_none=True), "null: it was refused"]
    problem_code: str | None
    problem: Annotated[str | None, "why it was refused"]


@dataclass(frozen=True, kw_only=True)
class DecidedRevocations:
    items: Annotated[list[DecidedOne], "in the order of the request"]


@dataclass(frozen=True, kw_only=True)
class RevealApplicant:
    """Requests the applicant's whole telephone number; the caller and the reason are recorded."""

    revocation_id: UUID
    reason: Annotated[str, text(200, shortest=2)]


@dataclass(frozen=True, kw_only=True)
class ApplicantPhone:
    applicant_phone: str


@dataclass(frozen=True, kw_only=True)
class RevocationAnswer:
    """A request to revoke a batch, with data of the batch."""

    revocation_id: UUID
    batch_no: str
    union: UnionFacts
    channel: Annotated[str, choice(*CHANNELS)]
    outlet_name: str
    submitted_at: datetime
    total: int
    issued: int
    refused: int
    released: int
    applicant_name: str
    applicant_phone: Annotated[str, "masked"]
    reason_code: Annotated[str | None, choice(*REVOCATION_REASONS, allow_none=True), "null: of a former release"]
    reason: str | None
    can_call: Annotated[bool, "whether the caller may see the applicant's whole number, as who reviews the request"]
    requested_by: UUID
    requested_at: datetime
    state: Annotated[str, choice(*REQUEST_STATES)]
    decided_by: UUID | None
    on_behalf_of: Annotated[str | None, "for whom a deputy decided: 代 … 审核"]
    decided_at: Annotated[datetime | None, "when it was decided or closed"]
    remark: str | None
    is_of_same_administrator: Annotated[
        bool, "whether the same administrator recently controlled the requester's and the caller's accounts"
    ]
    can_decide: Annotated[bool, "whether it waits for the caller's decision"]
    decides_for: Annotated[str | None, "for whom the caller would decide, as a deputy; null: in its own right"]
    due_on: Annotated[date | None, "the last day in Shanghai to decide; null: it is decided"]
    overdue: Annotated[bool, "that day is over 超期"]


@dataclass(frozen=True, kw_only=True)
class RevocationsAnswer(PageAnswer):
    items: list[RevocationAnswer]


REQUEST_REVOCATION = command(
    "revocation.request_revocation",
    RequestRevocation,
    RevocationAnswer,
    allow=own_union("clerk"),
    title="申请撤销",
)
LIST_REVOCATIONS = query(
    "revocation.list_revocations", ListRevocations, RevocationsAnswer, allow=subordinates(*STAFF, DEPUTY)
)
GET_REVOCATION = query("revocation.get_revocation", GetRevocation, RevocationAnswer, allow=subordinates(*STAFF, DEPUTY))
APPROVE_REVOCATION = command(
    "revocation.approve_revocation",
    ApproveRevocation,
    RevocationAnswer,
    allow=subordinates("reviewer", DEPUTY),
    title="同意撤销",
)
REJECT_REVOCATION = command(
    "revocation.reject_revocation",
    RejectRevocation,
    RevocationAnswer,
    allow=subordinates("reviewer", DEPUTY),
    title="不同意撤销",
)
DECIDE_REVOCATIONS = command(
    "revocation.decide_revocations",
    DecideRevocations,
    DecidedRevocations,
    allow=subordinates("reviewer", DEPUTY),
    title="批量审核撤销申请",
)
REVEAL_APPLICANT = command(
    "revocation.reveal_applicant",
    RevealApplicant,
    ApplicantPhone,
    allow=subordinates("reviewer", DEPUTY),
    title="查看申请人完整电话",
)
