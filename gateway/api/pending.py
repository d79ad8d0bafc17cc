"""The pending list (待办会员列表) of both channels: check, change, complete, remove."""

from gateway.routes import file_route, rpc_route
from services.contracts.operations import batching as rpc
from services.kit.documents.content_types import PDF

_PENDING = "/api/v1/pending"

ROUTES = (
    rpc_route(
        "GET",
        _PENDING,
        rpc.LIST_PENDING,
        counts_number_search=True,
        summary="The pending list of one channel, with the counts of both; unions above may read it",
    ),
    file_route(
        f"{_PENDING}/consent-form.pdf",
        rpc.GET_CONSENT_FORM,
        content_type=PDF,
        deadline=30,
        summary="The consent form (告知同意书) that the members of a channel sign before submission",
    ),
    rpc_route(
        "GET",
        f"{_PENDING}/submission",
        rpc.PREPARE_SUBMISSION,
        summary="What my next submission begins with: outlet and contact of the last one, and the month it counts for",
    ),
    rpc_route(
        "POST",
        f"{_PENDING}/validate",
        rpc.CHECK_PENDING,
        status=202,
        deadline=30,
        summary="Request the system check (提交系统校验); results arrive asynchronously",
    ),
    rpc_route(
        "PATCH",
        f"{_PENDING}/<uuid:application_id>",
        rpc.UPDATE_PENDING,
        counts_number_search=True,
        summary="Change the expiry date, complete the information, or switch the channel",
    ),
    rpc_route(
        "DELETE",
        f"{_PENDING}/<uuid:application_id>",
        rpc.REMOVE_PENDING,
        summary="Remove one application",
    ),
    rpc_route(
        "POST",
        f"{_PENDING}/remove",
        rpc.REMOVE_PENDING_MANY,
        deadline=30,
        summary="Remove all that have not passed, all that are incomplete, or the ones listed",
    ),
)
