"""Asks the probe over HTTP, as the gateway asks the services."""

import json
import time

from nameko.web.handlers import http
from werkzeug.wrappers import Request, Response

from services.common.messaging.rpc import Caller, ServiceClient
from services.common.problems import Problem

CLERK = Caller(account_id="a1", roles=frozenset({"clerk"}))


class Asker:
    """Passes what it is asked on to the probe."""

    name = "asker"
    probe = ServiceClient("probe", deadline=2)

    @http("POST", "/<string:name>")
    def ask(self, request: Request, name: str) -> Response:
        """The answer or the problem, the seconds it took, and how many replies are still waited for."""
        started = time.monotonic()
        try:
            answer = {"result": self.probe.call(name, CLERK, request.json, request.headers.get("Idempotency-Key"))}
        except Problem as problem:
            answer = {"problem": problem.to_dict()}
        seconds = time.monotonic() - started
        return Response(json.dumps({**answer, "seconds": seconds, "waiting": len(self.probe.replies.waiting)}))
