"""The second factor (动态口令) of one's own account: turning it on and off, and using it to sign in."""

from werkzeug.wrappers import Response

from gateway.answers import json_answer, no_content
from gateway.routes import RequestContext, route, rpc_route
from services.contracts.operations.membership import accounts, identity

_MINE = "/api/v1/me/second-factor"


@route(
    "POST",
    f"{_MINE}/confirm",
    identity.CONFIRM_SECOND_FACTOR,
    answer=identity.RecoveryCodesAnswer,
    has_secrets=True,
    summary="Turn it on with a first code: the recovery codes are shown once, and this session gets a new cookie",
)
def confirm(context: RequestContext) -> Response:
    answer = context.call(identity.CONFIRM_SECOND_FACTOR, context.read())
    response = json_answer({"recovery_codes": answer["recovery_codes"]})
    context.switch_session(response, answer["session"])
    return response


@route(
    "POST",
    f"{_MINE}/remove",
    identity.REMOVE_SECOND_FACTOR,
    status=204,
    has_secrets=True,
    summary="Turn it off: all other sessions end, and this one gets a new cookie",
)
def remove(context: RequestContext) -> Response:
    response = no_content()
    context.switch_session(response, context.call(identity.REMOVE_SECOND_FACTOR, context.read()))
    return response


@route(
    "POST",
    "/api/v1/sessions/current/second-factor",
    identity.PASS_SECOND_FACTOR,
    answer=accounts.AccountAnswer,
    has_secrets=True,
    summary="The second step of signing in: a code of the authenticator, or a recovery code",
)
def verify(context: RequestContext) -> Response:
    answer = context.call(identity.PASS_SECOND_FACTOR, context.read())
    response = json_answer(answer["account"])
    context.switch_session(response, answer["session"])
    return response


ROUTES = (
    rpc_route(
        "POST",
        _MINE,
        identity.ENROL_SECOND_FACTOR,
        has_secrets=True,
        summary="A secret for an authenticator, which takes effect once it is confirmed",
    ),
    confirm,
    remove,
    verify,
)
