"""Transfers (会员转会): a union requests a member of another one, which agrees, declines, or lets the limit pass."""

from gateway.routes import rpc_route
from services.contracts.operations.membership import transfers as rpc

_TRANSFERS = "/api/v1/transfers"

ROUTES = (
    rpc_route(
        "POST",
        _TRANSFERS,
        rpc.REQUEST_TRANSFER,
        status=201,
        summary="Request a member of another union, by document and name (申请转会)",
    ),
    rpc_route(
        "GET",
        _TRANSFERS,
        rpc.LIST_TRANSFERS,
        summary="Transfers into and out of the union, waiting ones first; superiors see those of subordinates",
    ),
    rpc_route(
        "POST",
        f"{_TRANSFERS}/<uuid:transfer_id>/accept",
        rpc.ACCEPT_TRANSFER,
        summary="Agree (同意转会): the member, the number and the card go to the new union",
    ),
    rpc_route(
        "POST",
        f"{_TRANSFERS}/<uuid:transfer_id>/decline",
        rpc.DECLINE_TRANSFER,
        summary="Decline (不同意): the member stays",
    ),
    rpc_route(
        "POST",
        f"{_TRANSFERS}/<uuid:transfer_id>/withdraw",
        rpc.WITHDRAW_TRANSFER,
        summary="Withdraw the request (撤回)",
    ),
)
