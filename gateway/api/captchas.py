"""Captchas (验证码) for signing in, as a picture or a voice."""

from datetime import UTC, datetime

from eventlet import tpool
from marshmallow import Schema, fields
from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.captchas import AUDIO, IMAGE
from gateway.routes import Exchange, route
from services.common.contracts.event import choice


class MakeCaptchaRequest(Schema):
    kind = choice(
        IMAGE,
        AUDIO,
        load_default=IMAGE,
        metadata={"description": "a picture of five letters and digits, or a voice that says five digits in English"},
    )


class CaptchaAnswer(Schema):
    """A captcha that counts once. The picture or the voice is a data URI; the other is null."""

    captcha_id = fields.String(required=True)
    kind = choice(IMAGE, AUDIO, required=True)
    image = fields.String(required=True, allow_none=True, metadata={"description": "PNG"})
    audio = fields.String(required=True, allow_none=True, metadata={"description": "WAV"})
    expires_at = fields.AwareDateTime(required=True)


@route(
    "POST",
    "/api/v1/captchas",
    "gateway.captchas",
    request=MakeCaptchaRequest,
    answer=CaptchaAnswer,
    status=201,
    summary="A captcha to sign in with, as a picture or, for who cannot see it, as a voice",
)
def make_captcha(exchange: Exchange) -> Response:
    kind = MakeCaptchaRequest().load(exchange.read())["kind"]
    # In a thread: other requests go on while it draws or speaks.
    made = tpool.execute(exchange.backends.captchas.make, kind)
    answer = {
        "captcha_id": made.token,
        "kind": kind,
        "image": made.data if kind == IMAGE else None,
        "audio": made.data if kind == AUDIO else None,
        "expires_at": datetime.fromtimestamp(made.expires_at, UTC).isoformat(),
    }
    return json_answer(answer, 201)


ROUTES = (make_captcha,)
