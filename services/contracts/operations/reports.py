"""The operations of the reports 统计报表, which notification keeps."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated
from uuid import UUID

from marshmallow import ValidationError

from services.contracts.operations.roles import STAFF, subordinates
from services.contracts.shared import CHANNELS, UNION_KINDS
from services.kit.events.contract import choice
from services.kit.fields import FullMatch, text
from services.kit.rpc.files import FileAnswer
from services.kit.rpc.operation import query
from services.kit.rpc.paging import PageAnswer, PageRequest, sortable
from services.kit.schemas import UNSET, Unset

GROUPINGS = ("union", "branch", "channel", "kind", "month")
LONGEST_PERIOD = 24
"""Months."""

Month = Annotated[str, FullMatch(r"^20[0-9]{2}-(0[1-9]|1[0-2])$", error="月份应如 2026-11")]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The counts of a union, or of a part, over a period. Those that do not apply to a part are null."""

    members: Annotated[int | None, "at the end of the period"]
    cards: Annotated[int, "issued until the end of the period"]
    card_rate: Annotated[float | None, "办卡率: cards for each member"]
    queued: int
    passed: Annotated[int, "applications whose last check passed"]
    failed: Annotated[int, "applications whose last check failed"]
    submitted: int
    issued: int
    refused: int
    revoked: int
    median_days: Annotated[int | None, "from queueing to issue, of the cards issued in the period"]
    p90_days: Annotated[int | None, "within so many days nine of ten cards were issued"]
    waiting_submission: Annotated[int | None, "now"]
    waiting_bank: Annotated[int | None, "now"]


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """A period of whole months in Shanghai; without any it is the current month."""

    union_id: Annotated[UUID | Unset, "the caller's own union, or a subordinate one"] = UNSET
    first_month: Month | Unset = UNSET
    last_month: Month | Unset = UNSET
    by: Annotated[str, choice(*GROUPINGS), "what the rows are"] = "union"
    branch_code: Annotated[str | Unset, text(20), "only what was submitted to this branch"] = UNSET
    channel: Annotated[str | Unset, choice(*CHANNELS)] = UNSET
    sort: Annotated[
        str | Unset, sortable(*(one.name for one in fields(Figures))), "if absent: unions by code, others by name"
    ] = UNSET

    def __post_init__(self) -> None:
        """Both ends of the period or none, in their order, at most LONGEST_PERIOD months."""
        first, last = self.first_month, self.last_month
        if first is UNSET and last is UNSET:
            return
        if first is UNSET or last is UNSET or first > last:
            raise ValidationError("开始月份应不晚于结束月份", "first_month")
        months = (int(last[:4]) - int(first[:4])) * 12 + int(last[5:]) - int(first[5:]) + 1
        if months > LONGEST_PERIOD:
            raise ValidationError(f"一次最多统计 {LONGEST_PERIOD} 个月", "first_month")


@dataclass(frozen=True, kw_only=True)
class GetReportRequest(ReportRequest, PageRequest):
    """The page is one of the rows."""


@dataclass(frozen=True, kw_only=True)
class ExportReportRequest(ReportRequest):
    form: Annotated[str, choice("xlsx", "pdf")]


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    key: str
    name: str
    union_id: Annotated[UUID | None, "of a row of a subordinate union"]
    has_below: Annotated[bool, "whether that union has subordinates"]
    current: Figures
    previous: Figures


@dataclass(frozen=True, kw_only=True)
class ReasonCount:
    code: str
    reason: str
    count: int
    previous: int


@dataclass(frozen=True, kw_only=True)
class MonthFigures:
    month: str
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class ReportedUnion:
    union_id: UUID
    code: str
    name: str
    kind: Annotated[str | None, choice(*UNION_KINDS, allow_none=True)]


@dataclass(frozen=True, kw_only=True)
class ReportAnswer(PageAnswer):
    items: list[ReportRow]
    union: ReportedUnion
    above: Annotated[list[ReportedUnion], "the unions above it, from the caller's own on"]
    first_month: str
    last_month: str
    previous_first_month: Annotated[str, "of the period before, which is as long"]
    previous_last_month: str
    current: Figures
    previous: Figures
    months: Annotated[list[MonthFigures], "twelve, up to the end of the period, or all of a longer period"]
    failed_by_rule: list[ReasonCount]
    refused_by_reason: list[ReasonCount]
    branches: Annotated[list[ReasonCount], "the branches with submissions in both periods, to choose from"]
    made_at: datetime
    is_rebuilding: Annotated[bool, "the counts are incomplete until the rebuild has ended"]


GET_REPORT = query("notification.get_report", GetReportRequest, ReportAnswer, allow=subordinates(*STAFF))
EXPORT_REPORT = query("notification.export_report", ExportReportRequest, FileAnswer, allow=subordinates(*STAFF))
