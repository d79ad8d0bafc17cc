"""Unions (工会): the own union and its subordinates."""

from gateway.routes import rpc_route
from services.contracts.operations.membership import accounts as rpc

_UNIONS = "/api/v1/unions"
_UNION = f"{_UNIONS}/<uuid:union_id>"

ROUTES = (
    rpc_route(
        "GET",
        _UNIONS,
        rpc.LIST_UNIONS,
        summary="My union and all its subordinates, or the direct subordinates of one of them",
    ),
    rpc_route(
        "POST",
        _UNIONS,
        rpc.CREATE_UNION,
        status=201,
        location=f"{_UNIONS}/{{union_id}}",
        summary="Create a subordinate of my union or of one of its subordinates",
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
        summary="Rename a subordinate of my union; what was submitted keeps the old name",
    ),
)
