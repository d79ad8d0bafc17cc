"""Branches that issue cards (发卡支行) and their outlets (经办网点); the city union maintains them."""

from gateway.routes import rpc_route
from services.contracts.operations import batching as rpc

_BRANCHES = "/api/v1/branches"
_OUTLETS = "/api/v1/outlets"

ROUTES = (
    rpc_route(
        "GET",
        _BRANCHES,
        rpc.LIST_BRANCHES,
        summary="Branches that issue cards (发卡支行)",
    ),
    rpc_route(
        "POST",
        _BRANCHES,
        rpc.CREATE_BRANCH,
        status=201,
        summary="Add a branch; for the city union",
    ),
    rpc_route(
        "PATCH",
        f"{_BRANCHES}/<code>",
        rpc.UPDATE_BRANCH,
        summary="Rename, close or reopen a branch; for the city union",
    ),
    rpc_route(
        "GET",
        _OUTLETS,
        rpc.LIST_OUTLETS,
        summary="Outlets of the branches (经办网点)",
    ),
    rpc_route(
        "POST",
        _OUTLETS,
        rpc.CREATE_OUTLET,
        status=201,
        summary="Add an outlet; for the city union",
    ),
    rpc_route(
        "PATCH",
        f"{_OUTLETS}/<code>",
        rpc.UPDATE_OUTLET,
        summary="Change, close or reopen an outlet; for the city union",
    ),
)
