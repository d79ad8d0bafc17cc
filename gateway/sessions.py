"""Sessions: a signed cookie names one, membership keeps it, and each process caches it for a short time."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Request, Response

from services.contracts.operations.roles import LIMITED
from services.kit.problems import DATABASE_READ_ONLY, Problem, Unavailable
from services.kit.rpc.operation import ANONYMOUS
from services.kit.rpc.request import Caller

CHECK_SECONDS = 30
"""How long a cached session is used without asking membership; the event that it ended applies at once."""
GRACE_SECONDS = 5 * 60
"""How long a cached session is used while membership does not answer."""
BACKGROUND = "X-Background"
"""The header of a page's background requests, which do not keep a session from becoming idle."""

_REMEMBER_ENDS_SECONDS = 60
_COOKIES_REMEMBERED = 10_000
"""Whose signature is not verified anew; a forged one is never among them."""


@dataclass(frozen=True)
class Session:
    """A signed-in caller; `ends_at` is in seconds since 1970 and is extended with each use."""

    session_id: str
    caller: Caller
    ends_at: float


@dataclass(frozen=True)
class _CachedSession:
    """A cached session with its account, if known; when membership was asked, and when a use was reported to it."""

    session: Session
    checked_at: float
    use_reported_at: float
    account: Any = None

    def is_fresh(self, now: float, since: float, seconds: float) -> bool:
        """Whether the cache is valid for `seconds` from `since`.

        A limited session is never cached: another process may have completed its sign-in.
        """
        return now - since < seconds and now < self.session.ends_at and LIMITED not in self.session.caller.roles


class Sessions:
    """The sessions that this process caches; `now` returns seconds since 1970."""

    def __init__(self, secret: str, *, secure: bool, now: Callable[[], float] = time.time) -> None:
        self._signer = URLSafeSerializer(secret, salt="session", signer_kwargs={"digest_method": hashlib.sha256})
        self._verified = lru_cache(_COOKIES_REMEMBERED)(self._signer.loads)
        self._secure = secure
        self._now = now
        self._known: dict[str, _CachedSession] = {}
        self._ended: dict[str, float] = {}

    @property
    def cookie(self) -> str:
        """The cookie's name; with its prefix, browsers accept it from this host over HTTPS only."""
        return "__Host-session" if self._secure else "session"

    def find(self, request: Request, membership: Any) -> Session | None:
        """Returns the session of a request; None if the cookie is missing or forged, or the session has ended.

        Raises Unavailable if membership does not answer and the session is not cached.
        """
        session_id = self.id_in(request)
        if session_id is None:
            return None
        known = self._known.get(session_id)
        is_use = _is_use(request)
        since = 0.0 if known is None else known.use_reported_at if is_use else known.checked_at
        if known is None or not known.is_fresh(self._now(), since, CHECK_SECONDS):
            known = self._ask(session_id, request, membership, "use_session" if is_use else "look_at_session")
        if known is None:
            return None
        return replace(known.session, caller=replace(known.session.caller, origin=request.remote_addr))

    def id_in(self, request: Request) -> str | None:
        """Returns the session id in the cookie, ended or not; None if the cookie is missing or forged."""
        try:
            return str(self._verified(request.cookies.get(self.cookie, "")))
        except BadSignature:
            return None

    def start(self, response: Response, answer: Mapping[str, Any]) -> None:
        """Sets the cookie for a session that membership started (SessionAnswer)."""
        session = _session_of(answer)
        self._known[session.session_id] = _CachedSession(session, self._now(), self._now())
        response.set_cookie(self.cookie, str(self._signer.dumps(session.session_id)), **self._attributes())

    def end(self, response: Response) -> None:
        """Deletes the browser's cookie."""
        response.delete_cookie(self.cookie, **self._attributes())

    def forget(self, session_ids: Iterable[str]) -> None:
        """Drops these sessions from the cache and ignores answers about them that are on their way."""
        for session_id in session_ids:
            self._known.pop(session_id, None)
            self._ended[session_id] = self._now()

    def account_of(self, session: Session) -> Any:
        """Returns the account (AccountAnswer) that was remembered since membership was last asked for the session."""
        known = self._known.get(session.session_id)
        return None if known is None else known.account

    def remember_account(self, session: Session, account: Any) -> None:
        """Caches the account (AccountAnswer) of a session, unless that is limited; None drops it."""
        known = self._known.get(session.session_id)
        if known is not None and LIMITED not in session.caller.roles:
            self._known[session.session_id] = replace(known, account=account)

    def _ask(self, session_id: str, request: Request, membership: Any, method: str) -> _CachedSession | None:
        known, now = self._known.get(session_id), self._now()
        self._forget_old(now)
        caller = Caller(roles=frozenset({ANONYMOUS}), origin=request.remote_addr)
        try:
            session = _session_of(membership.call(method, caller, {"session_id": session_id}))
        except Unavailable as problem:
            if known and known.is_fresh(now, known.checked_at, GRACE_SECONDS):
                return known
            if problem.code == DATABASE_READ_ONLY and method == "use_session":
                return self._ask(session_id, request, membership, "look_at_session")
            raise
        except Problem as problem:
            if problem.status != 401:
                raise
            self.forget([session_id])
            return None
        if session_id in self._ended:
            return None
        use_reported_at = now if method == "use_session" else known.use_reported_at if known else 0.0
        self._known[session_id] = known = _CachedSession(session, now, use_reported_at)
        return known

    def _forget_old(self, now: float) -> None:
        self._known = {name: one for name, one in self._known.items() if now - one.checked_at < GRACE_SECONDS}
        self._ended = {name: at for name, at in self._ended.items() if now - at < _REMEMBER_ENDS_SECONDS}

    def _attributes(self) -> dict[str, Any]:
        return {"secure": self._secure, "httponly": True, "samesite": "Strict", "path": "/"}


def _is_use(request: Request) -> bool:
    """Whether a request counts as use of the session; streams and background requests do not."""
    return BACKGROUND not in request.headers and "text/event-stream" not in request.headers.get("Accept", "")


def _session_of(answer: Mapping[str, Any]) -> Session:
    ends_at = datetime.fromisoformat(answer["ends_at"]).timestamp()
    return Session(answer["session_id"], Caller.from_dict(answer["caller"]), ends_at)
