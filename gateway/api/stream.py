"""Live updates for open pages, as server-sent events."""

from werkzeug.wrappers import Response

from gateway.routes import RequestContext, gateway_query, route
from services.contracts.operations.roles import ACCOUNTS
from services.kit.rpc.operation import own_union

_STREAM = gateway_query("stream", own_union(*ACCOUNTS))


@route(
    "GET",
    "/api/v1/stream",
    _STREAM,
    answer="text/event-stream",
    summary="Changes in my union: `resync` first, then one event for each change; heartbeats every 15 seconds",
)
def stream(context: RequestContext) -> Response:
    updates = context.dependencies.streams.listen(context.signed_in)
    return Response(updates, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


ROUTES = (stream,)
