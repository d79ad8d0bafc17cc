"""The queries of validation: the check of an application, the rules in force."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from services.contracts.operations.roles import ACCOUNTS
from services.kit.events.contract import choice
from services.kit.rpc.operation import command, no_union, own_union, query
from services.kit.schemas import UNSET, Unset


@dataclass(frozen=True, kw_only=True)
class GetCheckRequest:
    application_id: UUID


@dataclass(frozen=True, kw_only=True)
class GroundAnswer:
    """A value on which a finding is grounded, in Chinese."""

    title: str
    value: str


@dataclass(frozen=True, kw_only=True)
class FindingAnswer:
    """One finding of a rule, with the evidence to verify it; document numbers are masked."""

    rule: str
    rule_version: str
    rule_title: str
    rule_source: Annotated[str, "the law or standard that the rule follows"]
    code: str
    severity: Annotated[str, choice("error", "warning", "info")]
    message: str
    evidence: dict[str, str]
    grounds: Annotated[list[GroundAnswer], "the evidence as a clerk reads it"]


@dataclass(frozen=True, kw_only=True)
class CheckAnswer:
    """The newest check of an application; while the registry is away it waits, with the reason and the next attempt."""

    application_id: UUID
    check_no: int
    result: Annotated[str, choice("passed", "failed", "waiting")]
    checked_at: Annotated[datetime | Unset | None, "null while the check waits"] = UNSET
    findings: list[FindingAnswer]
    waiting_reason: str | Unset | None = UNSET
    next_try_at: datetime | Unset | None = UNSET


@dataclass(frozen=True, kw_only=True)
class ListRulesRequest:
    """Has no parameters: there are few rules in force."""


@dataclass(frozen=True, kw_only=True)
class RuleAnswer:
    rule: str
    version: str
    title: str
    source: Annotated[str, "the law or standard that the rule follows"]
    in_force_from: date


@dataclass(frozen=True, kw_only=True)
class RulesAnswer:
    items: list[RuleAnswer]


GET_CHECK = command(
    "validation.get_check", GetCheckRequest, CheckAnswer, allow=own_union("clerk", "reviewer"), title="查看校验结果"
)
LIST_RULES = query("validation.list_rules", ListRulesRequest, RulesAnswer, allow=no_union(*ACCOUNTS))
