"""Personal applications (个人办卡): members without an affiliated employer apply for themselves on the phone."""

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.api.captchas import verified_captcha
from gateway.routes import RequestContext, file_route, route, rpc_route
from services.contracts.operations import batching, member_messages
from services.contracts.operations.membership import enrolments, identity, members
from services.kit.documents.content_types import XLSX

_PERSONAL = "/api/v1/personal"
_PROFILE = f"{_PERSONAL}/profile"
_APPLICATIONS = f"{_PERSONAL}/applications"
_MESSAGES = f"{_PERSONAL}/messages"


@route(
    "POST",
    f"{_PERSONAL}/otp",
    identity.REQUEST_OTP,
    request=identity.RequestOtpForm,
    status=202,
    summary="Send a one-time password to a phone, if it is a member's; it works in this browser only",
)
def request_otp(context: RequestContext) -> Response:
    form = context.read()
    verdict = verified_captcha(context, "sms_code", form)
    device_id = context.device_id or context.dependencies.devices.new_id()
    answer = context.call(identity.REQUEST_OTP, {**form, "captcha": verdict, "device_id": device_id})
    response = json_answer(answer, 202)
    context.dependencies.devices.keep(response, device_id)
    return response


@route(
    "POST",
    f"{_PERSONAL}/sessions",
    identity.PERSONAL_SIGN_IN,
    request=identity.PersonalSignInForm,
    answer=identity.SignedInMember,
    status=201,
    summary="Sign in with the one-time password: the answer sets the cookie `session`",
)
def sign_in(context: RequestContext) -> Response:
    device_id = context.device_id
    answer = context.call(identity.PERSONAL_SIGN_IN, {**context.read(), "visit": context.visit(device_id)})
    response = json_answer(answer["member"], 201, _PROFILE)
    context.dependencies.sessions.start(response, answer["session"])
    if device_id is not None:
        context.dependencies.devices.keep(response, device_id)
    return response


ROUTES = (
    request_otp,
    sign_in,
    rpc_route(
        "GET",
        _PROFILE,
        members.GET_PERSONAL_PROFILE,
        summary="My data",
    ),
    rpc_route(
        "PATCH",
        _PROFILE,
        members.UPDATE_PERSONAL_PROFILE,
        summary="Complete my data",
    ),
    file_route(
        f"{_PERSONAL}/data.xlsx",
        members.EXPORT_OWN_DATA,
        content_type=XLSX,
        deadline=30,
        summary="My data, applications, card, enrolments, and who looked me up by number, as a sheet",
    ),
    rpc_route(
        "POST",
        _APPLICATIONS,
        members.APPLY_PERSONALLY,
        status=201,
        summary="Apply for a card at an outlet (申请办卡)",
    ),
    rpc_route(
        "GET",
        _APPLICATIONS,
        members.GET_PERSONAL_APPLICATIONS,
        summary="My applications and their steps",
    ),
    rpc_route(
        "DELETE",
        f"{_APPLICATIONS}/<uuid:application_id>",
        batching.CANCEL_PERSONALLY,
        status=204,
        summary="Cancel my application before it is submitted, and withdraw my consent",
    ),
    rpc_route(
        "GET",
        f"{_PERSONAL}/progress",
        batching.LIST_PERSONAL_PROGRESS,
        summary="Where to collect the cards of my applications, and how far the bank is",
    ),
    rpc_route(
        "GET",
        _MESSAGES,
        member_messages.LIST_MEMBER_MESSAGES,
        summary="My messages, the newest first",
    ),
    rpc_route(
        "POST",
        f"{_MESSAGES}/read",
        member_messages.MARK_MEMBER_MESSAGES_READ,
        status=204,
        summary="Mark my messages as read, up to one of them",
    ),
    rpc_route(
        "GET",
        f"{_PERSONAL}/enrolments",
        enrolments.GET_PERSONAL_ENROLMENTS,
        summary="My enrolments with the mutual-aid society",
    ),
)
