"""Requests of members for a copy of their data, or for their erasure (个人信息请求); administrators take them in."""

from gateway.routes import file_route, rpc_route
from services.contracts.operations.membership import subjects as rpc
from services.kit.documents.content_types import PDF, XLSX

_REQUESTS = "/api/v1/subject-requests"
_REQUEST = f"{_REQUESTS}/<uuid:request_id>"

ROUTES = (
    rpc_route(
        "GET",
        _REQUESTS,
        rpc.LIST_SUBJECT_REQUESTS,
        summary="Requests of members of my union and below, newest first",
    ),
    rpc_route(
        "POST",
        _REQUESTS,
        rpc.REQUEST_SUBJECT,
        status=201,
        summary="Take a request in: a copy is asked of all services, an erasure waits for another administrator",
    ),
    rpc_route(
        "GET",
        _REQUEST,
        rpc.GET_SUBJECT_REQUEST,
        summary="A request, with what each service keeps or has erased",
    ),
    rpc_route(
        "POST",
        f"{_REQUEST}/confirm",
        rpc.CONFIRM_ERASURE,
        summary="Erase the member's data in all services; it cannot be undone",
    ),
    rpc_route(
        "POST",
        f"{_REQUEST}/decline",
        rpc.DECLINE_ERASURE,
        summary="Decline an erasure, or withdraw one's own",
    ),
    file_route(
        f"{_REQUEST}/copy.xlsx",
        rpc.FETCH_SUBJECT_COPY,
        content_type=XLSX,
        deadline=30,
        summary="The copy of a member's data, to hand to the member; each download is recorded",
    ),
    file_route(
        f"{_REQUEST}/receipt.pdf",
        rpc.GET_SUBJECT_RECEIPT,
        content_type=PDF,
        deadline=30,
        summary="The receipt: what each service has given, erased, or keeps and why",
    ),
)
