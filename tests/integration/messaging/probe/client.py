"""Calls the probe on HTTP requests, as the gateway calls services."""

import json

import structlog
from nameko.extensions import DependencyProvider
from nameko.web.handlers import http
from nameko.web.server import WebServer
from werkzeug.wrappers import Request, Response

from services.kit.problems import Problem
from services.kit.rpc.methods import Caller, ServiceClient

CLERK = Caller(account_id="a1", roles=frozenset({"clerk"}))
log = structlog.get_logger("services")  # a name under which everything is logged


class ReportedPort(DependencyProvider):
    """Logs the server's port."""

    server = WebServer()

    def start(self) -> None:
        """Starts the server, which another extension may have done."""
        self.server.start()
        log.info("listening", what="http", port=self.server._sock.getsockname()[1])


class ProbeClient:
    """Passes requests on to the probe, or to a service that does not exist."""

    name = "client"
    probe = ServiceClient("probe")
    nobody = ServiceClient("nobody")
    port = ReportedPort()

    @http("POST", "/<string:service>/<string:name>")
    def ask(self, request: Request, service: str, name: str) -> Response:
        """Returns the answer or the problem, and the number of outstanding replies."""
        client = {"probe": self.probe, "nobody": self.nobody}[service]
        deadline = float(request.args["deadline"])
        try:
            answer = {"result": client.call(name, CLERK, request.json, deadline=deadline)}
        except Problem as problem:
            answer = {"problem": problem.to_dict()}
        return Response(json.dumps({**answer, "waiting": len(client.replies.waiting)}))
