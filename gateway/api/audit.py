"""The audit log (操作日志): who did what, when, from where, on which records."""

from gateway.routes import rpc_route
from services.contracts.operations import audit as rpc

_ACTS = "/api/v1/audit"

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
)
