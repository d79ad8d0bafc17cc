"""What operators ask: is the process alive, can it work, what does it measure."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from werkzeug.wrappers import Response

from gateway.answers import json_answer
from gateway.policy import ANYONE
from gateway.routes import Exchange, route


@route("GET", "/healthz", roles=ANYONE, answer="application/json", summary="The process is alive")
def healthz(exchange: Exchange) -> Response:
    return json_answer({"status": "alive"})


@route("GET", "/readyz", roles=ANYONE, answer="application/json", summary="The process can work; 503 where it cannot")
def readyz(exchange: Exchange) -> Response:
    reasons = exchange.backends.not_ready()
    if reasons:
        return json_answer({"status": "not ready", "reasons": reasons}, 503)
    return json_answer({"status": "ready", "reasons": []})


@route("GET", "/metrics", roles=ANYONE, answer="text/plain", summary="Measurements for Prometheus")
def metrics(exchange: Exchange) -> Response:
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


ROUTES = (healthz, readyz, metrics)
