"""Where a request comes from: the socket's other end, or what proxies of our own say of it."""

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix

App = Callable[..., Iterable[bytes]]


def behind_proxies(app: App, number: int) -> App:
    """The app, to which `REMOTE_ADDR` is what the outermost of so many proxies of ours saw (`X-Forwarded-For`).

    Each of them adds an address at the header's end; what stands before these is a stranger's word. Without proxies
    the headers count for nothing. `X-Forwarded-Proto` is read in the same way; our proxies hand `Host` on as it came.
    """
    fixed: Any = ProxyFix(app, x_for=number, x_proto=number, x_host=0)
    return fixed if number else app
