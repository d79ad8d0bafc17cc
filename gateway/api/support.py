"""Technical support (技术支持): whom to ask, for the sign-in page."""

from marshmallow import Schema, fields
from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import Exchange, route
from gateway.settings import SupportSettings
from services.kit.settings import read_settings


class SupportLine(Schema):
    name = fields.String(required=True)
    phone = fields.String(required=True)


class SupportAnswer(Schema):
    phone = fields.String(required=True)
    hours = fields.String(required=True)
    email = fields.String(required=True)
    lines = fields.List(
        fields.Nested(SupportLine), required=True, metadata={"description": "further lines, each for one matter"}
    )


@route("GET", "/api/v1/support", "gateway.support", answer=SupportAnswer, summary="Whom to ask for technical support")
def support(exchange: Exchange) -> Response:
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
