"""Unions (工会) below one's own, and their accounts."""

from gateway.policy import ADMINISTRATOR, REVIEWER
from gateway.routes import rpc_route
from services.common.contracts.rpc import membership as rpc

_UNIONS = "/api/v1/unions"
_ACCOUNTS = f"{_UNIONS}/<uuid:union_id>/accounts"
_ACCOUNT = "/api/v1/accounts/<uuid:account_id>"

ROUTES = (
    rpc_route(
        "GET",
        _UNIONS,
        "membership.list_unions",
        roles=ADMINISTRATOR | REVIEWER,
        request=rpc.ListUnionsRequest,
        answer=rpc.ListUnionsAnswer,
        summary="My union and its subordinates",
    ),
    rpc_route(
        "POST",
        _UNIONS,
        "membership.create_union",
        roles=ADMINISTRATOR,
        request=rpc.CreateUnionRequest,
        answer=rpc.UnionAnswer,
        status=201,
        summary="Found a subordinate union",
    ),
    rpc_route(
        "GET",
        _ACCOUNTS,
        "membership.list_accounts",
        roles=ADMINISTRATOR,
        request=rpc.ListAccountsRequest,
        answer=rpc.ListAccountsAnswer,
        summary="The accounts of a union",
    ),
    rpc_route(
        "POST",
        _ACCOUNTS,
        "membership.create_account",
        roles=ADMINISTRATOR,
        request=rpc.CreateAccountRequest,
        answer=rpc.AccountWithPasswordAnswer,
        status=201,
        has_secrets=True,
        summary="Open an account; its one-time password is told once",
    ),
    rpc_route(
        "PATCH",
        _ACCOUNT,
        "membership.update_account",
        roles=ADMINISTRATOR,
        request=rpc.UpdateAccountRequest,
        answer=rpc.AccountItem,
        summary="Rename an account, give it other roles, close or reopen it",
    ),
    rpc_route(
        "POST",
        f"{_ACCOUNT}/password",
        "membership.reset_password",
        roles=ADMINISTRATOR,
        request=rpc.ResetPasswordRequest,
        answer=rpc.ResetPasswordAnswer,
        has_secrets=True,
        summary="Give an account a one-time password (密码重置)",
    ),
)
