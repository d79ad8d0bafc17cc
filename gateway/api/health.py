"""Health checks for load balancers: whether the process is alive and ready. Metrics are on HEALTH_PORT only."""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.routes import RequestContext, gateway_query, route
from services.kit.rpc.operation import ANONYMOUS, no_union

_HEALTHZ = gateway_query("healthz", no_union(ANONYMOUS))
_READYZ = gateway_query("readyz", no_union(ANONYMOUS))


@dataclass(frozen=True, kw_only=True)
class AliveAnswer:
    status: str


@dataclass(frozen=True, kw_only=True)
class ReadyAnswer:
    status: str
    reasons: list[str]


@route("GET", "/healthz", _HEALTHZ, is_unlimited=True, answer=AliveAnswer, summary="The process is alive")
def healthz(context: RequestContext) -> Response:
    return json_answer({"status": "alive"})


@route(
    "GET",
    "/readyz",
    _READYZ,
    is_unlimited=True,
    answer=ReadyAnswer,
    summary="The process is ready; 503 if it is not",
)
def readyz(context: RequestContext) -> Response:
    reasons = context.dependencies.not_ready()
    if reasons:
        return json_answer({"status": "not ready", "reasons": reasons}, 503)
    return json_answer({"status": "ready", "reasons": []})


ROUTES = (healthz, readyz)
