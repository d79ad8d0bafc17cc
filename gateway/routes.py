"""Declares routes: method, path, operation, schemas, and the function that answers; `gateway.api` lists them."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Protocol

from werkzeug.wrappers import Request, Response

from gateway import reading
from gateway.answers import file_download, json_answer, no_content
from gateway.captchas import Captchas
from gateway.devices import Devices
from gateway.limits import Limits
from gateway.policy import NotSignedIn
from gateway.sessions import Session, Sessions
from gateway.stream import Streams
from services.contracts.operations.membership.members import COUNT_NUMBER_SEARCH
from services.kit.problems import invalid_fields
from services.kit.rpc.methods import Caller
from services.kit.rpc.operation import ANONYMOUS, Operation, Permission, query
from services.kit.schemas import schema_of

_PATH_VALUE = re.compile(r"<(?:\w+:)?(\w+)>")
WITHOUT_BODY = frozenset({"GET", "DELETE"})
_NO_CONTENT = 204


class Service(Protocol):
    """A service that can be called."""

    def call(
        self,
        name: str,
        caller: Caller,
        data: dict[str, Any],
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> Any:
        """Returns the service's answer; raises Problem."""


@dataclass(frozen=True)
class Dependencies:
    """What routes need to answer: services, sessions, streams, limits and settings."""

    services: Mapping[str, Service]
    captchas: Captchas
    devices: Devices
    sessions: Sessions
    streams: Streams
    not_ready: Callable[[], list[str]]
    """Returns what keeps this process from working; empty when it is ready."""
    limits: Limits
    hosts: frozenset[str] = frozenset()
    """The host names that browsers may use; empty allows any."""
    by_https: bool = False
    """Whether browsers must use HTTPS."""

    def forget_sessions(self, session_ids: Collection[str]) -> None:
        """Drops these sessions and ends their streams."""
        self.sessions.forget(session_ids)
        self.streams.end_sessions(session_ids)


@dataclass(frozen=True)
class RequestContext:
    """One HTTP request with its route, path values and session."""

    request: Request
    route: "Route"
    path_values: dict[str, str]
    session: Session | None
    dependencies: Dependencies

    @property
    def caller(self) -> Caller:
        """The caller; anonymous if nobody is signed in, and on a public route."""
        return self.session.caller if self.session else Caller(origin=self.request.remote_addr)

    @property
    def signed_in(self) -> Session:
        """The session, on a route that requires one; raises Problem 401."""
        if self.session is None:
            raise NotSignedIn
        return self.session

    def find_session(self) -> Session | None:
        """Looks the session up on a public route; raises Unavailable."""
        return self.dependencies.sessions.find(self.request, self.dependencies.services["membership"])

    def switch_session(self, response: Response, session: Mapping[str, Any]) -> None:
        """Replaces the browser's session by a new one (SessionAnswer)."""
        self.dependencies.forget_sessions([self.signed_in.session_id])
        self.dependencies.sessions.start(response, session)

    @property
    def device_id(self) -> str | None:
        """The device that the browser's cookie names, if the cookie is ours."""
        return self.dependencies.devices.id_in(self.request)

    def visit(self, device_id: str | None) -> dict[str, Any]:
        """Returns what membership stores about a browser that signs in (Visit)."""
        return {
            "device_id": device_id,
            "user_agent": self.request.headers.get("User-Agent"),
            "replaces": self.dependencies.sessions.id_in(self.request),
        }

    def read(self) -> dict[str, Any]:
        """Returns the request's data from path and query, body or uploaded file, checked by the route's schema.

        Raises Problem 422.
        """
        if self.route.request is None:
            return {}
        if self.route.uploads:
            return self.complete(reading.read_upload(self.request))
        if self.route.method in WITHOUT_BODY:
            return self.complete(reading.read_query(self.request, self.route.request))
        limit = self.route.body_limit if self.session else self.route.anonymous_limit
        return self.complete(reading.read_json(self.request, limit))

    def complete(self, values: dict[str, Any]) -> dict[str, Any]:
        """Adds the values of path and route to `values` and checks all by the route's schema; raises Problem 422.

        The values are returned as received: the service loads them by the same schema.
        """
        own = {**self.path_values, **self.route.fixed}
        if own.keys() & values.keys():
            raise invalid_fields(dict.fromkeys(own.keys() & values.keys(), "Unknown field."))
        data = {**values, **own}
        if self.route.request is not None:
            reading.check_request(self.route.request, data)
        return data

    def call(self, operation: Operation[Any, Any], data: dict[str, Any]) -> Any:
        """Calls an operation of a service and returns its answer; raises Problem."""
        request_id = reading.read_request_id(self.request) if self.route.needs_idempotency_key else None
        return self.dependencies.services[operation.service].call(
            operation.method, self.caller, data, request_id=request_id, deadline=self.route.deadline
        )


