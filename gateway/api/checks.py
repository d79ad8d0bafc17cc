"""System checks (系统校验) and their rules."""

from gateway.routes import rpc_route
from services.contracts.operations import validation as rpc

ROUTES = (
    rpc_route(
        "GET",
        "/api/v1/checks/<uuid:application_id>",
        rpc.GET_CHECK,
        summary="The newest check of an application, with its findings and their evidence",
    ),
    rpc_route(
        "GET",
        "/api/v1/rules",
        rpc.LIST_RULES,
        summary="The rules in force, each with its version and source",
    ),
)
