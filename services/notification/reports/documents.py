"""A report as a document to print or to work on: the union's head, the facts of the period, and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from services.contracts.operations.reports import (
    Figures,
    ReasonCount,
    ReportAnswer,
    ReportRequest,
)
from services.contracts.values import SHANGHAI
from services.kit.schemas import UNSET
from services.notification.reports.answers import CHANNEL_NAMES

TITLE = "会员服务卡办理统计报表"
FIGURES = {
    "members": "会员数",
    "cards": "累计办卡",
    "card_rate": "办卡率",
    "queued": "加入待办",
    "passed": "校验通过",
    "failed": "校验未通过",
    "submitted": "提交办卡",
    "issued": "办卡成功",
    "refused": "银行退回",
    "revoked": "批次撤销",
    "median_days": "办卡天数中位数",
    "p90_days": "九成办结天数",
    "waiting_submission": "现待提交",
    "waiting_bank": "现待银行",
}
"""The headings of figures, by their names."""
GROUPING_NAMES = {"union": "工会", "branch": "发卡支行", "channel": "办理通道", "kind": "工会类别", "month": "月份"}


@dataclass(frozen=True)
class DocumentTable:
    """A table: its title, headings and rows; the first column is text, the others are numbers as text."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class ReportDocument:
    """A report's content for any format; `bars` are the months of the chart with the cards issued in each."""

    union_name: str
    title: str
    facts: Sequence[str]
    tables: Sequence[DocumentTable]
    bars: Sequence[tuple[str, int]]


def document_of(report: ReportAnswer, request: ReportRequest) -> ReportDocument:
    """The content of a report's document."""
    return ReportDocument(
        union_name=report.union.name,
        title=TITLE,
        facts=_facts(report, request),
        tables=[
            _totals(report),
            _rows(report, request.by),
            _reasons("校验未通过原因（一人可有多项）", report.failed_by_rule),
            _reasons("银行退回原因", report.refused_by_reason),
            _months(report),
        ],
        bars=[(one.month, one.figures.issued) for one in report.months],
    )


def shown(name: str, figures: Figures) -> str:
    """A figure as text: 1,234, 56.7%, or a dash where it does not apply."""
    value = getattr(figures, name)
    if value is None:
        return "–"
    return f"{value:.1%}" if name == "card_rate" else f"{value:,}"


def change(name: str, current: Figures, previous: Figures) -> str:
    """The change of a figure against the period before: +12.3%, or in points for a rate, and days for days."""
    now, before = getattr(current, name), getattr(previous, name)
    if now is None or before is None:
        return "–"
    if name == "card_rate":
        return f"{_signed((now - before) * 100)} 个百分点"
    if name.endswith("_days"):
        return f"{now - before:+d} 天"
    return f"{_signed((now - before) / before * 100)}%" if before else "–"


def period_text(report: ReportAnswer) -> str:
    """The period: 2026-11, or 2026-09 至 2026-11."""
    first, last = report.first_month, report.last_month
    return first if first == last else f"{first} 至 {last}"


def _signed(number: float) -> str:
    return f"{number:+.1f}" if round(number, 1) else "0.0"


def _facts(report: ReportAnswer, request: ReportRequest) -> list[str]:
    facts = [
        f"统计期间：{period_text(report)}（自然月）",
        f"对比期间：{report.previous_first_month} 至 {report.previous_last_month}",
    ]
    if request.branch_code is not UNSET:
        facts.append(f"发卡支行：{_branch_name(report, str(request.branch_code))}")
    if request.channel is not UNSET:
        facts.append(f"办理通道：{CHANNEL_NAMES[str(request.channel)]}")
    made_at = report.made_at.replace(tzinfo=report.made_at.tzinfo or UTC).astimezone(SHANGHAI)
    facts.append(f"生成时间：{made_at:%Y-%m-%d %H:%M}")
    if report.is_rebuilding:
        facts.append("注意：统计数据正在重新生成，本表数字不完整")
    return facts


def _branch_name(report: ReportAnswer, code: str) -> str:
    return next((one.reason for one in report.branches if one.code == code), code)


def _totals(report: ReportAnswer) -> DocumentTable:
    current, previous = report.current, report.previous
    rows = [
        (title, shown(name, current), shown(name, previous), change(name, current, previous))
        for name, title in FIGURES.items()
    ]
    return DocumentTable("合计", ("指标", "本期", "上期", "环比"), rows)


def _rows(report: ReportAnswer, by: str) -> DocumentTable:
    names = list(FIGURES)
    rows = [(row.name, *(shown(name, row.current) for name in names)) for row in report.items]
    return DocumentTable(f"按{GROUPING_NAMES[by]}", (GROUPING_NAMES[by], *FIGURES.values()), rows)


def _reasons(title: str, reasons: Sequence[ReasonCount]) -> DocumentTable:
    rows = [(one.reason, f"{one.count:,}", f"{one.previous:,}") for one in reasons]
    return DocumentTable(title, ("原因", "本期人数", "上期人数"), rows)


def _months(report: ReportAnswer) -> DocumentTable:
    names = [name for name in FIGURES if not name.startswith("waiting")]
    rows = [(one.month, *(shown(name, one.figures) for name in names)) for one in report.months]
    return DocumentTable("逐月", ("月份", *(FIGURES[name] for name in names)), rows)
