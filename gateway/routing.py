"""Finds the route of a request, checks the request and answers it; every error becomes a problem document."""

import time
from collections.abc import Iterable

import structlog
from opentelemetry.trace import SpanKind
from prometheus_client import Histogram
from structlog.contextvars import bound_contextvars
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from gateway import policy
from gateway.answers import count_answer, http_error_answer, problem_answer
from gateway.headers import secure
from gateway.limits import Allowance, TooManyRequests
from gateway.pages import PagePath
from gateway.routes import Dependencies, RequestContext, Route
from gateway.sessions import Session
from services.kit.events.envelope import correlation, new_message_id
from services.kit.operations.metrics import busy_worker
from services.kit.operations.tracing import TRACEPARENT, span
from services.kit.problems import Problem

log = structlog.get_logger()

_request_seconds = Histogram(
    "http_request_seconds", "Requests until their answer began.", ["method", "route", "status"]
)


class Router:
    """Answers requests by the declared routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._map = Map(
            [Rule(route.path, methods=[route.method], endpoint=route) for route in routes],
            merge_slashes=False,
            converters={"page": PagePath},
        )

    def answer(self, request: Request, dependencies: Dependencies) -> Response:
        """Returns the response to a request; never raises."""
        started = time.perf_counter()
        correlation_id = new_message_id()
        correlation.set(correlation_id)
        received = request.headers.get(TRACEPARENT)
        with (
            busy_worker(),
            span(f"HTTP {request.method}", SpanKind.SERVER, received, correlation_id) as work,
            bound_contextvars(correlation_id=correlation_id),
        ):
            route, session, response = self._answer_or_problem(request, dependencies)
            work.update_name(f"{request.method} {route.template if route else 'unknown'}")
            work.set_attribute("http.response.status_code", response.status_code)
            response.headers["X-Correlation-Id"] = correlation_id
            secure(response, by_https=dependencies.by_https)
            _record(request, route, session, response, time.perf_counter() - started)
        return response

    def _answer_or_problem(
        self, request: Request, dependencies: Dependencies
    ) -> tuple[Route | None, Session | None, Response]:
        route: Route | None = None
        session: Session | None = None
        allowances: list[Allowance] = []
        try:
            policy.check_host(request, dependencies.hosts)
            route, path_values = self._find(request)
            _count(allowances, dependencies.limits.count_address(route.kind, request.remote_addr))
            policy.check_origin(request)
            if route.reads_session or not route.is_public:
                session = dependencies.sessions.find(request, dependencies.services["membership"])
                _count(allowances, dependencies.limits.count_account(route.kind, session.caller if session else None))
                policy.check_account(request, session.caller if session else None)
            policy.check_roles(route.rule, session.caller if session else None)
            response = route.respond(RequestContext(request, route, path_values, session, dependencies))
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
        if session and request.method not in policy.SAFE_METHODS:
            dependencies.sessions.remember_account(session, None)
        if allowances:
            response.headers.update(min(allowances).headers)
        return route, session, response

    def _find(self, request: Request) -> tuple[Route, dict[str, str]]:
        """Returns the route and the path's values as text; raises HTTP errors 404 and 405."""
        route, values = self._map.bind("").match(request.path, request.method)
        return route, {name: str(value) for name, value in values.items()}


def _count(allowances: list[Allowance], allowance: Allowance | None) -> None:
    """Adds an allowance to the list; raises TooManyRequests if it is spent."""
    if allowance:
        allowances.append(allowance)
        if allowance.is_exceeded:
            raise TooManyRequests(allowance.seconds)


def _record(request: Request, route: Route | None, session: Session | None, response: Response, seconds: float) -> None:
    """Logs and counts the request by its route, never by its URL, which may hold personal data."""
    template = route.template if route else "unknown"
    method = request.method if route else "any"
    if route is None or not route.is_unlimited:
        count_answer(response.status_code)
    _request_seconds.labels(method, template, response.status_code).observe(seconds)
    log.info(
        "request",
        method=request.method,
        route=template,
        status=response.status_code,
        ms=round(seconds * 1000, 1),
        account_id=session.caller.account_id if session else None,
        origin=request.remote_addr,
    )
