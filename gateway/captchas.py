"""Makes and checks captchas: a picture to read and proof of work; the answer is encrypted in the captcha's token.

Nothing is stored when a captcha is made, so that making many costs no memory. Membership accepts each captcha once and
decides how hard captchas must be for an address.
"""

import base64
import json
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway import captcha_pictures
from gateway.proof_of_work import is_solved
from services.kit.problems import FieldProblem, Invalid, Problem

SECONDS = 5 * 60
IMAGE, WORK = "image", "work"
"""The kinds: a picture with some work, or more work without a picture for those who cannot see it."""
MORE_BITS_WITHOUT_PICTURE = 5
_MOST_BITS = 26
"""More bits would take a browser minutes."""
_WAIT_SECONDS_A_LEVEL = 2
_CLOCKS_DIFFER_SECONDS = 1
_NONCE_BYTES = 12
_ASSOCIATED_DATA = b"captcha with work"


@dataclass(frozen=True)
class Puzzle:
    """The content of a token; times are in seconds since 1970, and a puzzle without a picture has an empty answer."""

    captcha_id: str
    purpose: str
    level: int
    bits: int
    answer: str
    answers_from: float
    expires_at: float

    @property
    def salt(self) -> str:
        """The salt of the proof of work: 32 hexadecimal digits, unique to the captcha."""
        return UUID(self.captcha_id).hex


@dataclass(frozen=True)
class Captcha:
    """A captcha to show: its token, its puzzle, and its picture, if any, as a data URI."""

    token: str
    puzzle: Puzzle
    image: str | None


class Captchas:
    """Makes captchas and judges answers; `bits` is the work beside a picture, `now` returns seconds since 1970."""

    def __init__(self, secret: str, bits: int, now: Callable[[], float] = time.time) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_ASSOCIATED_DATA).derive(secret.encode())
        self._cipher = AESGCM(key)
        self._bits = bits
        self._now = now

    def make(self, kind: str, purpose: str, level: int = 0) -> Captcha:
        """Makes a captcha for a purpose; each level doubles the work and lengthens the wait before an answer."""
        has_picture = kind == IMAGE
        characters = captcha_pictures.CHARACTERS
        answer = "".join(secrets.choice(characters) for _ in range(captcha_pictures.LENGTH)) if has_picture else ""
        puzzle = Puzzle(
            captcha_id=str(uuid4()),
            purpose=purpose,
            level=level,
            bits=min(_MOST_BITS, self._bits + level + (0 if has_picture else MORE_BITS_WITHOUT_PICTURE)),
            answer=answer,
            answers_from=self._now() + level * _WAIT_SECONDS_A_LEVEL,
            expires_at=self._now() + SECONDS,
        )
        return Captcha(self._encrypt(puzzle), puzzle, _data_uri(answer) if has_picture else None)

    def verify(self, purpose: str, token: str, answer: str, solution: str) -> dict[str, Any]:
        """Returns the verdict on an answer as membership receives it (CaptchaVerdict); case and spaces do not matter.

        Raises Invalid `captcha_expired` for a token that is too old, for another purpose or not from us, Problem
        `captcha_too_early`, and Invalid `captcha_work_wrong` where the work was not done.
        """
        puzzle = self.decrypt(token)
        if puzzle is None or puzzle.purpose != purpose or puzzle.expires_at <= self._now():
            raise _refusal("captcha_expired", "验证码已过期", "请换一张验证码后重新填写。")
        early = puzzle.answers_from - _CLOCKS_DIFFER_SECONDS - self._now()
        if early > 0:
            raise _too_early(math.ceil(early))
        if not is_solved(puzzle.salt, puzzle.bits, solution):
            raise _refusal("captcha_work_wrong", "安全验证未完成", "请换一张验证码，等待安全验证完成后再提交。")
        characters = "".join(answer.split()).upper().encode()
        return {
            "captcha_id": puzzle.captcha_id,
            "expires_at": datetime.fromtimestamp(puzzle.expires_at, UTC).isoformat(),
            "is_right": secrets.compare_digest(characters, puzzle.answer.encode()),
            "level": puzzle.level,
        }

    def seconds_until(self, moment: float) -> int:
        """Returns the whole seconds from now until a moment; 0 when it has passed."""
        return max(0, math.ceil(moment - self._now()))

    def decrypt(self, token: str) -> Puzzle | None:
        """Decrypts a token; returns None for one that we did not make."""
        try:
            encrypted = base64.urlsafe_b64decode(token.encode("ascii"))
            text = self._cipher.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], _ASSOCIATED_DATA)
        except (ValueError, InvalidTag):
            return None
        return Puzzle(**json.loads(text))

    def _encrypt(self, puzzle: Puzzle) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        encrypted = self._cipher.encrypt(nonce, json.dumps(asdict(puzzle)).encode(), _ASSOCIATED_DATA)
        return base64.urlsafe_b64encode(nonce + encrypted).decode()


def _refusal(code: str, title: str, detail: str) -> Invalid:
    return Invalid([FieldProblem("captcha_answer", code, title)], code, title, detail)


def _too_early(seconds: int) -> Problem:
    problem = Problem("captcha_too_early", 429, "请稍候再提交", f"当前网络失败次数较多，请在 {seconds} 秒后提交。")
    problem.retry_after = seconds
    return problem


def _data_uri(answer: str) -> str:
    return f"data:image/png;base64,{base64.b64encode(captcha_pictures.draw(answer)).decode()}"
