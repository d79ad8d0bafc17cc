"""The consent (个人信息处理告知同意书) that a member must give before data go to the bank."""

from dataclasses import dataclass
from datetime import date

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import RequestContext, gateway_query, route
from services.contracts.consent import CURRENT_CONSENT
from services.contracts.operations.roles import ACCOUNTS
from services.kit.rpc.operation import no_union
from services.kit.schemas import schema_of

_CONSENT_TEXT = gateway_query("consent_text", no_union(*ACCOUNTS, "member"))


@dataclass(frozen=True, kw_only=True)
class ConsentTextAnswer:
    """The consent text in force; a submission names its `version`."""

    version: str
    in_force_from: date
    title: str
    paragraphs: list[str]


@route(
    "GET",
    "/api/v1/consent-text",
    _CONSENT_TEXT,
    answer=ConsentTextAnswer,
    summary="The consent text in force",
)
def consent_text(context: RequestContext) -> Response:
    return json_answer(schema_of(ConsentTextAnswer)().dump(CURRENT_CONSENT))


ROUTES = (consent_text,)
