"""Announcements (通知公告) and guides (新手指引) with their attachments, for the sign-in page and the workbench."""

from werkzeug.wrappers import Response

from gateway.answers import file_download, file_part
from gateway.reading import ATTACHMENTS_LIMIT, read_part
from gateway.routes import RequestContext, route, rpc_route
from services.contracts.operations import notification as rpc

_ANNOUNCEMENTS = "/api/v1/announcements"
_GUIDES = "/api/v1/guides"


@route(
    "GET",
    "/api/v1/attachments/<uuid:attachment_id>",
    rpc.GET_ATTACHMENT,
    request=rpc.AttachmentRequest,
    answer="application/octet-stream",
    reads_session=True,
    deadline=30,
    summary="A file of an announcement or guide; players ask for parts by the header Range",
)
def attachment(context: RequestContext) -> Response:
    part = read_part(context.request)
    file = context.call(rpc.GET_ATTACHMENT, {**context.read(), **part})
    response = file_part(file) if part else file_download(file)
    response.accept_ranges = "bytes"
    return response


ROUTES = (
    rpc_route(
        "GET",
        _ANNOUNCEMENTS,
        rpc.LIST_ANNOUNCEMENTS,
        reads_session=True,
        summary="Announcements for a place, newest first; without a sign-in, those of the sign-in page",
    ),
    rpc_route(
        "POST",
        _ANNOUNCEMENTS,
        rpc.CREATE_ANNOUNCEMENT,
        status=201,
        location=f"{_ANNOUNCEMENTS}/{{announcement_id}}",
        body_limit=ATTACHMENTS_LIMIT,
        deadline=30,
        summary="Announce something to all; for the city union",
    ),
    rpc_route(
        "GET",
        f"{_ANNOUNCEMENTS}/<uuid:announcement_id>",
        rpc.GET_ANNOUNCEMENT,
        reads_session=True,
        summary="One announcement",
    ),
    rpc_route(
        "PATCH",
        f"{_ANNOUNCEMENTS}/<uuid:announcement_id>",
        rpc.UPDATE_ANNOUNCEMENT,
        body_limit=ATTACHMENTS_LIMIT,
        deadline=30,
        summary="Edit an announcement; for the city union",
    ),
    rpc_route(
        "DELETE",
        f"{_ANNOUNCEMENTS}/<uuid:announcement_id>",
        rpc.WITHDRAW_ANNOUNCEMENT,
        status=204,
        summary="Withdraw an announcement; for the city union",
    ),
    rpc_route(
        "GET",
        _GUIDES,
        rpc.LIST_GUIDES,
        summary="Guides for newcomers",
    ),
    rpc_route(
        "POST",
        _GUIDES,
        rpc.CREATE_GUIDE,
        status=201,
        body_limit=ATTACHMENTS_LIMIT,
        deadline=30,
        summary="Publish a guide; for the city union",
    ),
    rpc_route(
        "PATCH",
        f"{_GUIDES}/<uuid:guide_id>",
        rpc.UPDATE_GUIDE,
        body_limit=ATTACHMENTS_LIMIT,
        deadline=30,
        summary="Edit a guide or move it; for the city union",
    ),
    rpc_route(
        "DELETE",
        f"{_GUIDES}/<uuid:guide_id>",
        rpc.WITHDRAW_GUIDE,
        status=204,
        summary="Withdraw a guide; for the city union",
    ),
    attachment,
)
