"""Live updates for open pages, as server-sent events."""

from werkzeug.wrappers import Response

from gateway.routes import Exchange, route


@route(
    "GET",
    "/api/v1/stream",
    "gateway.stream",
    answer="text/event-stream",
    summary="What changed in my union: `resync` first, then one event a change; heartbeats every 15 seconds",
)
def stream(exchange: Exchange) -> Response:
    notices = exchange.backends.streams.listen(exchange.signed_in)
    return Response(notices, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


ROUTES = (stream,)
