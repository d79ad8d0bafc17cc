"""Captchas: a picture or a voice that a person can tell, sealed with its answer into a token that nobody else can open.

Nothing is kept when one is made, so that making many costs no room. That one counts once is membership's to see to.
"""

import base64
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from captcha.audio import AudioCaptcha
from captcha.image import ImageCaptcha
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.common.problems import FieldProblem, Invalid

SECONDS = 5 * 60
IMAGE, AUDIO = "image", "audio"
_CHARACTERS = {IMAGE: "ACEFHJKPRTXY34679", AUDIO: "0123456789"}
"""Of those that are taken for one another, such as 0 and O, 5 and S, 8 and B, U and V, at most one is in a picture."""
_LENGTH = 5
_NONCE_BYTES = 12
_PURPOSE = b"captcha"


@dataclass(frozen=True)
class Puzzle:
    """What a token holds; `expires_at` is in seconds since 1970."""

    captcha_id: str
    answer: str
    expires_at: float


@dataclass(frozen=True)
class Captcha:
    """A captcha to show: its token and a data URI. `expires_at` is in seconds since 1970."""

    token: str
    data: str
    expires_at: float


class Captchas:
    """Makes captchas and judges answers. `now` tells the time in seconds since 1970."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
        self._cipher = AESGCM(key)
        self._now = now

    def make(self, kind: str) -> Captcha:
        """A new captcha of the kind IMAGE or AUDIO; a voice takes some 0.2 s of computing."""
        answer = "".join(secrets.choice(_CHARACTERS[kind]) for _ in range(_LENGTH))
        puzzle = Puzzle(str(uuid4()), answer, self._now() + SECONDS)
        return Captcha(self._seal(puzzle), _PRESENTERS[kind](answer), puzzle.expires_at)

    def judge(self, token: str, answer: str) -> dict[str, Any]:
        """Whether the answer is right, as membership is told of it (CaptchaVerdict); case and spaces do not matter.

        Raises Invalid `captcha_expired` for a token that is too old or none of ours.
        """
        puzzle = self.open(token)
        if puzzle is None or puzzle.expires_at <= self._now():
            raise _expired()
        given = "".join(answer.split()).upper().encode()
        return {
            "captcha_id": puzzle.captcha_id,
            "expires_at": datetime.fromtimestamp(puzzle.expires_at, UTC).isoformat(),
            "is_right": secrets.compare_digest(given, puzzle.answer.encode()),
        }

    def open(self, token: str) -> Puzzle | None:
        """What a token holds; None for one that we did not make."""
        try:
            sealed = base64.urlsafe_b64decode(token.encode("ascii"))
            text = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _PURPOSE)
        except (ValueError, InvalidTag):
            return None
        return Puzzle(**json.loads(text))

    def _seal(self, puzzle: Puzzle) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, json.dumps(asdict(puzzle)).encode(), _PURPOSE)
        return base64.urlsafe_b64encode(nonce + sealed).decode()


def _expired() -> Invalid:
    title = "验证码已过期"
    fields = [FieldProblem("captcha_answer", "captcha_expired", title)]
    return Invalid(fields, "captcha_expired", title, "请换一张验证码后重新填写。")


class _ReadableImage(ImageCaptcha):
    """Characters dark, apart and upright enough to be read at once."""

    lookup_table: list[int] = [min(255, 6 * brightness) for brightness in range(256)]  # noqa: RUF012 - as declared there
    """The library's own lets dark ink shine through."""
    character_rotate = (-20, 20)
    character_warp_dx = (0.05, 0.25)
    character_warp_dy = (0.1, 0.25)
    word_space_probability = 0.6
    word_offset_dx = 0.1


_IMAGE = _ReadableImage(200, 64, font_sizes=(42, 46, 50))
_AUDIO = AudioCaptcha()
"""Its voice says the digits in English."""


def _draw(answer: str) -> str:
    ink = (30 + secrets.randbelow(90), 30 + secrets.randbelow(90), 30 + secrets.randbelow(90), 255)
    return _data_uri("image/png", _IMAGE.generate(answer, fg_color=ink).getvalue())


def _speak(answer: str) -> str:
    return _data_uri("audio/wav", bytes(_AUDIO.generate(answer)))


def _data_uri(content_type: str, content: bytes) -> str:
    return f"data:{content_type};base64,{base64.b64encode(content).decode()}"


_PRESENTERS = {IMAGE: _draw, AUDIO: _speak}
