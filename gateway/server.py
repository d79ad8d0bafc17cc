"""HTTP in and out: Nameko's web server, made to outlive rude clients and to stop without breaking answers off."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR
from typing import Any

import structlog
from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import WebServer
from werkzeug.wrappers import Request

log = structlog.get_logger()

_SOCKET_SECONDS = 60
"""How long a client may leave us waiting within a request or an answer, and a connection may rest between two."""
_STOP_SECONDS = 10
_IDLE, _CLOSING = "idle", "close"
"""eventlet's words for a connection between two requests, and for one that ends after the request at work."""


class PublicServer(WebServer):
    """Hands every request to the one entrypoint there is. Each connection is its own affair: in Nameko's server the
    error of one client's socket ends the whole service.
    """

    def __init__(self) -> None:
        super().__init__()
        self._connections: list[list[Any]] = []

    def get_wsgi_app(self) -> Callable[..., Iterable[bytes]]:
        """All paths and methods: routes are the gateway's own affair."""

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            (entrypoint,) = self._providers
            request = Request(environ)
            request.path_values = {}  # type: ignore[attr-defined]  # where Nameko looks for the method's arguments
            response: Iterable[bytes] = entrypoint.handle_request(request)(environ, start_response)
            return response

        return app

    def get_wsgi_server(self, *arguments: Any, **options: Any) -> Any:
        """eventlet's server, which sends each piece of a stream at once and gives up on silent clients."""
        server = super().get_wsgi_server(*arguments, **options)
        server.socket_timeout = server.keepalive = _SOCKET_SECONDS
        server.minimum_chunk_size = 1
        return server

    def run(self) -> None:
        """Accepts connections; while the process has no file left for one, they wait."""
        while self._is_accepting:
            try:
                socket, address = self._sock.accept()
            except OSError:
                log.warning("connection_not_accepted", exc_info=True)
                time.sleep(0.5)
                continue
            socket.settimeout(_SOCKET_SECONDS)
            self.container.spawn_managed_thread(partial(self._serve, socket, address))

    def unregister_provider(self, provider: Any) -> None:
        """The first step of a stop: no new connection, and no new request on those there are."""
        self._is_accepting = False
        self._gt.kill()
        self._sock.close()
        for connection in self._connections:
            _close_after_answer(connection)
        super().unregister_provider(provider)

    def stop(self) -> None:
        """The last step: returns when the answers that the workers made are sent."""
        until = time.monotonic() + _STOP_SECONDS
        while self._connections and time.monotonic() < until:
            time.sleep(0.02)
        super().stop()

    def _serve(self, socket: Any, address: Any) -> None:
        connection = [address, socket, _IDLE]
        self._connections.append(connection)
        try:
            self._serv.process_request(connection)
        except Exception:
            log.info("connection_broken", exc_info=True)
        finally:
            self._connections.remove(connection)
            socket.close()


class Everything(HttpRequestHandler):
    """The entrypoint for all paths and methods: `method(self, request) -> Response`."""

    server = PublicServer()

    def __init__(self) -> None:
        super().__init__(method="", url="")


everything: Callable[..., Any] = Everything.decorator


def _close_after_answer(connection: list[Any]) -> None:
    _, socket, state = connection
    connection[2] = _CLOSING
    if state == _IDLE:
        with suppress(OSError):
            socket.shutdown(SHUT_RDWR)
