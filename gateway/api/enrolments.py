"""Enrolments (参保信息查询): who is insured with the mutual-aid society, for how long and against what."""

from werkzeug.wrappers import Response

from gateway.answers import file_download
from gateway.routes import RequestContext, route, rpc_route
from services.contracts.operations.membership import enrolments
from services.kit.documents.content_types import XLSX

_ENROLMENTS = "/api/v1/enrolments"


@route(
    "POST",
    f"{_ENROLMENTS}/export",
    enrolments.EXPORT_ENROLMENTS,
    answer=XLSX,
    deadline=60,
    summary="The enrolments of a filter as .xlsx, with masked numbers",
)
def export(context: RequestContext) -> Response:
    return file_download(context.call(enrolments.EXPORT_ENROLMENTS, context.read()))


ROUTES = (
    rpc_route(
        "GET",
        _ENROLMENTS,
        enrolments.LIST_ENROLMENTS,
        summary="Enrolments of the union's members, the newest year first; superiors see those of unions below too",
    ),
    export,
)
