"""Parts that several events share: the union, a person, an application's step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any
from uuid import UUID

from marshmallow import validate

from services.kit.events.contract import EventData, choice

DOCUMENT_TYPES = (
    "resident_id",
    "hmt_residence_permit",
    "foreign_permanent_resident_id",
    "mainland_travel_permit_hm",
    "mainland_travel_permit_tw",
    "passport",
    "military_officer_id",
)
CHANNELS = ("ordinary", "special")
ERASED_NAME = "（已删除）"
"""Stands in place of the name of a member whose data were erased; no name has brackets."""
SUBJECT_REQUEST_KINDS = ("copy", "erasure")
"""What a person may ask of the data that we keep: 查阅复制, 删除."""
UNION_CHANGE_KINDS = ("move", "merge", "dissolve")
UNION_KINDS = ("city", "superior", "grassroots")
CARD_STATUSES = ("made", "collected", "active", "lost", "closed")
"""The status of a member's card: 已制卡, 已领卡, 已激活, 已挂失, 已销卡."""
CARD_STEPS = ("collected", "activated", "lost", "replaced", "renewed", "closed")
"""What happens to the card of a number after it is made."""
CARD_STEP_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "collected": "领卡",
        "activated": "激活",
        "lost": "挂失",
        "replaced": "补卡",
        "renewed": "换卡",
        "closed": "销卡",
    }
)
ENROLMENT_WAYS = ("collective", "immediate")
"""How members are insured: 集中参保 (团体参保), 即时参保."""
ENROLMENT_KINDS = ("hospital", "illness", "accident", "death")
"""What is insured: 住院, 重大疾病, 意外伤害, 身故."""
ENROLMENT_STATES = ("active", "ended")
SWITCH_REASONS = {
    "rare_character": "姓名含生僻字",
    "name_not_enterable": "发卡支行的系统无法录入姓名",
    "document": "证件情况特殊",
    "other": "其他",
}
"""Choice: the reasons that a clerk can give for the special channel, by code; `other` needs a note."""
REVOCATION_REASONS = {
    "members": "办卡人员有误",
    "information": "人员信息有误",
    "outlet": "经办网点有误",
    "duplicate": "重复提交",
    "other": "其他",
}
"""Choice: the reasons to ask a batch back, by code."""
RETIREMENT_CATEGORIES = ("M60", "F55", "F50", "special")
SEXES = ("male", "female")
BATCH_NO_BEGINNING = "cbc"
"""What every batch number begins with."""

IMPORT_STATES = ("reading", "previewed", "running", "finished", "failed", "cancelled")


@dataclass(frozen=True, kw_only=True)
class UnionFacts(EventData):
    """A union as it was when the event was published."""

    union_id: UUID
    code: str
    name: str
    superior_union_id: UUID | None = None
    superior_ids: Annotated[list[UUID], "all unions above it, the city's first, its superior last"] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        """Fills `superior_ids` for older events, which name only the direct superior."""
        if not self.superior_ids and self.superior_union_id:
            object.__setattr__(self, "superior_ids", [self.superior_union_id])


@dataclass(frozen=True, kw_only=True)
class PersonFacts(EventData):
    """The person of an application, with the facts that validation and the bank need. Always encrypted.

    The consumer validates each person by the same value types as the producer.
    """

    application_id: UUID
    name: str
    document_type: Annotated[str, choice(*DOCUMENT_TYPES)]
    document_number: str
    document_expiry: date | None = None
    document_issued: date | None = None
    birth_date: date | None = None
    sex: Annotated[str | None, choice(*SEXES, allow_none=True)] = None
    nationality: Annotated[str | None, "ISO 3166-1 alpha-3"] = None
    phone: str | None = None
    address: str | None = None
    retirement_category: Annotated[str | None, choice(*RETIREMENT_CATEGORIES, allow_none=True)] = None
    special_retirement_month: date | None = None


def union_row(union: Any) -> dict[str, Any]:
    """The facts of a union, or of its row in a service's table, by name."""
    return {one.name: getattr(union, one.name) for one in fields(UnionFacts)}


@dataclass(frozen=True, kw_only=True)
class ApplicationStep(EventData):
    """A step of an application; `version` grows with each step, so that an outdated event is recognized."""

    application_id: UUID
    member_id: UUID
    version: Annotated[int, validate.Range(min=1)]


@dataclass(frozen=True, kw_only=True)
class CodedName(EventData):
    """The Chinese name of a code that reports count by: a branch, a rule of the check, a reason of the bank."""

    kind: Annotated[str, choice("branch", "rule", "refusal")]
    code: str
    name: Annotated[str, "without personal data"]
