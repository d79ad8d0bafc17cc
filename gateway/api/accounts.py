"""Accounts (账号) of my union and its subordinates, and password reset links (密码重置)."""

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import RequestContext, route, rpc_route
from services.contracts.operations.membership import accounts as rpc

_ACCOUNTS = "/api/v1/accounts"
_ACCOUNT = f"{_ACCOUNTS}/<uuid:account_id>"
_OF_UNION = "/api/v1/unions/<uuid:union_id>/accounts"
_PHONE_CHANGES = "/api/v1/phone-changes"
_RESETS = "/api/v1/password-resets"


@route(
    "POST",
    _RESETS,
    rpc.RESET_PASSWORD,
    request=rpc.ResetPasswordForm,
    has_secrets=True,
    summary="Set a new password by a link, which works once, unlocks the account and makes this browser known to it",
)
def reset_password(context: RequestContext) -> Response:
    device_id = context.device_id or context.dependencies.devices.new_id()
    response = json_answer(context.call(rpc.RESET_PASSWORD, {**context.read(), "device_id": device_id}))
    context.dependencies.devices.keep(response, device_id)
    return response


ROUTES = (
    rpc_route(
        "GET",
        _ACCOUNTS,
        rpc.LIST_ACCOUNTS,
        summary="Find an account (账号找回) by its name, display name or full telephone number",
    ),
    rpc_route(
        "GET",
        _OF_UNION,
        rpc.LIST_ACCOUNTS,
        summary="The accounts of a union",
    ),
    rpc_route(
        "POST",
        _OF_UNION,
        rpc.CREATE_ACCOUNT,
        status=201,
        location=f"{_ACCOUNTS}/{{account_id}}",
        summary="Create an account; its holder gets a link to set the first password",
    ),
    rpc_route(
        "GET",
        _ACCOUNT,
        rpc.GET_ACCOUNT,
        summary="One account",
    ),
    rpc_route(
        "PATCH",
        _ACCOUNT,
        rpc.UPDATE_ACCOUNT,
        summary="Change an account's display name or roles, close or reopen it",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/unlock",
        rpc.UNLOCK_ACCOUNT,
        summary="Unlock an account that too many wrong passwords have locked (解锁)",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/second-factor/remove",
        rpc.REMOVE_SECOND_FACTOR_OF,
        summary="Turn off the second factor of an account whose holder has lost it; all its sessions end",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/reset-link",
        rpc.CREATE_RESET_LINK,
        status=201,
        summary="Send the holder a link to set a new password, to the account's telephone only",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/phone-changes",
        rpc.REQUEST_PHONE_CHANGE,
        status=201,
        summary="Ask for another telephone number of an account (更换手机号), which a second administrator confirms",
    ),
    rpc_route(
        "GET",
        _PHONE_CHANGES,
        rpc.LIST_PHONE_CHANGES,
        summary="Telephone number changes that wait for a second administrator, and past ones with their outcome",
    ),
    rpc_route(
        "POST",
        f"{_PHONE_CHANGES}/<uuid:change_id>/confirm",
        rpc.CONFIRM_PHONE_CHANGE,
        summary="Confirm a number that another administrator requested; no link is sent to it for a day",
    ),
    rpc_route(
        "POST",
        f"{_PHONE_CHANGES}/<uuid:change_id>/decline",
        rpc.DECLINE_PHONE_CHANGE,
        summary="Reject a requested number, or withdraw one's own request",
    ),
    rpc_route(
        "POST",
        f"{_RESETS}/check",
        rpc.CHECK_RESET_LINK,
        has_secrets=True,
        summary="The account of a link, and when the link expires",
    ),
    reset_password,
)
