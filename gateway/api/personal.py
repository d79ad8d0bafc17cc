"""Personal applications (个人办卡): members without an affiliated employer apply for themselves on the phone."""

from typing import Any

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.policy import ANYONE, MEMBER
from gateway.routes import Exchange, route, rpc_route
from services.common.contracts.rpc import membership as rpc
from services.common.messaging.rpc import Caller

_PERSONAL = "/api/v1/personal"
_PROFILE = f"{_PERSONAL}/profile"
_APPLICATIONS = f"{_PERSONAL}/applications"


@route(
    "POST",
    f"{_PERSONAL}/sessions",
    roles=ANYONE,
    request=rpc.PersonalSignInRequest,
    answer=rpc.PersonalSignInAnswer,
    status=201,
    summary="Sign in by the one-time password: the answer sets the cookie `session`",
)
def sign_in(exchange: Exchange) -> Response:
    member = exchange.ask("membership.personal_sign_in", exchange.read())
    response = json_answer(member, 201, _PROFILE)
    exchange.backends.sessions.start(response, _caller_of(member))
    return response


ROUTES = (
    rpc_route(
        "POST",
        f"{_PERSONAL}/otp",
        "membership.request_otp",
        roles=ANYONE,
        request=rpc.RequestOtpRequest,
        answer=rpc.RequestOtpAnswer,
        status=202,
        summary="Send a one-time password to a phone, if a member has it",
    ),
    sign_in,
    rpc_route(
        "GET",
        _PROFILE,
        "membership.get_personal_profile",
        roles=MEMBER,
        request=rpc.GetPersonalProfileRequest,
        answer=rpc.PersonalProfileAnswer,
        summary="What is known of me",
    ),
    rpc_route(
        "PATCH",
        _PROFILE,
        "membership.update_personal_profile",
        roles=MEMBER,
        request=rpc.UpdatePersonalProfileRequest,
        answer=rpc.PersonalProfileAnswer,
        summary="Complete what is known of me",
    ),
    rpc_route(
        "POST",
        _APPLICATIONS,
        "membership.apply_personally",
        roles=MEMBER,
        request=rpc.ApplyPersonallyRequest,
        answer=rpc.PersonalApplicationAnswer,
        status=201,
        summary="Apply for a card at an outlet (申请办卡)",
    ),
    rpc_route(
        "GET",
        _APPLICATIONS,
        "membership.get_personal_applications",
        roles=MEMBER,
        request=rpc.GetPersonalApplicationsRequest,
        answer=rpc.PersonalApplicationsAnswer,
        summary="My applications and the steps they took",
    ),
)


def _caller_of(member: dict[str, Any]) -> Caller:
    union = member["union"]
    return Caller(
        member_id=member["member_id"],
        display_name=member["name"],
        roles=MEMBER,
        union_id=union["union_id"],
        union_code=union["code"],
        union_name=union["name"],
        superior_union_id=union["superior_union_id"],
    )
