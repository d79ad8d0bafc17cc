"""Signing in and out, and who I am."""

from typing import Any

from werkzeug.wrappers import Response

from gateway.answers import json_answer, no_content
from gateway.policy import ACCOUNTS, ANYONE
from gateway.routes import Exchange, route, rpc_route
from services.common.contracts.rpc import membership as rpc
from services.common.messaging.rpc import Caller

_ME = "/api/v1/me"


@route(
    "POST",
    "/api/v1/sessions",
    roles=ANYONE,
    request=rpc.SignInRequest,
    answer=rpc.AccountAnswer,
    status=201,
    summary="Sign in (登录): the answer sets the cookie `session`",
)
def sign_in(exchange: Exchange) -> Response:
    account = exchange.ask("membership.sign_in", exchange.read())
    response = json_answer(account, 201, _ME)
    exchange.backends.sessions.start(response, _caller_of(account))
    return response


@route(
    "DELETE", "/api/v1/sessions/current", roles=ANYONE, status=204, summary="Sign out: the browser forgets the cookie"
)
def sign_out(exchange: Exchange) -> Response:
    response = no_content()
    exchange.backends.sessions.end(response)
    return response


ROUTES = (
    sign_in,
    sign_out,
    rpc_route(
        "GET",
        _ME,
        "membership.get_me",
        roles=ACCOUNTS,
        request=rpc.GetMeRequest,
        answer=rpc.AccountAnswer,
        summary="The account that is signed in",
    ),
    rpc_route(
        "POST",
        f"{_ME}/password",
        "membership.change_password",
        roles=ACCOUNTS,
        request=rpc.ChangePasswordRequest,
        status=204,
        has_secrets=True,
        summary="Change my password",
    ),
)


def _caller_of(account: dict[str, Any]) -> Caller:
    union = account["union"]
    return Caller(
        account_id=account["account_id"],
        account_name=account["account_name"],
        display_name=account["display_name"],
        roles=frozenset(account["roles"]),
        union_id=union["union_id"],
        union_code=union["code"],
        union_name=union["name"],
        superior_union_id=union["superior_union_id"],
    )
