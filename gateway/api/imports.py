"""Bulk registration by .xlsx or .csv: good rows are kept, bad rows come back as the same sheet with their errors."""

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.reading import read_upload
from gateway.routes import Exchange, file_route, route, rpc_route
from services.common.contracts.rpc import membership as rpc

_IMPORTS = "/api/v1/members/imports"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@route(
    "POST",
    _IMPORTS,
    "membership.start_import",
    request=rpc.StartImportRequest,
    answer=rpc.ImportAnswer,
    status=202,
    uploads=True,
    deadline=30,
    summary="Hand in a sheet of up to 20 MB; it is read by and by",
)
def start_import(exchange: Exchange) -> Response:
    started = exchange.ask("membership.start_import", exchange.complete(read_upload(exchange.request)))
    return json_answer(started, 202, f"{_IMPORTS}/{started['import_id']}")


ROUTES = (
    start_import,
    rpc_route(
        "GET",
        _IMPORTS,
        "membership.list_imports",
        request=rpc.ListImportsRequest,
        answer=rpc.ListImportsAnswer,
        summary="The union's imports, newest first",
    ),
    rpc_route(
        "GET",
        f"{_IMPORTS}/<uuid:import_id>",
        "membership.get_import",
        request=rpc.ImportRequest,
        answer=rpc.ImportAnswer,
        summary="How far an import is",
    ),
    file_route(
        f"{_IMPORTS}/<uuid:import_id>/errors.xlsx",
        "membership.get_import_errors",
        content_type=_XLSX,
        request=rpc.ImportRequest,
        deadline=30,
        summary="The bad rows, with a column 错误原因",
    ),
    file_route(
        f"{_IMPORTS}/template.xlsx",
        "membership.get_import_template",
        content_type=_XLSX,
        request=rpc.GetImportTemplateRequest,
        summary="An empty sheet to fill in",
    ),
)