Respond = Callable[[RequestContext], Response]


@dataclass(frozen=True, kw_only=True, eq=False)
class Route:
    """One method on one path, with everything that the gateway knows about it.

    `operation` declares who may use the route, its request (path, query or body, and `fixed` values together) and its
    answer. A route has its own `request` or `answer` where browsers send or get something else than the service does: a
    dataclass, or the content type of an answer that is not JSON. `deadline` is in seconds (default: the RPC client's),
    `body_limit` in bytes, `anonymous_limit` that of those who are not signed in. A command that `has_secrets`, such as
    passwords, takes no Idempotency-Key: nothing of it may be stored. `is_unlimited` exempts what monitors call every
    few seconds from rate limits. `reads_session` marks a public route that answers more to those signed in.
    """

    method: str
    path: str
    operation: Operation[Any, Any]
    summary: str
    respond: Respond
    request: Any = None
    answer: Any = None
    status: int = 200
    fixed: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None
    body_limit: int = reading.JSON_LIMIT
    anonymous_limit: int = reading.ANONYMOUS_LIMIT
    uploads: bool = False
    has_secrets: bool = False
    is_unlimited: bool = False
    reads_session: bool = False

    def __post_init__(self) -> None:
        operation = self.operation
        request = operation.request if self.request is None else self.request
        answer = operation.answer if self.answer is None and self.status != _NO_CONTENT else self.answer
        for name, declared in (("request", request), ("answer", answer)):
            object.__setattr__(
                self, name, schema_of(declared) if isinstance(declared, type) and is_dataclass(declared) else declared
            )

    @property
    def allowed_by(self) -> str:
        """The name of the operation."""
        return self.operation.name

    @property
    def rule(self) -> Permission:
        """Who may use the route."""
        return self.operation.allow

    @property
    def is_public(self) -> bool:
        """Whether everybody may use the route; the session is then looked up only if it `reads_session`."""
        return ANONYMOUS in self.rule.roles

    @property
    def needs_idempotency_key(self) -> bool:
        """Whether the route reads the header Idempotency-Key: commands of those signed in do."""
        return self.method != "GET" and not self.is_public and not self.has_secrets

    @property
    def kind(self) -> str | None:
        """The rate limit that applies; sensitive are commands with secrets and those that need no sign-in."""
        if self.is_unlimited:
            return None
        if self.uploads or (isinstance(self.answer, str) and self.answer != "text/event-stream"):
            return "files"
        if self.method == "GET":
            return "reads"
        return "writes" if self.needs_idempotency_key else "sensitive"

    @property
    def path_names(self) -> list[str]:
        """The names of the path's parameters."""
        return _PATH_VALUE.findall(self.path)

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it: `/api/v1/members/{member_id}`."""
        return _PATH_VALUE.sub(r"{\1}", self.path)


def gateway_query(method: str, allow: Permission) -> Operation[Any, Any]:
    """Declares a query that the gateway answers itself."""
    operation: Operation[Any, Any] = query(f"gateway.{method}", allow=allow)
    return operation


def route(method: str, path: str, operation: Operation[Any, Any], **properties: Any) -> Callable[[Respond], Route]:
    """Returns a decorator that makes a function the route's answer; `properties` are those of Route."""
    return lambda respond: Route(method=method, path=path, operation=operation, respond=respond, **properties)


def rpc_route(
    method: str,
    path: str,
    operation: Operation[Any, Any],
    *,
    location: str | None = None,
    counts_number_search: bool = False,
    **properties: Any,
) -> Route:
    """Returns a route that calls one operation of a service and passes its answer on.

    `location` is the template of the path at which a created resource can be read, filled from the answer. With
    `counts_number_search`, for searches by document number outside membership, membership counts the search first and
    may refuse it.
    """

    def respond(context: RequestContext) -> Response:
        data = context.read()
        if counts_number_search and "document_number" in data:
            search = {"document_number": data["document_number"], "place": operation.name}
            context.call(COUNT_NUMBER_SEARCH, search)
        answer = context.call(operation, data)
        if context.route.status == _NO_CONTENT:
            return no_content()
        return json_answer(answer, context.route.status, location and location.format_map(answer))

    return Route(method=method, path=path, operation=operation, respond=respond, **properties)


def file_route(path: str, operation: Operation[Any, Any], *, content_type: str, **properties: Any) -> Route:
    """Returns a route that downloads the FileAnswer of an operation."""

    def respond(context: RequestContext) -> Response:
        return file_download(context.call(operation, context.read()))

    return Route(method="GET", path=path, operation=operation, respond=respond, answer=content_type, **properties)
