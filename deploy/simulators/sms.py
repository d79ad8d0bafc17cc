"""A simulated SMS provider: stores messages, sends each request id once, and fails on demand.

`python -m deploy.simulators.sms` listens on SMS_PORT. The provider's own interface is POST /v1/messages; the rest is
for tests and demonstrations. Nothing in it is random.
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
from services.kit.settings import refuse_production, run_program

SLOW_MILLISECONDS = 30_000
MODES = ("normal", "down", "slow", "error", "refuse", "lose_answer")


class NewMessage(Schema):
    class Meta:
        unknown = EXCLUDE

    request_id = fields.String(required=True, validate=validate.Length(1, 64))
    phone = fields.String(required=True, validate=validate.Length(1, 30))
    text = fields.String(required=True, validate=validate.Length(1, 500))


class Behaviour(Schema):
    mode = fields.String(load_default="normal", validate=validate.OneOf(MODES))
    latency_ms = fields.Integer(load_default=0, validate=validate.Range(min=0))
    for_calls = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(min=1))


class SimulatedProvider:
    """The sent messages and the provider's current behaviour."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, dict[str, Any]] = {}
        self._calls: Counter[str] = Counter()
        self._behaviour: dict[str, Any] = Behaviour().load({})

    def routes(self) -> dict[str, Callable[..., Any]]:
        """Returns the table of routes."""
        return {
            "POST /v1/messages": self.take,
            "GET /messages": self.messages,
            "PUT /control": self.control,
            "GET /control/log": lambda _request: dict(self._calls),
            "GET /readyz": lambda _request: {"status": "ready"},
        }

    def take(self, request: Request) -> Response:
        """Accepts a message by the current mode; `lose_answer` sends it and then breaks the connection."""
        mode, latency = self._next_call()
        time.sleep(latency)
        if mode == "down":
            _break_connection(request)
        if mode == "error":
            return json_response({"error": "internal"}, 500)
        if mode == "refuse":
            return json_response({"error": "number not in service"}, 400)
        message = self._send_once(read_json(request, NewMessage()))
        if message is None:
            return json_response({"error": "the request id was used for another message"}, 409)
        if mode == "lose_answer":
            _break_connection(request)
        return json_response({"message_id": message["message_id"]}, 202)

    def messages(self, request: Request) -> dict[str, Any]:
        """Returns the sent messages, oldest first, optionally of one `phone`."""
        phone = request.args.get("phone")
        with self._lock:
            return {"items": [sent for sent in self._messages.values() if phone in (None, sent["phone"])]}

    def control(self, request: Request) -> dict[str, Any]:
        """Sets the mode and the latency; after `for_calls` calls the provider is normal again."""
        behaviour: dict[str, Any] = read_json(request, Behaviour())
        with self._lock:
            self._behaviour = behaviour
        return behaviour

    def _send_once(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Returns the message sent under the request id; None if that was another message."""
        with self._lock:
            sent = {**message, "message_id": f"sms-{len(self._messages) + 1}", "tries": 0}
            kept = self._messages.setdefault(message["request_id"], sent)
            if any(kept[name] != message[name] for name in message):
                return None
            kept["tries"] += 1
            return kept

    def _next_call(self) -> tuple[str, float]:
        with self._lock:
            behaviour = self._behaviour
            mode = behaviour["mode"]
            self._calls[mode] += 1
            if behaviour["for_calls"] is not None:
                behaviour["for_calls"] -= 1
                if behaviour["for_calls"] == 0:
                    self._behaviour = Behaviour().load({})
            return mode, (behaviour["latency_ms"] or (SLOW_MILLISECONDS if mode == "slow" else 0)) / 1000


def sms_server(port: int) -> BaseWSGIServer:
    """Returns a new provider's server on this port."""
    return server(port, SimulatedProvider().routes())


def _break_connection(request: Request) -> None:
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("The provider is down.")


def main() -> None:
    """Runs the simulator until the process is stopped."""
    refuse_production("the SMS simulator")
    serve(sms_server(port_of("SMS_PORT")))


if __name__ == "__main__":
    run_program(main)
