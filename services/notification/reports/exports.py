"""Exports of a report as .xlsx or PDF, with all rows."""

from dataclasses import fields

from services.contracts.operations.reports import ExportReportRequest, GetReportRequest, ReportRequest
from services.kit.documents.content_types import PDF, XLSX
from services.kit.rpc.files import FileAnswer, file_answer
from services.kit.rpc.work import Work
from services.notification.reports.answers import get_report
from services.notification.reports.documents import document_of, period_text
from services.notification.reports.report_pdf import report_pdf
from services.notification.reports.report_xlsx import report_xlsx

_MOST_ROWS = 5000


def export_report(work: Work, request: ExportReportRequest) -> FileAnswer:
    """The report as a file, with the union's head; raises NotFound for a union out of scope."""
    asked = {one.name: getattr(request, one.name) for one in fields(ReportRequest)}
    report = get_report(work, GetReportRequest(**asked, page=1, size=_MOST_ROWS))
    document = document_of(report, request)
    name = f"统计报表-{report.union.name}-{period_text(report)}.{request.form}"
    if request.form == "pdf":
        return file_answer(name, PDF, report_pdf(document))
    return file_answer(name, XLSX, report_xlsx(document))
