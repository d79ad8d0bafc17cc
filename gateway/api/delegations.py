"""Delegations (委托): a reviewer names a deputy for a period, and either of them ends it early."""

from gateway.routes import rpc_route
from services.contracts.operations.membership import delegations as rpc

_DELEGATIONS = "/api/v1/delegations"

ROUTES = (
    rpc_route(
        "POST",
        _DELEGATIONS,
        rpc.CREATE_DELEGATION,
        status=201,
        summary="Name a deputy (委托代审) for myself or, as a superior's administrator, for a reviewer below",
    ),
    rpc_route(
        "GET",
        _DELEGATIONS,
        rpc.LIST_DELEGATIONS,
        summary="Who stands in for whom: running ones first; reviewers see their union's, administrators those below",
    ),
    rpc_route(
        "GET",
        f"{_DELEGATIONS}/principals",
        rpc.LIST_PRINCIPALS,
        summary="The reviewers for whom I may name a deputy",
    ),
    rpc_route(
        "GET",
        f"{_DELEGATIONS}/deputies",
        rpc.LIST_DEPUTIES,
        summary="Who may stand in for a reviewer: accounts of the same union and of those above it",
    ),
    rpc_route(
        "POST",
        f"{_DELEGATIONS}/<uuid:delegation_id>/end",
        rpc.END_DELEGATION,
        summary="End a delegation early (结束委托)",
    ),
)
