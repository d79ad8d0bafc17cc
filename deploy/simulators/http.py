"""JSON over HTTP on the loopback address for the simulators: a table of routes, each answered by one function."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from services.kit import strict_json

Route = Callable[..., Any]
"""Takes the request and the path's parts by name; answers a Response or what is to be sent as JSON with status 200."""


def server(port: int, routes: Mapping[str, Route]) -> BaseWSGIServer:
    """A server for routes written as `PUT /control`; port 0 takes a free one. Answers once `serve_forever` runs."""
    return make_server("127.0.0.1", port, _application(routes), threaded=True, request_handler=_Quiet)


def serve(simulator: BaseWSGIServer) -> None:
    """Answers until the process ends; its port, which may have been given as 0, is printed first."""
    print(json.dumps({"event": "listening", "what": "http", "port": simulator.port}), flush=True)
    simulator.serve_forever()


def json_response(value: Any, status: int = 200) -> Response:
    """A value as a JSON document."""
    return Response(json.dumps(value, ensure_ascii=False, default=str), status, content_type="application/json")


def read_json(request: Request, schema: Schema) -> Any:
    """What the request's body holds by the schema; raises ValidationError, which is answered with 422."""
    return schema.load(strict_json.read_json(request.get_data() or b"{}"))


class _Quiet(WSGIRequestHandler):
    """Keeps connections open and says nothing about each request."""

    disable_nagle_algorithm = True

    def log_request(self, *_: object) -> None:
        """A simulator under load would only tell how often it was asked."""


def _application(routes: Mapping[str, Route]) -> Callable[..., Iterable[bytes]]:
    rules = Map()
    for name, route in routes.items():
        method, path = name.split(" ")
        rules.add(Rule(path, methods=[method], endpoint=route))

    @Request.application
    def application(request: Request) -> Response:
        request.get_data()  # a body left unread would be taken for the next request of the connection
        route, parts = rules.bind_to_environ(request.environ).match()
        try:
            answer = route(request, **parts)
        except ValidationError as error:
            return json_response({"errors": error.messages}, 422)
        except ValueError:
            return json_response({"errors": "The body is not JSON."}, 400)
        return answer if isinstance(answer, Response) else json_response(answer)

    return application
