"""What validation tells: the result of each check that was asked for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from services.contracts.events.audit import ACTS_RECORDED
from services.kit.events.contract import CHUNK, ENCRYPTED, EventContract, EventData, choice


@dataclass(frozen=True, kw_only=True)
class CheckResult(EventData):
    application_id: UUID
    check_no: Annotated[int, "the check this answers, from validation_requested"]
    result: Annotated[str, choice("passed", "failed", "waiting")]
    checked_at: Annotated[datetime | None, "from when on a passed check holds"] = None


@dataclass(frozen=True, kw_only=True)
class FindingFacts(EventData):
    """One finding of a rule. Sealed, since messages and evidence speak of the person."""

    application_id: UUID
    rule: str
    rule_version: str
    code: str
    severity: Annotated[str, choice("error", "warning", "info")]
    message: str


@dataclass(frozen=True, kw_only=True)
class MembersValidatedData(EventData):
    union_id: UUID
    results: Annotated[list[CheckResult], CHUNK]
    findings: Annotated[list[FindingFacts], ENCRYPTED]


MEMBERS_VALIDATED = EventContract(
    "validation",
    "members_validated",
    MembersValidatedData,
    "A check ended for these applications, or waits for the registry ('waiting': the check goes on by itself).",
    consumers=("batching", "notification"),
)
ACT_RECORDED = ACTS_RECORDED["validation"]
EVENTS = (MEMBERS_VALIDATED, ACT_RECORDED)
