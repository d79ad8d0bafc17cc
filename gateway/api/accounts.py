"""Accounts (账号) of my union and all below it, and links for who forgot the password (密码重置)."""

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import Exchange, route, rpc_route
from services.contracts.operations import membership as rpc

_ACCOUNTS = "/api/v1/accounts"
_ACCOUNT = f"{_ACCOUNTS}/<uuid:account_id>"
_OF_UNION = "/api/v1/unions/<uuid:union_id>/accounts"
_PHONE_CHANGES = "/api/v1/phone-changes"
_RESETS = "/api/v1/password-resets"


@route(
    "POST",
    _RESETS,
    "membership.reset_password",
    request=rpc.ResetPasswordForm,
    answer=rpc.ResetPasswordAnswer,
    has_secrets=True,
    summary="Choose another password by a link; it works once, unlocks the account, makes this browser known for it",
)
def reset_password(exchange: Exchange) -> Response:
    device_id = exchange.device_id or exchange.backends.devices.new_id()
    response = json_answer(exchange.ask("membership.reset_password", {**exchange.read(), "device_id": device_id}))
    exchange.backends.devices.keep(response, device_id)
    return response


ROUTES = (
    rpc_route(
        "GET",
        _ACCOUNTS,
        "membership.list_accounts",
        request=rpc.ListAccountsRequest,
        answer=rpc.ListAccountsAnswer,
        summary="Find an account (账号找回) by its name, display name or whole telephone number",
    ),
    rpc_route(
        "GET",
        _OF_UNION,
        "membership.list_accounts",
        request=rpc.ListAccountsRequest,
        answer=rpc.ListAccountsAnswer,
        summary="The accounts of a union",
    ),
    rpc_route(
        "POST",
        _OF_UNION,
        "membership.create_account",
        request=rpc.CreateAccountRequest,
        answer=rpc.NewAccountAnswer,
        status=201,
        location=f"{_ACCOUNTS}/{{account_id}}",
        summary="Open an account; its holder gets a link to choose the first password",
    ),
    rpc_route(
        "GET",
        _ACCOUNT,
        "membership.get_account",
        request=rpc.AccountRequest,
        answer=rpc.AccountItem,
        summary="One account",
    ),
    rpc_route(
        "PATCH",
        _ACCOUNT,
        "membership.update_account",
        request=rpc.UpdateAccountRequest,
        answer=rpc.AccountItem,
        summary="Change an account's display name or roles, close or reopen it",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/unlock",
        "membership.unlock_account",
        request=rpc.AccountRequest,
        answer=rpc.AccountItem,
        summary="Let an account in again that too many wrong passwords have locked (解锁)",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/second-factor/remove",
        "membership.remove_second_factor_of",
        request=rpc.AccountRequest,
        answer=rpc.AccountItem,
        summary="Turn the second factor off of who has lost it; all sessions of the account end",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/reset-link",
        "membership.create_reset_link",
        request=rpc.AccountRequest,
        answer=rpc.ResetLinkAnswer,
        status=201,
        summary="Send the holder a link to choose another password; it goes to the account's telephone alone",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/phone-changes",
        "membership.request_phone_change",
        request=rpc.RequestPhoneChangeRequest,
        answer=rpc.PhoneChangeAnswer,
        status=201,
        summary="Ask for another telephone number of an account (更换手机号), which a second administrator confirms",
    ),
    rpc_route(
        "GET",
        _PHONE_CHANGES,
        "membership.list_phone_changes",
        request=rpc.ListPhoneChangesRequest,
        answer=rpc.PhoneChangesAnswer,
        summary="Telephone numbers that wait for a second administrator, and what became of others",
    ),
    rpc_route(
        "POST",
        f"{_PHONE_CHANGES}/<uuid:change_id>/confirm",
        "membership.confirm_phone_change",
        request=rpc.PhoneChangeRequest,
        answer=rpc.PhoneChangeAnswer,
        summary="Confirm a number that another administrator asked for; no link goes there for a day",
    ),
    rpc_route(
        "POST",
        f"{_PHONE_CHANGES}/<uuid:change_id>/decline",
        "membership.decline_phone_change",
        request=rpc.PhoneChangeRequest,
        answer=rpc.PhoneChangeAnswer,
        summary="Do not agree to a number, or take back what one asked for",
    ),
    rpc_route(
        "POST",
        f"{_RESETS}/check",
        "membership.check_reset_link",
        request=rpc.CheckResetLinkRequest,
        answer=rpc.CheckResetLinkAnswer,
        has_secrets=True,
        summary="Whose link it is, and until when it works",
    ),
    reset_password,
)
