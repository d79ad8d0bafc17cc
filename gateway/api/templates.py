"""The texts of messages (消息模板), which the city edits, and a member's wish for text messages."""

from gateway.routes import rpc_route
from services.contracts.operations import templates as rpc

_TEMPLATES = "/api/v1/message-templates"

ROUTES = (
    rpc_route(
        "GET",
        _TEMPLATES,
        rpc.LIST_TEMPLATES,
        summary="All kinds of messages: occasion, audience, way, and the text in force",
    ),
    rpc_route(
        "GET",
        f"{_TEMPLATES}/<kind>",
        rpc.GET_TEMPLATE,
        summary="One kind of message with its variables and earlier texts",
    ),
    rpc_route(
        "GET",
        f"{_TEMPLATES}/<kind>/preview",
        rpc.PREVIEW_TEMPLATE,
        summary="A text as it would be sent, with the examples of its variables",
    ),
    rpc_route(
        "PATCH",
        f"{_TEMPLATES}/<kind>",
        rpc.UPDATE_TEMPLATE,
        summary="Put a text in force, or turn a text message off (修改消息模板)",
    ),
    rpc_route(
        "POST",
        f"{_TEMPLATES}/<kind>/restore",
        rpc.RESTORE_TEMPLATE,
        summary="Put the default text in force again (恢复默认)",
    ),
    rpc_route(
        "GET",
        "/api/v1/personal/notices",
        rpc.GET_NOTICES,
        summary="Whether I want text messages about my applications and cards",
    ),
    rpc_route(
        "PATCH",
        "/api/v1/personal/notices",
        rpc.SET_NOTICES,
        summary="Want text messages about my applications and cards, or none",
    ),
)
