"""The operations of delegations 委托: a reviewer names a deputy 代审人 for a period, and either may end it early."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from marshmallow import ValidationError, validate

from services.contracts.operations.membership.accounts import Roles
from services.contracts.operations.roles import STAFF, subordinates
from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.operation import command, query
from services.kit.rpc.paging import PageAnswer, PageRequest
from services.kit.schemas import UNSET, Unset

LONGEST_DAYS = 92
"""Choice: a delegation lasts at most three months; who is away longer has another reviewer."""
DELEGATION_STATES = ("upcoming", "active", "ended")
"""未开始, 生效中, 已结束."""
MOST_CANDIDATES = 50
"""How many deputies are offered at once."""


@dataclass(frozen=True, kw_only=True)
class CreateDelegation:
    """Names a deputy, who decides in the principal's name from the first to the last day."""

    principal_id: Annotated[
        UUID | Unset, "the reviewer; if absent, the caller. A superior's administrator names it"
    ] = UNSET
    deputy_id: UUID
    first_day: Annotated[date, "in Shanghai, not before today"]
    last_day: Annotated[date, "in Shanghai, inclusive"]
    reason: Annotated[str, text(200, shortest=2), "why, which the deputy reads"]

    def __post_init__(self) -> None:
        """Validates the period."""
        if self.last_day < self.first_day:
            raise ValidationError("结束日期不能早于开始日期", "last_day")
        if (self.last_day - self.first_day).days >= LONGEST_DAYS:
            raise ValidationError(f"一次最多委托 {LONGEST_DAYS} 天", "last_day")


@dataclass(frozen=True, kw_only=True)
class ListDelegations(PageRequest):
    """Those of the caller, as principal or deputy; reviewers see their union's, administrators also those below."""

    state: Annotated[str | Unset, choice(*DELEGATION_STATES)] = UNSET
    mine: Annotated[str | Unset, choice("given", "received"), "only those that the caller gave, or received"] = UNSET


@dataclass(frozen=True, kw_only=True)
class DelegationRequest:
    """Identifies a delegation."""

    delegation_id: UUID


@dataclass(frozen=True, kw_only=True)
class ListPrincipals:
    """Reviewers for whom the caller may name a deputy: itself, and for an administrator those of unions below."""

    q: Annotated[str | Unset, text(50), "part of the name, the account or the union's name"] = UNSET


@dataclass(frozen=True, kw_only=True)
class ListDeputies:
    """Accounts that may stand in for a reviewer: of the same union, or of one above it."""

    principal_id: Annotated[UUID | Unset, "the reviewer; if absent, the caller"] = UNSET
    q: Annotated[str | Unset, text(50), "part of the name, the account or the union's name"] = UNSET


@dataclass(frozen=True, kw_only=True)
class Colleague:
    """An account that may give or receive a delegation."""

    account_id: UUID
    account_name: str
    display_name: str
    roles: Roles
    union_id: UUID
    union_name: str


@dataclass(frozen=True, kw_only=True)
class ColleaguesAnswer:
    items: Annotated[list[Colleague], validate.Length(max=MOST_CANDIDATES), "the nearest union's first"]


@dataclass(frozen=True, kw_only=True)
class DelegationAnswer:
    """Who stands in for whom, from which day to which day."""

    delegation_id: UUID
    state: Annotated[str, choice(*DELEGATION_STATES)]
    principal_id: UUID
    principal_name: str
    union_id: Annotated[UUID, "the principal's, whose requests the deputy decides on"]
    union_name: str
    deputy_id: UUID
    deputy_name: str
    deputy_union_name: str
    first_day: date
    last_day: date
    reason: str
    made_by: UUID
    made_by_name: str
    made_at: datetime
    ended_at: Annotated[datetime | None, "when it was ended early"]
    ended_by_name: Annotated[str | None, "who ended it early; null: it follows from a closed account or a lost role"]
    can_end: Annotated[bool, "whether the caller may end it early"]


@dataclass(frozen=True, kw_only=True)
class DelegationsAnswer(PageAnswer):
    items: list[DelegationAnswer]


CREATE_DELEGATION = command(
    "membership.create_delegation",
    CreateDelegation,
    DelegationAnswer,
    allow=subordinates("reviewer", "administrator"),
    title="委托代审",
)
LIST_DELEGATIONS = query("membership.list_delegations", ListDelegations, DelegationsAnswer, allow=subordinates(*STAFF))
LIST_PRINCIPALS = query(
    "membership.list_principals", ListPrincipals, ColleaguesAnswer, allow=subordinates("reviewer", "administrator")
)
LIST_DEPUTIES = query(
    "membership.list_deputies", ListDeputies, ColleaguesAnswer, allow=subordinates("reviewer", "administrator")
)
END_DELEGATION = command(
    "membership.end_delegation",
    DelegationRequest,
    DelegationAnswer,
    allow=subordinates(*STAFF),
    title="结束代审委托",
)
