"""Unions (工会): the own one and all below it."""

from gateway.routes import rpc_route
from services.contracts.operations.membership import accounts as rpc

_UNIONS = "/api/v1/unions"
_UNION = f"{_UNIONS}/<uuid:union_id>"

ROUTES = (
    rpc_route(
        "GET",
        _UNIONS,
        rpc.LIST_UNIONS,
        summary="My union and all below it, or those right below one of them",
    ),
    rpc_route(
        "POST",
        _UNIONS,
        rpc.CREATE_UNION,
        status=201,
        location=f"{_UNIONS}/{{union_id}}",
        summary="Found a union below mine or one below it",
    ),
    rpc_route(
        "GET",
        _UNION,
        rpc.GET_UNION,
        summary="One union",
    ),
    rpc_route(
        "PATCH",
        _UNION,
        rpc.RENAME_UNION,
        summary="Rename a union below mine; what was submitted keeps the old name",
    ),
)
