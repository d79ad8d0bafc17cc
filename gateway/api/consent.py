"""The consent (个人信息处理告知同意书) without which nobody's data goes to a bank."""

from marshmallow import Schema, fields
from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import Exchange, route
from services.contracts.consent import CURRENT_CONSENT


class ConsentTextAnswer(Schema):
    """The text that is to be agreed to now; `version` goes with a submission."""

    version = fields.String(required=True)
    in_force_from = fields.Date(required=True)
    title = fields.String(required=True)
    paragraphs = fields.List(fields.String(), required=True)


@route(
    "GET",
    "/api/v1/consent-text",
    "gateway.consent_text",
    answer=ConsentTextAnswer,
    summary="The consent text in force",
)
def consent_text(exchange: Exchange) -> Response:
    return json_answer(ConsentTextAnswer().dump(CURRENT_CONSENT))


ROUTES = (consent_text,)
