"""The operations on changes of the tree of unions 工会撤并: one administrator requests, another one confirms."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from services.contracts.operations.roles import subordinates
from services.contracts.shared import UNION_CHANGE_KINDS
from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.operation import command, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

STATES = ("requested", "done", "declined", "withdrawn", "expired")


@dataclass(frozen=True, kw_only=True)
class PreviewUnionChangeRequest:
    """A change of a union below the caller's."""

    union_id: UUID
    kind: Annotated[
        str,
        choice(*UNION_CHANGE_KINDS),
        "moved below another superior with all below it, merged into another union, or dissolved, being empty",
    ]
    target_union_id: Annotated[UUID | Unset, "the new superior, or the successor; not to dissolve"] = UNSET


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """What must be done before the change is possible."""

    code: str
    reason: Annotated[str, "in Chinese"]


@dataclass(frozen=True, kw_only=True)
class UnionChangePreview:
    """What a change concerns: the union and all below it."""

    unions: Annotated[int, "below it"]
    accounts: Annotated[int, "that may sign in"]
    members: int
    waiting: Annotated[int, "members on pending lists, or with the bank"]
    delegations: Annotated[int, "of reviewers, which end, since the deputy would be of no union above any more"]
    obstacles: list[Obstacle]


@dataclass(frozen=True, kw_only=True)
class RequestUnionChangeRequest(PreviewUnionChangeRequest):
    reason: Annotated[str, text(200)]


@dataclass(frozen=True, kw_only=True)
class UnionChangeRequest:
    """Identifies a change."""

    change_id: UUID


@dataclass(frozen=True, kw_only=True)
class ListUnionChangesRequest(PageRequest):
    state: Annotated[str | Unset, choice(*STATES)] = UNSET


@dataclass(frozen=True, kw_only=True)
class UnionChangeAnswer:
    change_id: UUID
    kind: Annotated[str, choice(*UNION_CHANGE_KINDS)]
    state: Annotated[str, choice(*STATES)]
    union_id: UUID
    union_name: str
    from_union_name: Annotated[str, "the superior before the change"]
    target_union_id: UUID | None
    target_union_name: Annotated[str | None, "the new superior, or the successor"]
    reason: str
    preview: Annotated[UnionChangePreview, "as at the request"]
    requested_by: UUID
    requested_by_name: str
    requested_at: datetime
    expires_at: datetime
    decided_by_name: str | None
    decided_at: datetime | None
    can_confirm: bool
    can_end: Annotated[bool, "decline it, or withdraw one's own"]


@dataclass(frozen=True, kw_only=True)
class UnionChangesAnswer(PageAnswer):
    items: list[UnionChangeAnswer]


_ADMINISTRATORS = subordinates("administrator")

PREVIEW_UNION_CHANGE = query(
    "membership.preview_union_change", PreviewUnionChangeRequest, UnionChangePreview, allow=_ADMINISTRATORS
)
REQUEST_UNION_CHANGE = command(
    "membership.request_union_change",
    RequestUnionChangeRequest,
    UnionChangeAnswer,
    allow=_ADMINISTRATORS,
    title="申请工会撤并",
)
LIST_UNION_CHANGES = query(
    "membership.list_union_changes", ListUnionChangesRequest, UnionChangesAnswer, allow=_ADMINISTRATORS
)
CONFIRM_UNION_CHANGE = command(
    "membership.confirm_union_change",
    UnionChangeRequest,
    UnionChangeAnswer,
    allow=_ADMINISTRATORS,
    title="确认工会撤并",
)
DECLINE_UNION_CHANGE = command(
    "membership.decline_union_change",
    UnionChangeRequest,
    UnionChangeAnswer,
    allow=_ADMINISTRATORS,
    title="结束工会撤并申请",
)
