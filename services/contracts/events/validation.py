"""The event of validation: the result of each requested check."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated
from uuid import UUID

from services.contracts.events.audit import ACTS_RECORDED
from services.contracts.events.status import STATUSES_SAMPLED
from services.contracts.events.subjects import SUBJECT_ANSWERED
from services.contracts.shared import CodedName
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


@dataclass(frozen=True, kw_only=True)
class CountedCheck(EventData):
    """What reports count of a check that ended; the greatest `check_no` of an application counts."""

    application_id: UUID
    union_id: UUID
    check_no: int
    result: Annotated[str, choice("passed", "failed")]
    checked_at: datetime
    rules: Annotated[list[str], "the rules that were not met"] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ChecksCountedData(EventData):
    checks: Annotated[list[CountedCheck], CHUNK]
    names: Annotated[list[CodedName], "the titles of these rules"] = field(default_factory=list)
    rebuild_id: Annotated[UUID | None, "the rebuild of the reports that it belongs to"] = None


MEMBERS_VALIDATED = EventContract(
    "validation",
    "members_validated",
    MembersValidatedData,
    "A check ended for these applications, or waits for the registry ('waiting': the check resumes by itself).",
    consumers=("batching", "notification"),
)
CHECKS_COUNTED = EventContract(
    "validation",
    "checks_counted",
    ChecksCountedData,
    "Checks ended, or are counted anew for a rebuild of the reports: without personal data.",
    consumers=("notification",),
)
ACT_RECORDED = ACTS_RECORDED["validation"]
STATUS_SAMPLED = STATUSES_SAMPLED["validation"]
ANSWERED = SUBJECT_ANSWERED["validation"]
EVENTS = (MEMBERS_VALIDATED, CHECKS_COUNTED, ACT_RECORDED, STATUS_SAMPLED, ANSWERED)
