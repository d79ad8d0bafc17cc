"""The operations of revocation: request the revocation of a batch, list requests, decide on them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.fields import Phone
from services.contracts.operations.roles import STAFF, subordinates
from services.contracts.shared import CHANNELS, UnionFacts
from services.kit.events.contract import choice
from services.kit.fields import lines, text
from services.kit.rpc.operation import command, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest, sortable
from services.kit.schemas import UNSET, Unset

REQUEST_STATES = ("requested", "approved", "rejected", "closed")
"""`closed`: the bank decided on all of the batch before anybody decided on the request."""


@dataclass(frozen=True, kw_only=True)
class RequestRevocation:
    """Requests the superior union to revoke a batch of the caller's union."""

    batch_no: Annotated[str, validate.Length(1, 64, error="请选择办卡批次")]
    applicant_name: Annotated[str, text(50)]
    applicant_phone: Phone


@dataclass(frozen=True, kw_only=True)
class ListRevocations(PageRequest):
    """Requests of the caller's union; for its reviewers and administrators also of all subordinates."""

    state: Annotated[str | Unset, choice(*REQUEST_STATES)] = UNSET
    batch_no: Annotated[str | Unset, validate.Length(1, 64), "what the number begins or ends with"] = UNSET
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
    requested_by: UUID
    requested_at: datetime
    state: Annotated[str, choice(*REQUEST_STATES)]
    decided_by: UUID | None
    decided_at: Annotated[datetime | None, "when it was decided or closed"]
    remark: str | None
    is_of_same_administrator: Annotated[
        bool, "whether the same administrator recently controlled the requester's and the caller's accounts"
    ]
    can_decide: Annotated[bool, "whether it waits for the caller's decision"]


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
LIST_REVOCATIONS = query("revocation.list_revocations", ListRevocations, RevocationsAnswer, allow=subordinates(*STAFF))
GET_REVOCATION = query("revocation.get_revocation", GetRevocation, RevocationAnswer, allow=subordinates(*STAFF))
APPROVE_REVOCATION = command(
    "revocation.approve_revocation",
    ApproveRevocation,
    RevocationAnswer,
    allow=subordinates("reviewer"),
    title="同意撤销",
)
REJECT_REVOCATION = command(
    "revocation.reject_revocation",
    RejectRevocation,
    RevocationAnswer,
    allow=subordinates("reviewer"),
    title="不同意撤销",
)
