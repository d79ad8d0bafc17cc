"""The event of validation: the result of each requested check."""

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
    checked_at: Annotated[datetime | None, "the time from which a passed check is valid"] = None


@dataclass(frozen=True, kw_only=True)
class FindingFacts(EventData):
    """One finding of a rule. Encrypted, since messages and evidence contain personal data."""

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
    "A check ended for these applications, or waits for the registry ('waiting': the check resumes by itself).",
    consumers=("batching", "notification"),
)
ACT_RECORDED = ACTS_RECORDED["validation"]
EVENTS = (MEMBERS_VALIDATED, ACT_RECORDED)
