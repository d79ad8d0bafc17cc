"""How routes are declared: method, path, roles, schemas, and who answers. A resource's routes read as a table."""

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
    """A service that can be asked."""

    def call(
        self,
        name: str,
        caller: Caller,
        data: dict[str, Any],
        request_id: str | None = None,
        deadline: float | None = None,
    ) -> Any:
        """The service's answer; raises Problem."""


@dataclass(frozen=True)
class Dependencies:
    """What answers are made from."""

    services: Mapping[str, Service]
    captchas: Captchas
    devices: Devices
    sessions: Sessions
    streams: Streams
    not_ready: Callable[[], list[str]]
    """What keeps this process from working; empty where nothing does."""
    limits: Limits
    hosts: frozenset[str] = frozenset()
    """The names by which browsers may call; any where it is empty."""
    by_https: bool = False
    """Whether browsers are to come by HTTPS alone."""

    def forget_sessions(self, session_ids: Collection[str]) -> None:
        """Lets nobody act or listen in these sessions any more."""
        self.sessions.forget(session_ids)
        self.streams.cut(session_ids)


@dataclass(frozen=True)
class RequestContext:
    """One request that its route is to answer."""

    request: Request
    route: "Route"
    path_values: dict[str, str]
    session: Session | None
    dependencies: Dependencies

    @property
    def caller(self) -> Caller:
        """Who asks; somebody anonymous when nobody is signed in, and on a route that is for everybody."""
        return self.session.caller if self.session else Caller(origin=self.request.remote_addr)

    @property
    def signed_in(self) -> Session:
        """The session, on a route that is for those signed in; raises Problem 401."""
        if self.session is None:
            raise NotSignedIn
        return self.session

    def find_session(self) -> Session | None:
        """The session, on a route that is for everybody; raises Unavailable."""
        return self.dependencies.sessions.find(self.request, self.dependencies.services["membership"])

    def go_on_in(self, response: Response, begun: Mapping[str, Any]) -> None:
        """Gives the browser the session that takes the place of the one that it acted in (SessionAnswer)."""
        self.dependencies.forget_sessions([self.signed_in.session_id])
        self.dependencies.sessions.start(response, begun)

    @property
    def device_id(self) -> str | None:
        """The device that the browser's cookie names, if it has one of ours."""
        return self.dependencies.devices.id_in(self.request)

    def visit(self, device_id: str | None) -> dict[str, Any]:
        """What membership keeps of a browser that signs in (Visit)."""
        return {
            "device_id": device_id,
            "user_agent": self.request.headers.get("User-Agent"),
            "replaces": self.dependencies.sessions.id_in(self.request),
        }

    def read(self) -> dict[str, Any]:
        """What the route's schema asks for, from the path and the query or body; raises Problem 422."""
        if self.route.request is None:
            return {}
        if self.route.method in WITHOUT_BODY:
            return self.complete(reading.read_query(self.request, self.route.request))
        limit = self.route.body_limit if self.session else min(self.route.body_limit, reading.ANONYMOUS_LIMIT)
        return self.complete(reading.read_json(self.request, limit))

    def complete(self, given: dict[str, Any]) -> dict[str, Any]:
        """`given` and the values that path and route give, checked by the route's schema; raises Problem 422.

        The values stay as they came: the service loads them by the same schema.
        """
        own = {**self.path_values, **self.route.fixed}
        if own.keys() & given.keys():
            raise invalid_fields(dict.fromkeys(own.keys() & given.keys(), "Unknown field."))
        data = {**given, **own}
        if self.route.request is not None:
            reading.check_request(self.route.request, data)
        return data

    def ask(self, operation: Operation[Any, Any], data: dict[str, Any]) -> Any:
        """What the service answers; raises Problem."""
        request_id = reading.read_request_id(self.request) if self.route.takes_key else None
        return self.dependencies.services[operation.service].call(
            operation.method, self.caller, data, request_id=request_id, deadline=self.route.deadline
        )


Respond = Callable[[RequestContext], Response]


@dataclass(frozen=True, kw_only=True, eq=False)
class Route:
    """One method on one path, and everything that is to be known about it.

    `operation` says who may use it, what path, query or body and `fixed` give together, and what is answered. The route
    names its own `request` or `answer` where browsers send or get another than the service: a dataclass, or the content
    type of an answer that is not JSON. `deadline` is in seconds, without one the client's own counts; `body_limit` in
    bytes. Of a command that `has_secrets`, such as passwords, no trace may be kept: it takes no Idempotency-Key. What
    monitors ask every few seconds `is_unlimited`. What is for everybody, but tells more to those signed in,
    `knows_callers`.
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
    uploads: bool = False
    has_secrets: bool = False
    is_unlimited: bool = False
    knows_callers: bool = False

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
        """Who may use it."""
        return self.operation.allow

    @property
    def is_public(self) -> bool:
        """Whether it is for everybody: then nobody asks who comes, unless it `knows_callers`."""
        return ANONYMOUS in self.rule.roles

    @property
    def takes_key(self) -> bool:
        """Whether the header Idempotency-Key counts: for commands of those signed in."""
        return self.method != "GET" and not self.is_public and not self.has_secrets

    @property
    def kind(self) -> str | None:
        """What it counts as among the limits; sensitive are commands with secrets and those that need no sign-in."""
        if self.is_unlimited:
            return None
        if self.uploads or (isinstance(self.answer, str) and self.answer != "text/event-stream"):
            return "files"
        if self.method == "GET":
            return "reads"
        return "writes" if self.takes_key else "sensitive"

    @property
    def path_names(self) -> list[str]:
        """The names of the values in the path."""
        return _PATH_VALUE.findall(self.path)

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it: `/api/v1/members/{member_id}`."""
        return _PATH_VALUE.sub(r"{\1}", self.path)


def gateway_query(method: str, allow: Permission) -> Operation[Any, Any]:
    """Declares what the gateway answers itself."""
    operation: Operation[Any, Any] = query(f"gateway.{method}", allow=allow)
    return operation


def route(method: str, path: str, operation: Operation[Any, Any], **properties: Any) -> Callable[[Respond], Route]:
    """Makes the function that follows the route's answer; `properties` are those of Route."""
    return lambda respond: Route(method=method, path=path, operation=operation, respond=respond, **properties)


def rpc_route(
    method: str,
    path: str,
    operation: Operation[Any, Any],
    *,
    location: str | None = None,
    tells_of_numbers: bool = False,
    **properties: Any,
) -> Route:
    """A route that calls one operation of a service and answers what that answers.

    `location` is a template of the path at which what was created can be read, filled from the answer. Where another
    service than membership `tells_of_numbers`, membership counts the search first, or refuses it.
    """

    def respond(context: RequestContext) -> Response:
        data = context.read()
        if tells_of_numbers and "document_number" in data:
            sought = {"document_number": data["document_number"], "place": operation.name}
            context.ask(COUNT_NUMBER_SEARCH, sought)
        answer = context.ask(operation, data)
        if context.route.status == _NO_CONTENT:
            return no_content()
        return json_answer(answer, context.route.status, location and location.format_map(answer))

    return Route(method=method, path=path, operation=operation, respond=respond, **properties)


def file_route(path: str, operation: Operation[Any, Any], *, content_type: str, **properties: Any) -> Route:
    """A route that downloads the FileAnswer of an operation."""

    def respond(context: RequestContext) -> Response:
        return file_download(context.ask(operation, context.read()))

    return Route(method="GET", path=path, operation=operation, respond=respond, answer=content_type, **properties)
