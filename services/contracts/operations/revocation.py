"""What may be asked of revocation: request the revocation of a batch, look at requests, decide on them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from marshmallow import validate

from services.contracts.fields import Phone, lines, text
from services.contracts.roles import STAFF, subordinates
from services.contracts.shared import CHANNELS, UnionFacts
from services.kit.events.contract import choice
from services.kit.rpc.operation import command, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

REQUEST_STATES = ("requested", "approved", "rejected", "closed")
"""`closed`: the bank had decided on all of the batch before anybody decided on the request."""


@dataclass(frozen=True, kw_only=True)
class RequestRevocationRequest:
    batch_no: Annotated[str, validate.Length(1, 64, error="请选择办卡批次")]
    applicant_name: Annotated[str, text(50)]
    applicant_phone: Phone


@dataclass(frozen=True, kw_only=True)
class ListRevocationsRequest(PageRequest):
    state: Annotated[str | Unset, choice(*REQUEST_STATES)] = UNSET
    batch_no: Annotated[str | Unset, validate.Length(1, 64), "what the number begins with"] = UNSET


@dataclass(frozen=True, kw_only=True)
class GetRevocationRequest:
    revocation_id: UUID


@dataclass(frozen=True, kw_only=True)
class ApproveRevocationRequest:
    revocation_id: UUID
    remark: Annotated[str | None, lines(200, allow_none=True)] = None


@dataclass(frozen=True, kw_only=True)
class RejectRevocationRequest:
    revocation_id: UUID
    remark: Annotated[str, lines(200), "why not; the applicant reads it"]


@dataclass(frozen=True, kw_only=True)
class RevocationAnswer:
    """A request to revoke a batch, beside what is known of the batch."""

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
        bool, "whether one administrator controls, since lately, who asked and the caller"
    ]
    can_decide: Annotated[bool, "whether it waits for the caller's decision"]


@dataclass(frozen=True, kw_only=True)
class RevocationsAnswer(PageAnswer):
    items: list[RevocationAnswer]


REQUEST_REVOCATION = command(
    "revocation.request_revocation",
    RequestRevocationRequest,
    RevocationAnswer,
    allow=own_union("clerk"),
    title="申请撤销",
)
LIST_REVOCATIONS = query(
    "revocation.list_revocations", ListRevocationsRequest, RevocationsAnswer, allow=subordinates(*STAFF)
)
GET_REVOCATION = query("revocation.get_revocation", GetRevocationRequest, RevocationAnswer, allow=subordinates(*STAFF))
APPROVE_REVOCATION = command(
    "revocation.approve_revocation",
    ApproveRevocationRequest,
    RevocationAnswer,
    allow=subordinates("reviewer"),
    title="同意撤销",
)
REJECT_REVOCATION = command(
    "revocation.reject_revocation",
    RejectRevocationRequest,
    RevocationAnswer,
    allow=subordinates("reviewer"),
    title="不同意撤销",
)
