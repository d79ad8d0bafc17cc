"""Signing in and out, and who I am."""

from dataclasses import replace

from werkzeug.wrappers import Response

from gateway.answers import json_answer, no_content
from gateway.api.captchas import judged_captcha
from gateway.routes import Exchange, gateway_query, route, rpc_route
from services.contracts.operations.membership import accounts, identity
from services.kit.rpc.operation import ANONYMOUS, no_union

_SIGN_OUT = gateway_query("sign_out", no_union(ANONYMOUS))


_ME = "/api/v1/me"


@route(
    "POST",
    "/api/v1/sessions",
    identity.SIGN_IN,
    request=identity.SignInForm,
    answer=accounts.AccountAnswer,
    status=201,
    summary="Sign in (登录) with a captcha: the answer sets the cookie `session`",
)
def sign_in(exchange: Exchange) -> Response:
    given = exchange.read()
    verdict = judged_captcha(exchange, "sign_in", given)
    device_id = exchange.device_id or exchange.backends.devices.new_id()
    answer = exchange.ask(identity.SIGN_IN, {**given, "captcha": verdict, "visit": exchange.visit(device_id)})
    response = json_answer(answer["account"], 201, _ME)
    exchange.backends.sessions.start(response, answer["session"])
    exchange.backends.devices.keep(response, device_id)
    return response


@route(
    "DELETE",
    "/api/v1/sessions/current",
    _SIGN_OUT,
    status=204,
    summary="Sign out: the session ends, and the browser forgets the cookie",
)
def sign_out(exchange: Exchange) -> Response:
    session = exchange.find_session()
    if session is not None:
        replace(exchange, session=session).ask(identity.SIGN_OUT, {})
        exchange.backends.forget_sessions([session.session_id])
    response = no_content()
    exchange.backends.sessions.end(response)
    return response


@route(
    "POST",
    f"{_ME}/password",
    identity.CHANGE_PASSWORD,
    status=204,
    has_secrets=True,
    summary="Change my password: all other sessions end, and this one gets another cookie",
)
def change_password(exchange: Exchange) -> Response:
    begun = exchange.ask(identity.CHANGE_PASSWORD, exchange.read())
    response = no_content()
    exchange.go_on_in(response, begun)
    return response


@route(
    "DELETE",
    f"{_ME}/sessions/<uuid:session_id>",
    identity.END_MY_SESSION,
    status=204,
    summary="End one of my sessions, wherever it is",
)
def end_my_session(exchange: Exchange) -> Response:
    asked = exchange.read()
    exchange.ask(identity.END_MY_SESSION, asked)
    exchange.backends.forget_sessions([asked["session_id"]])
    return no_content()


ROUTES = (
    sign_in,
    sign_out,
    rpc_route(
        "GET",
        _ME,
        identity.GET_ME,
        summary="The account that is signed in",
    ),
    change_password,
    rpc_route(
        "GET",
        f"{_ME}/sessions",
        identity.LIST_MY_SESSIONS,
        summary="Where my account is signed in",
    ),
    end_my_session,
)
