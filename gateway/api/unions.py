"""Unions (工会): the own union and its subordinates."""

from gateway.routes import file_route, rpc_route
from services.contracts.operations.membership import accounts as rpc
from services.contracts.operations.membership import union_changes as changes
from services.contracts.operations.membership import union_imports as imports
from services.kit.documents.content_types import XLSX

_UNIONS = "/api/v1/unions"
_UNION = f"{_UNIONS}/<uuid:union_id>"
_CHANGES = "/api/v1/union-changes"

_IMPORT = f"{_UNIONS}/import"

ROUTES = (
    rpc_route(
        "POST",
        f"{_IMPORT}/check",
        imports.CHECK_UNION_IMPORT,
        uploads=True,
        deadline=60,
        summary="What a workbook of unions and accounts would create, and its wrong rows; nothing is created",
    ),
    rpc_route(
        "POST",
        _IMPORT,
        imports.IMPORT_UNIONS,
        status=201,
        uploads=True,
        deadline=60,
        summary="Create all unions and accounts of a workbook, or nothing where a row is wrong",
    ),
    file_route(
        f"{_IMPORT}/template.xlsx",
        imports.GET_UNION_TEMPLATE,
        content_type=XLSX,
        summary="A workbook to fill in, with examples and an explanation of the columns",
    ),
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
    rpc_route(
        "GET",
        f"{_UNION}/changes/preview",
        changes.PREVIEW_UNION_CHANGE,
        deadline=30,
        summary="What a move, a merger or a dissolution of a union would concern, and what is in its way",
    ),
    rpc_route(
        "POST",
        f"{_UNION}/changes",
        changes.REQUEST_UNION_CHANGE,
        status=201,
        deadline=30,
        summary="Request that a union moves below another superior, is merged or dissolved (工会撤并)",
    ),
    rpc_route(
        "GET",
        _CHANGES,
        changes.LIST_UNION_CHANGES,
        summary="Changes of the tree that wait to be confirmed, and former ones",
    ),
    rpc_route(
        "POST",
        f"{_CHANGES}/<uuid:change_id>/confirm",
        changes.CONFIRM_UNION_CHANGE,
        deadline=30,
        summary="Confirm and carry out a change that another administrator requested",
    ),
    rpc_route(
        "POST",
        f"{_CHANGES}/<uuid:change_id>/decline",
        changes.DECLINE_UNION_CHANGE,
        summary="Decline a change, or withdraw one's own",
    ),
)
