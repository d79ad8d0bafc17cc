"""Messages (消息提醒) in one's inbox."""

from gateway.routes import rpc_route
from services.contracts.operations import notification as rpc

_MESSAGES = "/api/v1/messages"

ROUTES = (
    rpc_route(
        "GET",
        _MESSAGES,
        rpc.LIST_MESSAGES,
        summary="My messages, newest first, and how many are unread",
    ),
    rpc_route(
        "POST",
        f"{_MESSAGES}/<uuid:message_id>/read",
        rpc.MARK_MESSAGE_READ,
        summary="Mark a message as read",
    ),
    rpc_route(
        "POST",
        f"{_MESSAGES}/read-all",
        rpc.MARK_ALL_MESSAGES_READ,
        summary="Mark all messages as read",
    ),
)
