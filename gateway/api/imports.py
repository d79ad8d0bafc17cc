"""Bulk registration by a spreadsheet: previewed, then confirmed; bad rows come back as a sheet with their errors."""

from gateway.routes import file_route, rpc_route
from services.contracts.operations.membership import imports as rpc
from services.kit.documents.content_types import XLSX

_IMPORTS = "/api/v1/members/imports"

ROUTES = (
    rpc_route(
        "POST",
        _IMPORTS,
        rpc.START_IMPORT,
        status=202,
        location=f"{_IMPORTS}/{{import_id}}",
        uploads=True,
        deadline=30,
        summary="Upload a spreadsheet of up to 20 MB for a preview; nobody is registered yet",
    ),
    rpc_route(
        "GET",
        _IMPORTS,
        rpc.LIST_IMPORTS,
        summary="The union's imports, newest first",
    ),
    rpc_route(
        "GET",
        f"{_IMPORTS}/<uuid:import_id>",
        rpc.GET_IMPORT,
        summary="The progress of an import",
    ),
    rpc_route(
        "GET",
        f"{_IMPORTS}/<uuid:import_id>/preview",
        rpc.PREVIEW_IMPORT,
        summary="The first rows of a previewed import, and its first invalid rows, masked",
    ),
    rpc_route(
        "POST",
        f"{_IMPORTS}/<uuid:import_id>/confirm",
        rpc.CONFIRM_IMPORT,
        status=202,
        summary="Register the members of a previewed import, of all or some of its sheets",
    ),
    rpc_route(
        "POST",
        f"{_IMPORTS}/<uuid:import_id>/cancel",
        rpc.CANCEL_IMPORT,
        summary="Cancel a previewed import",
    ),
    file_route(
        f"{_IMPORTS}/<uuid:import_id>/errors.xlsx",
        rpc.GET_IMPORT_ERRORS,
        content_type=XLSX,
        deadline=30,
        summary="The invalid rows, with a column 错误原因, and the members to review",
    ),
    file_route(
        f"{_IMPORTS}/template.xlsx",
        rpc.GET_IMPORT_TEMPLATE,
        content_type=XLSX,
        summary="A sheet to fill in, with an example and lists to choose from",
    ),
)
