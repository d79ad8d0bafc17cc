"""HTTP server of the simulators: JSON, by a table of routes with one function each.

It listens on the loopback address, or on that of SIMULATOR_HOST, which is 0.0.0.0 in a container.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError
from werkzeug.routing import Map, Rule
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from services.kit import strict_json
from services.kit.settings import SettingsError, values_of

Route = Callable[..., Any]
"""Takes the request and the path's parts by name; returns a Response, or a value to send as JSON with status 200."""


def server(port: int, routes: Mapping[str, Route]) -> BaseWSGIServer:
    """Returns a server for routes such as `PUT /control`; port 0 takes a free one. `serve_forever` makes it answer."""
    host = os.environ.get("SIMULATOR_HOST") or "127.0.0.1"
    return make_server(host, port, _application(routes), threaded=True, request_handler=_Quiet)


def serve(simulator: BaseWSGIServer) -> None:
    """Prints the port and answers until the process ends."""
    print(json.dumps({"event": "listening", "what": "http", "port": simulator.port}), flush=True)
    simulator.serve_forever()


def port_of(variable: str) -> int:
    """Returns the port that a variable names. Raises SettingsError."""
    values_of(variable)
    return number_of(variable, 0)


def number_of(variable: str, default: int) -> int:
    """Returns the whole number in a variable, or the default where it is not set. Raises SettingsError."""
    text = os.environ.get(variable) or str(default)
    if not text.isdecimal():
        raise SettingsError(f"Settings in the environment: {variable} is not a whole number.")
    return int(text)


def json_response(value: Any, status: int = 200) -> Response:
    """Returns a value as a JSON response."""
    return Response(json.dumps(value, ensure_ascii=False, default=str), status, content_type="application/json")


def read_json(request: Request, schema: Schema) -> Any:
    """Loads the request's body by a schema; raises ValidationError, which is answered with 422."""
    return schema.load(strict_json.read_json(request.get_data() or b"{}"))


class _Quiet(WSGIRequestHandler):
    """Keeps connections open and logs no requests."""

    disable_nagle_algorithm = True

    def log_request(self, *_: object) -> None:
        """Logs nothing: under load the log would only count requests."""


def _application(routes: Mapping[str, Route]) -> Callable[..., Iterable[bytes]]:
    rules = Map()
    for name, route in routes.items():
        method, path = name.split(" ")
        rules.add(Rule(path, methods=[method], endpoint=route))

    @Request.application
    def application(request: Request) -> Response:
        request.get_data()  # an unread body would be taken for the connection's next request
        route, parts = rules.bind_to_environ(request.environ).match()
        try:
            answer = route(request, **parts)
        except ValidationError as error:
            return json_response({"errors": error.messages}, 422)
        except ValueError:
            return json_response({"errors": "The body is not JSON."}, 400)
        return answer if isinstance(answer, Response) else json_response(answer)

    return application
