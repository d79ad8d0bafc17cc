"""Nameko's web server, hardened against misbehaving clients, and stopped without breaking answers off."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR
from typing import Any

import structlog
from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import WebServer
from prometheus_client import Counter
from werkzeug.wrappers import Request, Response

from gateway.answers import count_answer, json_answer, problem_answer
from gateway.headers import secure
from gateway.origins import behind_proxies
from gateway.protocol import IDLE_SECONDS, StrictProtocol
from gateway.settings import GatewaySettings
from services.kit.problems import Unavailable
from services.kit.rpc.request import RETRY_AFTER
from services.kit.settings import read_settings

log = structlog.get_logger()

_SOCKET_SECONDS = 60
"""How long a client may stall within a request or an answer."""
_STOP_SECONDS = 10
_LONGEST_FIRST_LINE = 16384
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_IDLE, _CLOSING = "idle", "close"
"""eventlet's states of a connection: between two requests, and to be closed after the current request."""

_ALIVE = "/healthz"
"""Answered even if no worker is free: slow services do not mean that this process is unhealthy."""

_requests_turned_away = Counter("http_requests_turned_away", "Requests beyond those that may wait for a worker.")
_connections_refused = Counter("http_connections_refused", "Connections beyond what one process takes.", ["reason"])
for _reason in ("address", "process"):
    _connections_refused.labels(_reason)


class PublicRequest(Request):
    """A request whose form may have few and small parts; files above half a megabyte are spooled to disk."""

    max_form_parts = 20
    max_form_memory_size = 1 << 17
    """Werkzeug applies this to files as well, whose pieces are up to 64 KiB plus the rest of the piece before."""


class PublicServer(WebServer):
    """Passes every request to the only entrypoint, and isolates connections.

    In Nameko's own server an error of one client's socket ends the whole service.
    """

    def __init__(self) -> None:
        super().__init__()
        self._connections: list[list[Any]] = []

    def get_wsgi_app(self) -> Callable[..., Iterable[bytes]]:
        """Returns an app that takes all paths and methods: the gateway finds the route itself."""

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            (entrypoint,) = self._providers
            request = PublicRequest(environ)
            request.path_values = {}  # type: ignore[attr-defined]  # Nameko takes the method's arguments from it
            response = self._busy_answer(request) or entrypoint.handle_request(request)
            answer: Iterable[bytes] = response(environ, start_response)
            return answer

        return behind_proxies(app, read_settings(GatewaySettings).trusted_proxies)

    def get_wsgi_server(self, *arguments: Any, **options: Any) -> Any:
        """Returns eventlet's server, set to send each piece of a stream at once and to drop silent clients."""
        server = super().get_wsgi_server(*arguments, protocol=StrictProtocol, **options)
        server.socket_timeout, server.keepalive = _SOCKET_SECONDS, IDLE_SECONDS
        server.minimum_chunk_size = 1
        server.url_length_limit = _LONGEST_FIRST_LINE
        return server

    def run(self) -> None:
        """Accepts connections; they wait while the process has no file descriptor left."""
        log.info("listening", what="http", port=self._sock.getsockname()[1])
        while self._is_accepting:
            try:
                socket, address = self._sock.accept()
            except OSError:
                log.warning("connection_not_accepted", exc_info=True)
                time.sleep(0.5)
                continue
            socket.settimeout(_SOCKET_SECONDS)
            if self._has_room_for(address):
                connection = [address, socket, _IDLE]
                self._connections.append(connection)
                self.container.spawn_managed_thread(partial(self._serve, connection))
            else:
                _turn_away(socket)

    def unregister_provider(self, provider: Any) -> None:
        """Begins the stop: no new connections, and after a wait window no new requests on existing ones.

        The window lets clients that have just connected send their request.
        """
        self._is_accepting = False
        self._gt.kill()
        self._sock.close()
        self._wait_for_connections(read_settings(GatewaySettings).hearing_seconds)
        for connection in self._connections:
            _close_after_answer(connection)
        super().unregister_provider(provider)

    def stop(self) -> None:
        """Ends the stop: returns when the workers' answers have been sent."""
        self._wait_for_connections(_STOP_SECONDS)
        super().stop()

    def _wait_for_connections(self, seconds: float) -> None:
        """Returns when no connections are left or the time is over."""
        until = time.monotonic() + seconds
        while self._connections and time.monotonic() < until:
            time.sleep(0.02)

    def _busy_answer(self, request: Request) -> Response | None:
        """Returns an immediate answer if all workers are busy and the waiting list is full; otherwise None."""
        pool, settings = self.container._worker_pool, read_settings(GatewaySettings)
        if pool.free() > 0 or pool.waiting() < settings.most_waiting:
            return None
        if request.path == _ALIVE:
            response = json_answer({"status": "alive"})
        else:
            _requests_turned_away.inc()
            response = problem_answer(Unavailable(RETRY_AFTER), request.path)
            count_answer(response.status_code)
        secure(response, by_https=settings.needs_https)
        return response

    def _has_room_for(self, address: Any) -> bool:
        """Whether one more connection is accepted; at the limit, the first idle connection is closed to make room."""
        settings = read_settings(GatewaySettings)
        of_address = sum(connection[0][0] == address[0] for connection in self._connections)
        if not settings.trusted_proxies and of_address >= settings.connections_per_address:
            _connections_refused.labels("address").inc()
            return False
        if len(self._connections) < settings.max_connections:
            return True
        resting = next((one for one in self._connections if one[2] == _IDLE), None)
        if resting is None:
            _connections_refused.labels("process").inc()
            return False
        _close_after_answer(resting)
        return True

    def _serve(self, connection: list[Any]) -> None:
        try:
            self._serv.process_request(connection)
        except Exception:
            log.info("connection_broken", exc_info=True)
        finally:
            self._connections.remove(connection)
            connection[1].close()


class CatchAllRoute(HttpRequestHandler):
    """The catch-all route, an entrypoint for all paths and methods: `method(self, request) -> Response`."""

    server = PublicServer()

    def __init__(self) -> None:
        super().__init__(method="", url="")


catch_all: Callable[..., Any] = CatchAllRoute.decorator


def _turn_away(socket: Any) -> None:
    with suppress(OSError):
        socket.send(_FULL)
    socket.close()


def _close_after_answer(connection: list[Any]) -> None:
    _, socket, state = connection
    connection[2] = _CLOSING
    if state == _IDLE:
        with suppress(OSError):
            socket.shutdown(SHUT_RDWR)
