"""Technical support (技术支持): the contacts on the sign-in page."""

from dataclasses import dataclass
from typing import Annotated

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import RequestContext, gateway_query, route
from gateway.settings import SupportSettings
from services.kit.rpc.operation import ANONYMOUS, no_union
from services.kit.settings import read_settings

_SUPPORT = gateway_query("support", no_union(ANONYMOUS))


@dataclass(frozen=True, kw_only=True)
class SupportLine:
    name: str
    phone: str


@dataclass(frozen=True, kw_only=True)
class SupportAnswer:
    phone: str
    hours: str
    email: str
    lines: Annotated[list[SupportLine], "further contacts, each for one subject"]


@route("GET", "/api/v1/support", _SUPPORT, answer=SupportAnswer, summary="Whom to ask for technical support")
def support(context: RequestContext) -> Response:
    settings = read_settings(SupportSettings)
    return json_answer(
        {
            "phone": settings.support_phone,
            "hours": settings.support_hours,
            "email": settings.support_email,
            "lines": [{"name": name, "phone": phone} for name, phone in settings.lines],
        }
    )


ROUTES = (support,)
