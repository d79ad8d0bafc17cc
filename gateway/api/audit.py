"""The log of acts (操作日志): who did what, when, from where, on which records."""

from gateway.routes import rpc_route
from services.contracts.operations import audit as rpc

_ACTS = "/api/v1/audit"

ROUTES = (
    rpc_route(
        "GET",
        _ACTS,
        rpc.SEARCH_ACTS,
        summary="Acts by accounts or on records of my union and those below it, newest first",
    ),
    rpc_route(
        "GET",
        f"{_ACTS}/names",
        rpc.LIST_ACT_NAMES,
        summary="What actions and records are called, to search by",
    ),
    rpc_route(
        "GET",
        f"{_ACTS}/<uuid:act_id>",
        rpc.GET_ACT,
        summary="One act with its place in the chain",
    ),
)
