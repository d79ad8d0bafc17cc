"""The files of a report: figures in their own units, changes against the period before, and pages of long tables."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from services.contracts.operations.reports import (
    Figures,
    MonthFigures,
    ReasonCount,
    ReportAnswer,
    ReportedUnion,
    ReportRequest,
    ReportRow,
)
from services.notification.reports.documents import FIGURES, change, document_of, shown
from services.notification.reports.report_pdf import report_pdf
from services.notification.reports.report_xlsx import report_xlsx

_COUNTS = ("cards", "queued", "passed", "failed", "submitted", "issued", "refused", "revoked")


def figures(**given: Any) -> Figures:
    none = dict.fromkeys(("members", "card_rate", "median_days", "p90_days", "waiting_submission", "waiting_bank"))
    return Figures(**{**none, **dict.fromkeys(_COUNTS, 0), **given})


def a_report(rows: int = 2, **changes: Any) -> ReportAnswer:
    union = ReportedUnion(union_id=UUID(int=1), code="1", name="杨浦区总工会", kind="superior")
    current = figures(members=12345, cards=7000, card_rate=0.567, queued=150, issued=120, median_days=12)
    item = ReportRow(key="1", name="甲公司工会", union_id=None, has_below=False, current=current, previous=figures())
    report = ReportAnswer(
        page=1,
        size=20,
        total=rows,
        total_is_exact=True,
        items=[replace(item, name=f"第{number}公司工会") for number in range(rows)],
        union=union,
        above=[],
        first_month="2026-10",
        last_month="2026-11",
        previous_first_month="2026-08",
        previous_last_month="2026-09",
        current=current,
        previous=figures(members=12000, cards=6000, card_rate=0.5, queued=100, median_days=15),
        months=[MonthFigures(month="2026-11", figures=current)],
        failed_by_rule=[],
        refused_by_reason=[ReasonCount(code="x", reason="=1+1", count=3, previous=1)],
        branches=[ReasonCount(code="icbc", reason="工商银行", count=5, previous=0)],
        made_at=datetime(2026, 11, 29, 16, 30, tzinfo=UTC),
        is_rebuilding=False,
    )
    return replace(report, **changes)


@pytest.mark.parametrize(
    ("name", "now", "before", "expected"),
    [
        ("issued", 150, 100, ("150", "+50.0%")),
        ("issued", 1234, 0, ("1,234", "–")),
        ("issued", 7, 7, ("7", "0.0%")),
        ("card_rate", 0.5, 0.515, ("50.0%", "-1.5 个百分点")),
        ("p90_days", 9, 11, ("9", "-2 天")),
        ("waiting_bank", 9, None, ("9", "–")),
        ("members", None, 3, ("–", "–")),
    ],
)
def test_a_figure_is_shown_with_its_change(name: str, now: Any, before: Any, expected: tuple[str, str]) -> None:
    current, previous = figures(**{name: now}), figures(**{name: before})
    assert (shown(name, current), change(name, current, previous)) == expected


def test_a_workbook_has_the_head_on_each_sheet_numbers_as_numbers_and_texts_that_compute_nothing() -> None:
    content = report_xlsx(document_of(a_report(), ReportRequest(branch_code="icbc", channel="special")))
    book = load_workbook(BytesIO(content))
    for sheet in book:
        assert [sheet["A1"].value, sheet["A2"].value] == ["杨浦区总工会", "会员服务卡办理统计报表"]
    cells = {row[0].value: row for row in book["合计"].iter_rows()}
    assert "统计期间：2026-10 至 2026-11（自然月）" in cells
    assert {"发卡支行：工商银行", "办理通道：特殊通道", "生成时间：2026-11-30 00:30"} <= cells.keys()
    assert [cell.value for cell in cells["会员数"]] == ["会员数", 12345, 12000, 0.029]
    assert (cells["办卡率"][1].value, cells["办卡率"][1].number_format) == (0.567, "0.0%")
    [reason] = [row for row in book["银行退回原因"].iter_rows() if row[0].value == "=1+1"]
    assert (reason[0].data_type, reason[1].value) == ("s", 3)
    assert "没有数据" in [row[0].value for row in book["校验未通过原因"].iter_rows()]


def test_a_long_table_goes_over_pages_that_each_have_its_headings() -> None:
    content = report_pdf(document_of(a_report(rows=90), ReportRequest()))
    pages = [page.extract_text() for page in PdfReader(BytesIO(content)).pages]
    with_rows = [page for page in pages if "公司工会" in page]
    assert len(with_rows) > 2
    assert all("工会" in page and "累计办卡" in page for page in with_rows)
    assert "第89公司工会" in pages[-1] + pages[-2]
    assert f"第 {len(pages)} 页" in pages[-1]
    assert content == report_pdf(document_of(a_report(rows=90), ReportRequest()))


def test_a_file_says_that_a_rebuild_is_going_on() -> None:
    document = document_of(a_report(is_rebuilding=True), ReportRequest())
    assert any("正在重新生成" in fact for fact in document.facts)
    assert set(FIGURES) == set(Figures.__dataclass_fields__)
