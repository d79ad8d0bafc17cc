"""Signing in and out, and who I am."""

from dataclasses import replace

from werkzeug.wrappers import Response

from gateway.answers import json_answer, no_content
from gateway.api.captchas import verified_captcha
from gateway.routes import RequestContext, gateway_query, route, rpc_route
from services.contracts.operations.membership import accounts, identity, preferences
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
def sign_in(context: RequestContext) -> Response:
    form = context.read()
    verdict = verified_captcha(context, "sign_in", form)
    device_id = context.device_id or context.dependencies.devices.new_id()
    answer = context.call(identity.SIGN_IN, {**form, "captcha": verdict, "visit": context.visit(device_id)})
    response = json_answer(answer["account"], 201, _ME)
    context.dependencies.sessions.start(response, answer["session"])
    context.dependencies.devices.keep(response, device_id)
    return response


@route(
    "DELETE",
    "/api/v1/sessions/current",
    _SIGN_OUT,
    status=204,
    summary="Sign out: the session ends and the cookie is deleted",
)
def sign_out(context: RequestContext) -> Response:
    session = context.find_session()
    if session is not None:
        replace(context, session=session).call(identity.SIGN_OUT, {})
        context.dependencies.forget_sessions([session.session_id])
    response = no_content()
    context.dependencies.sessions.end(response)
    return response


@route("GET", _ME, identity.GET_ME, summary="The account that is signed in")
def get_me(context: RequestContext) -> Response:
    data, sessions, session = context.read(), context.dependencies.sessions, context.signed_in
    account = sessions.account_of(session)
    if account is None:
        account = context.call(identity.GET_ME, data)
        sessions.remember_account(session, account)
    return json_answer(account)


@route(
    "POST",
    f"{_ME}/password",
    identity.CHANGE_PASSWORD,
    status=204,
    has_secrets=True,
    summary="Change my password: all other sessions end, and this one gets a new cookie",
)
def change_password(context: RequestContext) -> Response:
    session = context.call(identity.CHANGE_PASSWORD, context.read())
    response = no_content()
    context.switch_session(response, session)
    return response


@route(
    "DELETE",
    f"{_ME}/sessions/<uuid:session_id>",
    identity.END_MY_SESSION,
    status=204,
    summary="End one of my sessions, on any device",
)
def end_my_session(context: RequestContext) -> Response:
    request = context.read()
    context.call(identity.END_MY_SESSION, request)
    context.dependencies.forget_sessions([request["session_id"]])
    return no_content()


ROUTES = (
    sign_in,
    sign_out,
    get_me,
    rpc_route(
        "GET",
        f"{_ME}/preferences",
        preferences.GET_PREFERENCES,
        summary="What the pages keep for my account, such as the columns of a list",
    ),
    rpc_route(
        "POST",
        f"{_ME}/preferences",
        preferences.SAVE_PREFERENCE,
        status=204,
        summary="Keep one preference of the pages for my account",
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
