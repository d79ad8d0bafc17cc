"""Captchas (验证码) before signing in and before an SMS: a picture and proof of work, or more work alone."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.captchas import IMAGE, WORK
from gateway.proof_of_work import PARTS
from gateway.routes import RequestContext, gateway_query, route
from services.contracts.operations.membership import identity
from services.contracts.operations.membership.identity import CAPTCHA_PURPOSES
from services.kit.concurrency import in_thread
from services.kit.events.contract import choice
from services.kit.problems import Unavailable
from services.kit.rpc.operation import ANONYMOUS, no_union
from services.kit.schemas import as_dict, schema_of

_CAPTCHAS = gateway_query("captchas", no_union(ANONYMOUS))


@dataclass(frozen=True, kw_only=True)
class MakeCaptchaRequest:
    kind: Annotated[
        str, choice(IMAGE, WORK), "a picture of five letters and digits, or more work for those who cannot see it"
    ] = IMAGE
    purpose: Annotated[str, choice(*CAPTCHA_PURPOSES)] = "sign_in"
    for_unknown_device: Annotated[bool, "after `captcha_too_easy`: as hard as for an unknown device"] = False


@dataclass(frozen=True, kw_only=True)
class ProofOfWork:
    """Proof of work: eight numbers to find, one for each part from 0 to 7.

    `sha256(salt + part + number)`, all of it text, part and number as eight lower-case hexadecimal digits, must begin
    with max(0, bits - 3) zero bits. The solution is the eight numbers, concatenated.
    """

    salt: Annotated[str, "32 hexadecimal digits"]
    bits: Annotated[int, "it takes 2 to this power of hashes on average"]
    parts: int


@dataclass(frozen=True, kw_only=True)
class CaptchaAnswer:
    """A captcha that counts once, for its purpose. The picture is a data URI."""

    captcha_id: str
    kind: Annotated[str, choice(IMAGE, WORK)]
    image: Annotated[str | None, "PNG; null for a captcha without a picture"]
    proof_of_work: ProofOfWork
    wait_seconds: Annotated[int, "an answer is not accepted earlier; longer after many failures"]
    expires_at: datetime


@route(
    "POST",
    "/api/v1/captchas",
    _CAPTCHAS,
    request=MakeCaptchaRequest,
    answer=CaptchaAnswer,
    status=201,
    summary="A captcha for signing in or for an SMS, harder after many failures",
)
def make_captcha(context: RequestContext) -> Response:
    request = as_dict(schema_of(MakeCaptchaRequest)().load(context.read()))
    level = _level(context, request["purpose"], request["for_unknown_device"])
    # In a thread, so that other requests proceed while it draws.
    made = in_thread(context.dependencies.captchas.make, request["kind"], request["purpose"], level)
    puzzle = made.puzzle
    answer = {
        "captcha_id": made.token,
        "kind": request["kind"],
        "image": made.image,
        "proof_of_work": {"salt": puzzle.salt, "bits": puzzle.bits, "parts": PARTS},
        "wait_seconds": context.dependencies.captchas.seconds_until(puzzle.answers_from),
        "expires_at": datetime.fromtimestamp(puzzle.expires_at, UTC).isoformat(),
    }
    return json_answer(answer, 201)


def verified_captcha(context: RequestContext, purpose: str, form: dict[str, Any]) -> dict[str, Any]:
    """Removes the fields of CaptchaForm from a form and returns the verdict for membership (CaptchaVerdict).

    Raises Problem as `Captchas.verify` does.
    """
    token, answer, solution = (form.pop(name, "") for name in ("captcha_id", "captcha_answer", "proof_of_work"))
    return context.dependencies.captchas.verify(purpose, token, answer, solution)


def _level(context: RequestContext, purpose: str, for_unknown_device: bool) -> int:
    """Returns how hard the captcha must be; the easiest if membership is away: it checks the level again on use."""
    device_id = None if for_unknown_device else context.device_id
    try:
        answer = context.call(identity.GET_CAPTCHA_LEVEL, {"purpose": purpose, "device_id": device_id})
    except Unavailable:
        return 0
    return int(answer["level"])


ROUTES = (make_captcha,)
