"""The operations on requests of members for a copy of their data, or for their erasure after the term."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from services.contracts.operations.roles import subordinates
from services.contracts.services import SERVICES
from services.contracts.shared import SUBJECT_REQUEST_KINDS
from services.kit.events.contract import choice
from services.kit.fields import FullMatch, text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import command, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

STATES = ("requested", "working", "done", "declined", "withdrawn", "expired")


@dataclass(frozen=True, kw_only=True)
class RequestSubjectRequest:
    """A request on behalf of a member who was identified, for instance by the document."""

    member_no: Annotated[str, FullMatch(r"^[0-9]{10}$", error="请填写 10 位会员编号")]
    kind: Annotated[str, choice(*SUBJECT_REQUEST_KINDS)]
    reason: Annotated[str, text(200, 2)]


@dataclass(frozen=True, kw_only=True)
class SubjectRequestId:
    request_id: UUID


@dataclass(frozen=True, kw_only=True)
class ListSubjectRequestsRequest(PageRequest):
    kind: Annotated[str | Unset, choice(*SUBJECT_REQUEST_KINDS)] = UNSET
    state: Annotated[str | Unset, choice(*STATES)] = UNSET


@dataclass(frozen=True, kw_only=True)
class SubjectPartAnswer:
    """A kind of data that a service keeps of the member."""

    service: Annotated[str, choice(*SERVICES)]
    title: Annotated[str, "in Chinese"]
    rows: int
    kept_because: Annotated[str | None, "of an erasure: why these stay; null where they were erased"]


@dataclass(frozen=True, kw_only=True)
class SubjectRequestAnswer:
    """A request; holds the member's number, and nothing else of the person."""

    request_id: UUID
    kind: Annotated[str, choice(*SUBJECT_REQUEST_KINDS)]
    state: Annotated[str, choice(*STATES)]
    member_no: str
    union_id: UUID
    union_name: str
    reason: str
    requested_by_name: str
    requested_at: datetime
    expires_at: Annotated[datetime, "until when another administrator may confirm it"]
    decided_by_name: str | None
    decided_at: datetime | None
    done_at: Annotated[datetime | None, "when all services had answered"]
    parts: Annotated[list[SubjectPartAnswer], "of the services that have answered; empty in lists"]
    unanswered: Annotated[list[str], "services that have not answered yet; empty in lists"]
    can_confirm: bool
    can_end: Annotated[bool, "decline it, or withdraw one's own"]
    can_fetch: Annotated[bool, "the copy is complete, and still there"]


@dataclass(frozen=True, kw_only=True)
class SubjectRequestsAnswer(PageAnswer):
    items: list[SubjectRequestAnswer]


_ADMINISTRATORS = subordinates("administrator")

REQUEST_SUBJECT = command(
    "membership.request_subject",
    RequestSubjectRequest,
    SubjectRequestAnswer,
    allow=_ADMINISTRATORS,
    title="受理个人信息请求",
)
LIST_SUBJECT_REQUESTS = query(
    "membership.list_subject_requests", ListSubjectRequestsRequest, SubjectRequestsAnswer, allow=_ADMINISTRATORS
)
GET_SUBJECT_REQUEST = query(
    "membership.get_subject_request", SubjectRequestId, SubjectRequestAnswer, allow=_ADMINISTRATORS
)
CONFIRM_ERASURE = command(
    "membership.confirm_erasure",
    SubjectRequestId,
    SubjectRequestAnswer,
    allow=_ADMINISTRATORS,
    title="确认删除个人信息",
)
DECLINE_ERASURE = command(
    "membership.decline_erasure",
    SubjectRequestId,
    SubjectRequestAnswer,
    allow=_ADMINISTRATORS,
    title="撤回或不同意删除个人信息",
)
FETCH_SUBJECT_COPY = command(
    "membership.fetch_subject_copy", SubjectRequestId, FileAnswer, allow=_ADMINISTRATORS, title="下载个人信息副本"
)
GET_SUBJECT_RECEIPT = query("membership.get_subject_receipt", SubjectRequestId, FileAnswer, allow=_ADMINISTRATORS)
