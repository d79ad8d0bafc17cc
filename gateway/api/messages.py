"""Messages (消息提醒) in one's inbox."""

from gateway.routes import rpc_route
from services.contracts.operations import notification as rpc

_MESSAGES = "/api/v1/messages"

ROUTES = (
    rpc_route(
        "GET",
        _MESSAGES,
        "notification.list_messages",
        request=rpc.ListMessagesRequest,
        answer=rpc.MessagesAnswer,
        summary="My messages, newest first, and how many are unread",
    ),
    rpc_route(
        "POST",
        f"{_MESSAGES}/<uuid:message_id>/read",
        "notification.mark_message_read",
        request=rpc.MarkMessageReadRequest,
        answer=rpc.ReadAnswer,
        summary="I have read this one",
    ),
    rpc_route(
        "POST",
        f"{_MESSAGES}/read-all",
        "notification.mark_all_messages_read",
        request=rpc.MarkAllMessagesReadRequest,
        answer=rpc.ReadAnswer,
        summary="I have read them all",
    ),
)
