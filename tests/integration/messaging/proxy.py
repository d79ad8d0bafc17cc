"""A TCP proxy before the broker, which can freeze, cut and refuse connections."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit


class BrokerProxy:
    """Passes bytes to the broker until told otherwise; `amqp_uri` is the broker's address through it."""

    def __init__(self, amqp_uri: str) -> None:
        parts = urlsplit(amqp_uri)
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        port = self._listener.getsockname()[1]
        self.amqp_uri = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "BrokerProxy":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.refuse()
        self._listener.close()
        self._flowing.set()

    def freeze(self) -> None:
        """Connections stay open, and nothing comes through."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Lets bytes through again."""
        self._flowing.set()

    def cut(self) -> None:
        """Ends all connections; new ones are welcome."""
        for end in list(self._open):
            _end(end)
        self._open.clear()

    def refuse(self) -> None:
        """Ends all connections and takes no new ones."""
        self._refusing = True
        self.cut()

    def welcome(self) -> None:
        """Takes new connections again."""
        self._refusing = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            server = socket.create_connection(self._target)
            self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            self._open.discard(end)
            _end(end)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
