"""The operations on transfers 会员转会: the new union requests, the old one agrees, or a limit passes."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from services.contracts.fields import DocumentNumber, PersonName
from services.contracts.operations.membership.members import AFFILIATIONS, CARD_STATES
from services.contracts.operations.roles import STAFF, subordinates
from services.contracts.shared import DOCUMENT_TYPES
from services.kit.events.contract import choice
from services.kit.fields import lines
from services.kit.rpc.operation import command, own_union, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

TRANSFER_STATES = ("requested", "accepted", "declined", "withdrawn")
DIRECTIONS = ("in", "out")


@dataclass(frozen=True, kw_only=True)
class RequestTransferRequest:
    """Requests a member of another union, who is named by document and name; a request counts as a number search."""

    name: PersonName
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: DocumentNumber
    affiliation: Annotated[str, choice(*AFFILIATIONS), "in the new union"] = "employer"
    reason: Annotated[str | None, lines(200, allow_none=True), "what the old union reads"] = None


@dataclass(frozen=True, kw_only=True)
class ListTransfersRequest(PageRequest):
    state: Annotated[str | Unset, choice(*TRANSFER_STATES)] = UNSET
    direction: Annotated[str | Unset, choice(*DIRECTIONS), "into the caller's union, or out of it"] = UNSET


@dataclass(frozen=True, kw_only=True)
class TransferRequest:
    transfer_id: UUID


@dataclass(frozen=True, kw_only=True)
class DeclineTransferRequest(TransferRequest):
    remark: Annotated[str, lines(200), "the reason, which the new union reads"]


@dataclass(frozen=True, kw_only=True)
class TransferAnswer:
    """A transfer; who requested it learns of the old union and the member only once the member is theirs."""

    transfer_id: UUID
    state: Annotated[str, choice(*TRANSFER_STATES)]
    name: str
    document_number: Annotated[str, "masked"]
    member_id: Annotated[UUID | None, "null for the new union until it has the member"]
    member_no: Annotated[str | None, "null for the new union until it has the member"]
    card_state: Annotated[
        str | None, choice(*CARD_STATES, allow_none=True), "null for the new union until it has the member"
    ]
    from_union: Annotated[str | None, "null for the new union until it has the member"]
    to_union: str
    reason: str | None
    requested_at: datetime
    due_on: Annotated[date, "the last day to decide; after it the member is transferred"]
    decided_at: datetime | None
    is_automatic: Annotated[bool, "accepted because nobody decided in time"]
    remark: str | None
    can_decide: Annotated[bool, "whether it waits for the caller's decision"]
    can_withdraw: bool


@dataclass(frozen=True, kw_only=True)
class ListTransfersAnswer(PageAnswer):
    items: list[TransferAnswer]


REQUEST_TRANSFER = command(
    "membership.request_transfer", RequestTransferRequest, TransferAnswer, allow=own_union("clerk"), title="申请转会"
)
LIST_TRANSFERS = query(
    "membership.list_transfers", ListTransfersRequest, ListTransfersAnswer, allow=subordinates(*STAFF)
)
ACCEPT_TRANSFER = command(
    "membership.accept_transfer", TransferRequest, TransferAnswer, allow=own_union("clerk"), title="同意转会"
)
DECLINE_TRANSFER = command(
    "membership.decline_transfer", DeclineTransferRequest, TransferAnswer, allow=own_union("clerk"), title="不同意转会"
)
WITHDRAW_TRANSFER = command(
    "membership.withdraw_transfer", TransferRequest, TransferAnswer, allow=own_union("clerk"), title="撤回转会申请"
)
