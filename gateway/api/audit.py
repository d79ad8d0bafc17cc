"""The audit log (操作日志): who did what, when, from where, on which records."""

from werkzeug.wrappers import Response

from gateway.answers import file_download
from gateway.routes import RequestContext, route, rpc_route
from services.contracts.operations import audit as rpc
from services.kit.documents.content_types import XLSX

_ACTS = "/api/v1/audit"
_SEARCHES = f"{_ACTS}/searches"


@route(
    "POST",
    f"{_ACTS}/export",
    rpc.EXPORT_ACTS,
    answer=XLSX,
    deadline=60,
    has_secrets=True,
    summary="The audit events of a search as .xlsx, newest first; the export is recorded",
)
def export(context: RequestContext) -> Response:
    return file_download(context.call(rpc.EXPORT_ACTS, context.read()))


ROUTES = (
    rpc_route(
        "GET",
        _ACTS,
        rpc.SEARCH_ACTS,
        summary="Audit events by accounts or on records of my union and its subordinates, newest first",
    ),
    rpc_route(
        "GET",
        f"{_ACTS}/names",
        rpc.LIST_ACT_NAMES,
        summary="The names of actions and records, for searching",
    ),
    rpc_route(
        "GET",
        f"{_ACTS}/<uuid:act_id>",
        rpc.GET_ACT,
        summary="One audit event with its position in the chain",
    ),
    export,
    rpc_route(
        "GET",
        _SEARCHES,
        rpc.LIST_SEARCHES,
        summary="My saved searches, by name",
    ),
    rpc_route(
        "POST",
        _SEARCHES,
        rpc.SAVE_SEARCH,
        status=201,
        summary="Save a search under a name (保存查询)",
    ),
    rpc_route(
        "PATCH",
        f"{_SEARCHES}/<uuid:search_id>",
        rpc.RENAME_SEARCH,
        summary="Rename a saved search",
    ),
    rpc_route(
        "DELETE",
        f"{_SEARCHES}/<uuid:search_id>",
        rpc.DELETE_SEARCH,
        status=204,
        summary="Delete a saved search",
    ),
)
