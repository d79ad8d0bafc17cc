"""Cards after they are made (领卡管理): who has not collected one, the list to sign, collection at the union."""

from werkzeug.wrappers import Response

from gateway.answers import file_download
from gateway.routes import RequestContext, file_route, route, rpc_route
from services.contracts.operations import cards as rpc
from services.kit.documents.content_types import PDF, XLSX

_CARDS = "/api/v1/cards"


@route(
    "POST",
    f"{_CARDS}/export",
    rpc.EXPORT_CARDS,
    answer=XLSX,
    deadline=60,
    summary="The cards of a filter as .xlsx, with masked numbers",
)
def export(context: RequestContext) -> Response:
    return file_download(context.call(rpc.EXPORT_CARDS, context.read()))


ROUTES = (
    rpc_route(
        "GET",
        _CARDS,
        rpc.LIST_CARDS,
        summary="Cards of the union, the oldest first; reviewers and administrators see those of subordinates too",
    ),
    rpc_route(
        "GET",
        f"{_CARDS}/<uuid:application_id>",
        rpc.GET_CARD,
        summary="The card of an application of the own union, whose code on paper was scanned",
    ),
    export,
    file_route(
        f"{_CARDS}/collection-list.pdf",
        rpc.GET_COLLECTION_LIST,
        content_type=PDF,
        deadline=30,
        summary="The list (领卡签收单) that members sign who collect their card at the union",
    ),
    rpc_route(
        "POST",
        f"{_CARDS}/collected",
        rpc.MARK_COLLECTED,
        deadline=30,
        summary="Mark cards that the union has handed out as collected (登记领卡)",
    ),
)
