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
from prometheus_client import Counter
from werkzeug.wrappers import Request, Response

from gateway.answers import json_answer, problem_answer
from gateway.headers import secure
from gateway.origins import behind_proxies
from gateway.protocol import IDLE_SECONDS, CarefulProtocol
from gateway.settings import GatewaySettings
from services.kit.problems import Unavailable
from services.kit.rpc.request import RETRY_AFTER
from services.kit.settings import read_settings

log = structlog.get_logger()

_SOCKET_SECONDS = 60
"""How long a client may leave us waiting within a request or an answer."""
_STOP_SECONDS = 10
_LONGEST_FIRST_LINE = 16384
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_IDLE, _CLOSING = "idle", "close"
"""eventlet's words for a connection between two requests, and for one that ends after the request at work."""

_ALIVE = "/healthz"
"""Needs no worker where none is free: that services are slow does not mean that this process is ill."""

_requests_turned_away = Counter("http_requests_turned_away", "Requests beyond those that may wait for a worker.")
_connections_refused = Counter("http_connections_refused", "Connections beyond what one process takes.", ["reason"])


class PublicRequest(Request):
    """A request whose form has few and small parts; files are told apart and lie on disk above half a megabyte."""

    max_form_parts = 20
    max_form_memory_size = 1 << 17
    """Werkzeug reads files too by it, in pieces of 64 KiB beside what is left of the piece before."""


class PublicServer(WebServer):
    """Hands every request to the one entrypoint there is. Each connection is its own affair: in Nameko's server the
    error of one client's socket ends the whole service.
    """

    def __init__(self) -> None:
        super().__init__()
        self._connections: list[list[Any]] = []

    def get_wsgi_app(self) -> Callable[..., Iterable[bytes]]:
        """All paths and methods, wherever they come from: routes are the gateway's own affair."""

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            (entrypoint,) = self._providers
            request = PublicRequest(environ)
            request.path_values = {}  # type: ignore[attr-defined]  # where Nameko looks for the method's arguments
            response = self._busy_answer(request) or entrypoint.handle_request(request)
            answer: Iterable[bytes] = response(environ, start_response)
            return answer

        return behind_proxies(app, read_settings(GatewaySettings).trusted_proxies)

    def get_wsgi_server(self, *arguments: Any, **options: Any) -> Any:
        """eventlet's server, which sends each piece of a stream at once and gives up on silent clients."""
        server = super().get_wsgi_server(*arguments, protocol=CarefulProtocol, **options)
        server.socket_timeout, server.keepalive = _SOCKET_SECONDS, IDLE_SECONDS
        server.minimum_chunk_size = 1
        server.url_length_limit = _LONGEST_FIRST_LINE
        return server

    def run(self) -> None:
        """Accepts connections; while the process has no file left for one, they wait."""
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
        """The first step of a stop: no new connection, and soon no new request on those there are.

        Who has just connected is about to ask, and is heard.
        """
        self._is_accepting = False
        self._gt.kill()
        self._sock.close()
        self._wait_for_connections(read_settings(GatewaySettings).hearing_seconds)
        for connection in self._connections:
            _close_after_answer(connection)
        super().unregister_provider(provider)

    def stop(self) -> None:
        """The last step: returns when the answers that the workers made are sent."""
        self._wait_for_connections(_STOP_SECONDS)
        super().stop()

    def _wait_for_connections(self, seconds: float) -> None:
        """Returns when there are none any more, or the time is over."""
        until = time.monotonic() + seconds
        while self._connections and time.monotonic() < until:
            time.sleep(0.02)

    def _busy_answer(self, request: Request) -> Response | None:
        """What is answered at once where all workers wait for services, and as many requests for a worker as may."""
        pool, settings = self.container._worker_pool, read_settings(GatewaySettings)
        if pool.free() > 0 or pool.waiting() < settings.most_waiting:
            return None
        if request.path == _ALIVE:
            response = json_answer({"status": "alive"})
        else:
            _requests_turned_away.inc()
            response = problem_answer(Unavailable(RETRY_AFTER), request.path)
        secure(response, by_https=settings.needs_https)
        return response

    def _has_room_for(self, address: Any) -> bool:
        """Whether one more connection is taken; where all are taken, the one that rests longest makes room."""
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
    """The entrypoint for all paths and methods: `method(self, request) -> Response`."""

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
