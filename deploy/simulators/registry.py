"""A simulated retirement registry that knows the persons that it received, and fails on demand.

`python -m deploy.simulators.registry` listens on REGISTRY_PORT. The registry's own interface is POST /v1/retirement;
everything under /control is for tests and demonstrations. Nothing in it is random.
"""

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate
from werkzeug.serving import BaseWSGIServer
from werkzeug.wrappers import Request, Response

from deploy.simulators.http import json_response, port_of, read_json, serve, server
from services.kit import strict_json
from services.kit.settings import refuse_production, run_program

LARGEST_CALL = 100
SLOW_MILLISECONDS = 30_000
SOURCE = "养老保险登记"
MODES = ("normal", "down", "slow", "rubbish", "partial", "error")
RUBBISH = (
    b"<html><body>502 Bad Gateway</body></html>",
    b'{"results": [{"ref": ',
    b'{"results": "none"}',
    b'{"results": [{"ref": "somebody else", "status": "working"}]}',
    b'[{"status": "working"}]',
)


class QueriedPerson(Schema):
    class Meta:
        unknown = EXCLUDE

    ref = fields.String(required=True)
    name = fields.String(required=True)
    document_number = fields.String(required=True)


class Query(Schema):
    persons = fields.List(fields.Nested(QueriedPerson), required=True, validate=validate.Length(1, LARGEST_CALL))


class Behaviour(Schema):
    mode = fields.String(load_default="normal", validate=validate.OneOf(MODES))
    latency_ms = fields.Integer(load_default=0, validate=validate.Range(min=0))
    for_calls = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(min=1))
    at_once = fields.Integer(load_default=0, metadata={"description": "calls that must have come before one goes on"})


class KnownPerson(Schema):
    status = fields.String(required=True, validate=validate.OneOf(("retired", "working", "unknown")))
    since = fields.Date(load_default=None, allow_none=True)


class SimulatedRegistry:
    """The registry's persons and current behaviour."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._known: dict[str, dict[str, Any]] = {}
        self._calls: Counter[str] = Counter()
        self._persons_asked = 0
        with self._lock:
            self._behave(Behaviour().load({}))

    def routes(self) -> dict[str, Callable[..., Any]]:
        """Returns the table of routes."""
        return {
            "POST /v1/retirement": self.retirement,
            "PUT /control": self.control,
            "PUT /control/persons": self.publish_persons,
            "GET /control/log": self.log,
            "GET /readyz": lambda _request: {"status": "ready"},
        }

    def retirement(self, request: Request) -> Response:
        """Answers a request by the current mode."""
        mode, latency, call = self._next_call()
        self._wait_for_others()
        time.sleep(latency)
        if mode == "down":
            request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("The registry is down.")
        if mode == "error":
            return json_response({"error": "internal"}, 500)
        if mode == "rubbish":
            return Response(RUBBISH[call % len(RUBBISH)], content_type="application/json")
        persons = read_json(request, Query())["persons"]
        with self._lock:
            self._persons_asked += len(persons)
        if mode == "partial":
            persons = [person for position, person in enumerate(persons) if position % 3]
        return json_response({"results": [self._result(person) for person in persons]})

    def control(self, request: Request) -> dict[str, Any]:
        """Sets the mode and the latency; after `for_calls` calls the registry is normal again.

        Calls that wait for others (`at_once`) continue.
        """
        behaviour: dict[str, Any] = read_json(request, Behaviour())
        with self._lock:
            self._behave(behaviour)
        return behaviour

    def publish_persons(self, request: Request) -> dict[str, Any]:
        """Adds persons, by document number; the registry answers `unknown` for all others."""
        schema = KnownPerson()
        persons = {number: schema.load(person) for number, person in strict_json.read_json(request.get_data()).items()}
        with self._lock:
            self._known |= persons
            return {"known": len(self._known)}

    def log(self, _request: Request) -> dict[str, Any]:
        """Returns the number of calls by mode, and how many persons were requested and are known."""
        with self._lock:
            return {"calls": dict(self._calls), "persons": self._persons_asked, "known": len(self._known)}

    def _behave(self, behaviour: dict[str, Any]) -> None:
        self._behaviour = behaviour
        self._mode = behaviour["mode"]
        self._latency = (behaviour["latency_ms"] or (SLOW_MILLISECONDS if self._mode == "slow" else 0)) / 1000
        self._calls_left = behaviour["for_calls"]
        self._came = 0
        self._lock.notify_all()

    def _wait_for_others(self) -> None:
        with self._lock:
            behaviour = self._behaviour
            self._came += 1
            self._lock.notify_all()
            self._lock.wait_for(lambda: self._came >= behaviour["at_once"] or self._behaviour is not behaviour)

    def _next_call(self) -> tuple[str, float, int]:
        with self._lock:
            mode, latency, number = self._mode, self._latency, self._calls[self._mode]
            self._calls[mode] += 1
            if self._calls_left is not None:
                self._calls_left -= 1
                if self._calls_left == 0:
                    self._behave(Behaviour().load({}))
            return mode, latency, number

    def _result(self, person: dict[str, str]) -> dict[str, Any]:
        known = self._known.get(person["document_number"])
        if known is None:
            return {"ref": person["ref"], "status": "unknown", "since": None, "source": SOURCE}
        return {"ref": person["ref"], **known, "source": SOURCE}


def registry_server(port: int) -> BaseWSGIServer:
    """Returns a new registry's server on this port."""
    return server(port, SimulatedRegistry().routes())


def main() -> None:
    """Runs the simulator until the process is stopped."""
    refuse_production("the registry simulator")
    serve(registry_server(port_of("REGISTRY_PORT")))


if __name__ == "__main__":
    run_program(main)
