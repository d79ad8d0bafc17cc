"""The client's address: the socket's peer, or the address that our own proxies report."""

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

App = Callable[..., Iterable[bytes]]


def behind_proxies(app: App, number: int) -> App:
    """Wraps the app so that `REMOTE_ADDR` is the address that the outermost of our proxies saw (`X-Forwarded-For`).

    Each of our `number` proxies appends an address to the header; what stands before these may be forged. Without
    proxies the headers are ignored. `X-Forwarded-Proto` is read in the same way; our proxies pass `Host` on unchanged.
    Only with proxies a request may bring its trace context (`traceparent`).
    """
    if not number:
        return _without_trace(app)
    fixed: App = ProxyFix(app, x_for=number, x_proto=number, x_host=0)
    return fixed


def _without_trace(app: App) -> App:
    """Wraps the app so that no client chooses the id of its trace."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ.pop("HTTP_TRACEPARENT", None)
        return app(environ, start_response)

    return answer
