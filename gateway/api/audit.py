"""The log of acts (操作日志): who did what, when, from where, on which records."""

from gateway.routes import rpc_route
from services.contracts.operations import audit as rpc

_ACTS = "/api/v1/audit"

ROUTES = (
    rpc_route(
        "GET",
        _ACTS,
        "membership.search_acts",
        request=rpc.SearchActsRequest,
        answer=rpc.ActsAnswer,
        summary="Acts by accounts or on records of my union and those below it, newest first",
    ),
    rpc_route(
        "GET",
        f"{_ACTS}/names",
        "membership.list_act_names",
        request=rpc.ListActNamesRequest,
        answer=rpc.ActNamesAnswer,
        summary="What actions and records are called, to search by",
    ),
    rpc_route(
        "GET",
        f"{_ACTS}/<uuid:act_id>",
        "membership.get_act",
        request=rpc.GetActRequest,
        answer=rpc.ActDetailAnswer,
        summary="One act with its place in the chain",
    ),
)
