"""Sessions: who is signed in, kept in a signed cookie and nowhere else."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Request, Response

from services.common.messaging.rpc import Caller

COOKIE = "session"
LONGEST_SECONDS = 12 * 3600
"""After this one must sign in again, used or not."""
IDLE_SECONDS = 30 * 60
"""After this without a request one must sign in again."""
_RENEW_SECONDS = 60


@dataclass(frozen=True)
class Session:
    """Somebody signed in; times are seconds since 1970."""

    caller: Caller
    signed_in_at: float
    used_at: float

    @property
    def ends_at(self) -> float:
        """When it ends unless it is used again."""
        return min(self.signed_in_at + LONGEST_SECONDS, self.used_at + IDLE_SECONDS)


class Sessions:
    """Writes and reads the cookie. `now` tells the time in seconds since 1970."""

    def __init__(self, secret: str, *, secure: bool, now: Callable[[], float] = time.time) -> None:
        self._signer = URLSafeSerializer(secret, salt="session", signer_kwargs={"digest_method": hashlib.sha256})
        self._secure = secure
        self._now = now

    def read(self, request: Request) -> Session | None:
        """The session that a request belongs to; none when the cookie is missing, forged or too old."""
        try:
            content = self._signer.loads(request.cookies.get(COOKIE, ""))
        except BadSignature:
            return None
        caller = Caller.from_dict({**content["caller"], "origin": request.remote_addr})
        session = Session(caller, content["signed_in_at"], content["used_at"])
        return session if self._now() < session.ends_at else None

    def start(self, response: Response, caller: Caller) -> None:
        """Signs the caller in."""
        now = self._now()
        self._write(response, Session(caller, now, now))

    def renew(self, response: Response, session: Session) -> None:
        """Keeps a session in use from going idle; the cookie is written once a minute at most."""
        if self._now() >= session.used_at + _RENEW_SECONDS:
            self._write(response, Session(session.caller, session.signed_in_at, self._now()))

    def end(self, response: Response) -> None:
        """Signs out: the browser forgets the cookie."""
        response.delete_cookie(COOKIE, **self._attributes())

    def _write(self, response: Response, session: Session) -> None:
        content = {
            "caller": session.caller.to_dict(),
            "signed_in_at": session.signed_in_at,
            "used_at": session.used_at,
        }
        lifetime = int(session.ends_at - self._now())
        response.set_cookie(COOKIE, str(self._signer.dumps(content)), max_age=lifetime, **self._attributes())

    def _attributes(self) -> dict[str, Any]:
        return {"secure": self._secure, "httponly": True, "samesite": "Lax", "path": "/"}
