"""Unions (工会): the own one and all below it."""

from gateway.routes import rpc_route
from services.contracts.operations import membership as rpc

_UNIONS = "/api/v1/unions"
_UNION = f"{_UNIONS}/<uuid:union_id>"

ROUTES = (
    rpc_route(
        "GET",
        _UNIONS,
        "membership.list_unions",
        request=rpc.ListUnionsRequest,
        answer=rpc.ListUnionsAnswer,
        summary="My union and all below it, or those right below one of them",
    ),
    rpc_route(
        "POST",
        _UNIONS,
        "membership.create_union",
        request=rpc.CreateUnionRequest,
        answer=rpc.UnionAnswer,
        status=201,
        location=f"{_UNIONS}/{{union_id}}",
        summary="Found a union below mine or one below it",
    ),
    rpc_route(
        "GET",
        _UNION,
        "membership.get_union",
        request=rpc.UnionRequest,
        answer=rpc.UnionAnswer,
        summary="One union",
    ),
    rpc_route(
        "PATCH",
        _UNION,
        "membership.rename_union",
        request=rpc.RenameUnionRequest,
        answer=rpc.UnionAnswer,
        summary="Rename a union below mine; what was submitted keeps the old name",
    ),
)
