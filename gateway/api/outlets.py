"""Branches that issue cards (发卡支行) and their outlets (经办网点): to choose from, and for the city to keep."""

from gateway.routes import rpc_route
from services.contracts.operations import batching as rpc

_BRANCHES = "/api/v1/branches"
_OUTLETS = "/api/v1/outlets"

ROUTES = (
    rpc_route(
        "GET",
        _BRANCHES,
        "batching.list_branches",
        request=rpc.ListBranchesRequest,
        answer=rpc.ListBranchesAnswer,
        summary="Branches that issue cards (发卡支行)",
    ),
    rpc_route(
        "POST",
        _BRANCHES,
        "batching.create_branch",
        request=rpc.CreateBranchRequest,
        answer=rpc.BranchAnswer,
        status=201,
        summary="Add a branch; for the city union",
    ),
    rpc_route(
        "PATCH",
        f"{_BRANCHES}/<code>",
        "batching.update_branch",
        request=rpc.UpdateBranchRequest,
        answer=rpc.BranchAnswer,
        summary="Rename, close or reopen a branch; for the city union",
    ),
    rpc_route(
        "GET",
        _OUTLETS,
        "batching.list_outlets",
        request=rpc.ListOutletsRequest,
        answer=rpc.ListOutletsAnswer,
        summary="Outlets of the branches (经办网点)",
    ),
    rpc_route(
        "POST",
        _OUTLETS,
        "batching.create_outlet",
        request=rpc.CreateOutletRequest,
        answer=rpc.OutletAnswer,
        status=201,
        summary="Add an outlet; for the city union",
    ),
    rpc_route(
        "PATCH",
        f"{_OUTLETS}/<code>",
        "batching.update_outlet",
        request=rpc.UpdateOutletRequest,
        answer=rpc.OutletAnswer,
        summary="Change, close or reopen an outlet; for the city union",
    ),
)
