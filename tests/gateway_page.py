"""The gateway without a network: its routes, sessions and streams, with fake services whose answers a test sets."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from gateway.captchas import IMAGE, Captchas
from gateway.devices import Devices
from gateway.limits import KINDS, Budget, Limits
from gateway.proof_of_work import solve
from gateway.routes import Dependencies, Route
from gateway.routing import Router
from gateway.sessions import Session, Sessions
from gateway.stream import Streams
from services.kit.rpc.methods import Caller

SESSION_ID = "0192f0c1-0000-4000-8000-0000000000ff"
UNION_ID = "0192f0c1-0000-7000-8000-000000000001"
NO_LIMIT = Budget(0, 0)
SUPERIOR_UNION_ID = "0192f0c1-0000-7000-8000-000000000002"


@dataclass(frozen=True)
class Call:
    """A call to a service."""

    name: str
    caller: Caller
    data: dict[str, Any]
    request_id: str | None
    deadline: float | None


@dataclass
class FakeService:
    """A service that answers by `answers`: a value, an error to raise, or a function of the data."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def call(
        self,
        name: str,
        caller: Caller,
        data: dict[str, Any],
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> Any:
        self.calls.append(Call(name, caller, data, request_id, deadline))
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer(data) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]


class Clock:
    """A clock that tests advance; seconds since 1970."""

    def __init__(self) -> None:
        self.seconds = 1_750_000_000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


class Page(Client):
    """A browser at the gateway; `services` are the fake services, `clock` is the time."""

    def __init__(self, routes: Iterable[Route], *, secure: bool = False) -> None:
        self.clock = Clock()
        self.services = {
            name: FakeService() for name in ("membership", "validation", "batching", "revocation", "notification")
        }
        self.not_ready: list[str] = []
        self.captchas = Captchas("secret of the tests", bits=4, now=self.clock)
        self.devices = Devices("secret of the tests", secure=secure)
        self.sessions = Sessions("secret of the tests", secure=secure, now=self.clock)
        self.streams = Streams(now=self.clock)
        self.limits = Limits(dict.fromkeys(KINDS, NO_LIMIT), now=self.clock)
        self.hosts: frozenset[str] = frozenset()
        self.by_https = secure
        self._router = _router(tuple(routes))
        super().__init__(self._app)

    def sign_in_as(self, *roles: str, **changes: Any) -> Caller:
        """Gives the browser a session, as signing in does."""
        caller = a_caller(roles, **changes)
        response = Response()
        begun = self.a_session_of(caller)
        self.services["membership"].answers |= {"use_session": begun, "look_at_session": begun}
        self.sessions.start(response, begun)
        self.set_cookie(*response.headers["Set-Cookie"].partition(";")[0].split("=", 1))
        return caller

    def answered_captcha(self, purpose: str = "sign_in", kind: str = IMAGE, level: int = 0) -> dict[str, str]:
        """Returns a form's fields of a captcha with the right answer and its proof of work."""
        made = self.captchas.make(kind, purpose, level)
        work = solve(made.puzzle.salt, made.puzzle.bits)
        return {"captcha_id": made.token, "captcha_answer": made.puzzle.answer, "proof_of_work": work}

    def a_session_of(self, caller: Caller) -> dict[str, Any]:
        """Returns membership's answer about a session that was just used (SessionAnswer)."""
        return a_session_answer(caller, self.clock.seconds + 1800)

    def _app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        dependencies = Dependencies(
            self.services,
            self.captchas,
            self.devices,
            self.sessions,
            self.streams,
            lambda: self.not_ready,
            self.limits,
            hosts=self.hosts,
            by_https=self.by_https,
        )
        return self._router.answer(Request(environ), dependencies)(environ, start_response)


@cache
def _router(routes: tuple[Route, ...]) -> Router:
    """Returns a router, cached by its routes since it is slow to make."""
    return Router(routes)


def a_caller(roles: Sequence[str] = ("clerk",), **changes: Any) -> Caller:
    """Returns a caller of a grassroots union."""
    facts: dict[str, Any] = {
        "account_id": "0192f0c1-0000-7000-8000-0000000000aa",
        "account_name": "jianlang",
        "display_name": "王",
        "roles": frozenset(roles),
        "union_id": UNION_ID,
        "union_code": "81310110MC0000000X",
        "union_name": "上海建朗信息科技有限公司工会",
        "superior_union_id": SUPERIOR_UNION_ID,
        "superior_ids": (SUPERIOR_UNION_ID,),
        "session_id": SESSION_ID,
    }
    return Caller(**{**facts, **changes})


def a_session(roles: Sequence[str] = ("clerk",), now: float = 1_750_000_000.0, **changes: Any) -> Session:
    """Returns a session that has just started."""
    return Session(SESSION_ID, a_caller(roles, **changes), now + 1800)


def a_session_answer(caller: Caller, ends_at: float) -> dict[str, Any]:
    """Returns a session as membership answers it (SessionAnswer)."""
    return {
        "session_id": caller.session_id,
        "caller": caller.to_dict(),
        "ends_at": datetime.fromtimestamp(ends_at, UTC).isoformat(),
    }


def a_cookie(secret: str, session_id: str = SESSION_ID) -> str:
    """Returns a session's cookie, `session=...`, as a demo gateway with this secret sets it."""
    response = Response()
    Sessions(secret, secure=False).start(response, a_session_answer(a_caller(session_id=session_id), 0))
    return response.headers["Set-Cookie"].partition(";")[0]
