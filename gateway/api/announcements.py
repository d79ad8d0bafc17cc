"""Announcements (通知公告) and guides (新手指引) with their attachments, for the sign-in page and the workbench."""

from gateway.policy import ADMINISTRATOR, ANYONE
from gateway.reading import UPLOAD_LIMIT
from gateway.routes import file_route, rpc_route
from services.common.contracts.rpc import notification as rpc

_ANNOUNCEMENTS = "/api/v1/announcements"

ROUTES = (
    rpc_route(
        "GET",
        _ANNOUNCEMENTS,
        "notification.list_announcements",
        roles=ANYONE,
        request=rpc.ListAnnouncementsRequest,
        answer=rpc.AnnouncementsAnswer,
        summary="Announcements for a place, newest first",
    ),
    rpc_route(
        "POST",
        _ANNOUNCEMENTS,
        "notification.create_announcement",
        roles=ADMINISTRATOR,
        request=rpc.CreateAnnouncementRequest,
        answer=rpc.AnnouncementAnswer,
        status=201,
        location=f"{_ANNOUNCEMENTS}/{{announcement_id}}",
        body_limit=UPLOAD_LIMIT,
        deadline=30,
        summary="Announce something to all; for the city union",
    ),
    rpc_route(
        "GET",
        f"{_ANNOUNCEMENTS}/<uuid:announcement_id>",
        "notification.get_announcement",
        roles=ANYONE,
        request=rpc.GetAnnouncementRequest,
        answer=rpc.AnnouncementAnswer,
        summary="One announcement",
    ),
    rpc_route(
        "DELETE",
        f"{_ANNOUNCEMENTS}/<uuid:announcement_id>",
        "notification.withdraw_announcement",
        roles=ADMINISTRATOR,
        request=rpc.WithdrawAnnouncementRequest,
        status=204,
        summary="Withdraw an announcement; for the city union",
    ),
    rpc_route(
        "GET",
        "/api/v1/guides",
        "notification.list_guides",
        roles=ANYONE,
        request=rpc.ListGuidesRequest,
        answer=rpc.GuidesAnswer,
        summary="Guides for newcomers",
    ),
    file_route(
        "/api/v1/attachments/<uuid:attachment_id>",
        "notification.get_attachment",
        content_type="application/octet-stream",
        roles=ANYONE,
        request=rpc.GetAttachmentRequest,
        deadline=30,
        summary="A file of an announcement or guide",
    ),
)
