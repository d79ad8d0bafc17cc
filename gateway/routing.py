"""From a request to its route and back: checked, answered, and every trouble told as a problem document."""

import time
from collections.abc import Iterable

import structlog
from prometheus_client import Histogram
from structlog.contextvars import bound_contextvars
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from gateway import policy
from gateway.answers import http_error_answer, problem_answer
from gateway.routes import Backends, Exchange, Route
from gateway.sessions import Session
from services.common.messaging.envelope import correlation, new_message_id
from services.common.problems import Problem

log = structlog.get_logger()

_request_seconds = Histogram(
    "http_request_seconds", "Requests until their answer began.", ["method", "route", "status"]
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Said with every answer that does not say otherwise: answers hold personal data, and none of them is a page."""


class Router:
    """Answers requests by the routes declared."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._map = Map(
            [Rule(route.path, methods=[route.method], endpoint=route) for route in routes], merge_slashes=False
        )

    def answer(self, request: Request, backends: Backends) -> Response:
        """The answer to a request; never raises."""
        started = time.perf_counter()
        correlation_id = new_message_id()
        correlation.set(correlation_id)
        session = backends.sessions.read(request)
        with bound_contextvars(correlation_id=correlation_id):
            route, response = self._answer_or_problem(request, session, backends)
            response.headers["X-Correlation-Id"] = correlation_id
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            _record(request, route, session, response, time.perf_counter() - started)
        return response

    def _answer_or_problem(
        self, request: Request, session: Session | None, backends: Backends
    ) -> tuple[Route | None, Response]:
        route: Route | None = None
        try:
            route, path_values = self._find(request)
            policy.check_origin(request)
            policy.check_roles(route.roles, session.caller if session else None)
            response = route.respond(Exchange(request, route, path_values, session, backends))
            if session and _counts_as_use(response):
                backends.sessions.renew(response, session)
        except Problem as problem:
            response = problem_answer(problem, request.path)
        except HTTPException as error:
            response = http_error_answer(error, request.path)
        except Exception:
            log.exception("request_failed", method=request.method, route=route and route.template)
            response = problem_answer(
                Problem("internal_error", 500, "系统内部错误", "请稍后重试；如仍有问题，请提供本次请求的编号。"),
                request.path,
            )
        return route, response

    def _find(self, request: Request) -> tuple[Route, dict[str, str]]:
        """The route, and the values in the path as text. Raises HTTP errors 404 and 405."""
        route, values = self._map.bind("").match(request.path, request.method)
        return route, {name: str(value) for name, value in values.items()}


def _counts_as_use(response: Response) -> bool:
    """A page that only listens is not in use, and who signs in or out has just said what the cookie is to be."""
    return response.mimetype != "text/event-stream" and "Set-Cookie" not in response.headers


def _record(request: Request, route: Route | None, session: Session | None, response: Response, seconds: float) -> None:
    """The access line and the metric name the route, never the address: that may hold personal data."""
    template = route.template if route else "unknown"
    method = request.method if route else "any"
    _request_seconds.labels(method, template, response.status_code).observe(seconds)
    log.info(
        "request",
        method=request.method,
        route=template,
        status=response.status_code,
        ms=round(seconds * 1000, 1),
        account_id=session.caller.account_id if session else None,
    )
