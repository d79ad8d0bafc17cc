"""The pending list (待办会员列表) of both channels: check, change, complete, remove."""

from gateway.routes import file_route, rpc_route
from services.contracts.operations import batching as rpc

_PENDING = "/api/v1/pending"

ROUTES = (
    rpc_route(
        "GET",
        _PENDING,
        "batching.list_pending",
        request=rpc.ListPendingRequest,
        answer=rpc.ListPendingAnswer,
        tells_of_numbers=True,
        summary="The pending list of one channel, with the counts of both",
    ),
    file_route(
        f"{_PENDING}/consent-form.pdf",
        "batching.get_consent_form",
        content_type="application/pdf",
        request=rpc.ConsentFormRequest,
        deadline=30,
        summary="The form of consent (告知同意书) for the members of a channel to sign before it is submitted",
    ),
    rpc_route(
        "POST",
        f"{_PENDING}/validate",
        "batching.check_pending",
        request=rpc.CheckPendingRequest,
        answer=rpc.CheckPendingAnswer,
        status=202,
        deadline=30,
        summary="Ask for the system check (提交系统校验); results come by and by",
    ),
    rpc_route(
        "PATCH",
        f"{_PENDING}/<uuid:application_id>",
        "batching.update_pending",
        request=rpc.UpdatePendingRequest,
        answer=rpc.PendingAnswer,
        tells_of_numbers=True,
        summary="Change the expiry date, complete the information, or switch the channel",
    ),
    rpc_route(
        "DELETE",
        f"{_PENDING}/<uuid:application_id>",
        "batching.remove_pending",
        request=rpc.RemovePendingRequest,
        answer=rpc.RemovePendingAnswer,
        summary="Remove one application",
    ),
    rpc_route(
        "POST",
        f"{_PENDING}/remove",
        "batching.remove_pending_many",
        request=rpc.RemovePendingManyRequest,
        answer=rpc.RemovePendingAnswer,
        deadline=30,
        summary="Remove all that have not passed, all that are incomplete, or those named",
    ),
)
