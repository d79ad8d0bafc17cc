"""Reports (统计报表): members, cards and applications of a union with everything below it, by month."""

from gateway.routes import file_route, rpc_route
from services.contracts.operations import reports as rpc
from services.kit.documents.content_types import PDF, XLSX

_REPORTS = "/api/v1/reports"
_FILE_SECONDS = 30

ROUTES = (
    rpc_route(
        "GET",
        _REPORTS,
        rpc.GET_REPORT,
        summary="A report on a union and all below it, compared with the period before; rows by union, bank, channel, "
        "kind of union or month",
    ),
    *(
        file_route(
            f"{_REPORTS}/report.{form}",
            rpc.EXPORT_REPORT,
            content_type=content_type,
            fixed={"form": form},
            deadline=_FILE_SECONDS,
            summary=f"The report as .{form}, with the union's head and all rows",
        )
        for form, content_type in (("xlsx", XLSX), ("pdf", PDF))
    ),
)
