"""A TCP proxy in front of a broker or database that can freeze, delay, cut and refuse connections."""

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit, urlunsplit


class TcpProxy:
    """Forwards connections to the host of an address; `url` is that address through the proxy.

    `target` is the destination of new connections and may be changed; connections are refused if nothing listens there.
    `refused` counts the refused connections, `lost` the answers that `lose_commit_of` kept back.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "", parts.port or 0)
        self.refused = self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._open: set[socket.socket] = set()
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        self._delay = 0.0
        self._marker: bytes | None = None
        self._marked: set[socket.socket] = set()
        self._losing: set[socket.socket] = set()
        self.port: int = self._listener.getsockname()[1]
        self.url = urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{self.port}"))
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "TcpProxy":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.refuse()
        self._listener.close()
        self._flowing.set()

    def freeze(self) -> None:
        """Keeps connections open, but forwards nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Forwards bytes again."""
        self._flowing.set()

    def delay(self, seconds: float) -> None:
        """Delays each piece in each direction; 0 is no delay."""
        self._delay = seconds

    def cut(self) -> None:
        """Ends all connections; new ones are accepted."""
        for end in list(self._open):
            _end(end)
        self._open.clear()

    def refuse(self) -> None:
        """Ends all connections and accepts no new ones."""
        self._refusing = True
        self.cut()

    def welcome(self) -> None:
        """Accepts new connections again."""
        self._refusing = False

    def lose_commit_of(self, marker: bytes) -> None:
        """Keeps back the answer to the COMMIT after these bytes, and ends that connection; once.

        The server has committed then, and the client does not know.
        """
        self._marker = marker

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                self.refused += 1
                client.close()
                continue
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._flowing.wait()
                if self._delay:
                    time.sleep(self._delay)
                if self._is_answer_lost(data, source, sink):
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            self._open.discard(end)
            _end(end)

    def _is_answer_lost(self, data: bytes, source: socket.socket, sink: socket.socket) -> bool:
        """Whether the data answer the COMMIT of the marked connection; notes the marker and the COMMIT on their way."""
        if source in self._losing:
            self._losing.remove(source)
            self.lost += 1
            return True
        if self._marker is not None and self._marker in data:
            self._marker = None
            self._marked.add(source)
        if source in self._marked and b"COMMIT" in data:
            self._marked.remove(source)
            self._losing.add(sink)
        return False


class TcpProxies:
    """The proxies of one connection to a database of several servers; `url` is its address through them."""

    def __init__(self, url: str, ports: Sequence[int]) -> None:
        self.proxies = [TcpProxy(f"postgresql://none:none@127.0.0.1:{port}") for port in ports]
        before, after = ",".join(map(str, ports)), ",".join(str(proxy.port) for proxy in self.proxies)
        self.url = url.replace(f"port={before}", f"port={after}")

    def __enter__(self) -> "TcpProxies":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for proxy in self.proxies:
            proxy.__exit__(kind, error, tb)

    def delay(self, seconds: float) -> None:
        """Delays each piece in each direction; 0 is no delay."""
        for proxy in self.proxies:
            proxy.delay(seconds)

    def cut(self) -> None:
        """Ends all connections; new ones are accepted."""
        for proxy in self.proxies:
            proxy.cut()

    def lose_commit_of(self, marker: bytes) -> None:
        """As TcpProxy does, on whichever server the bytes are sent to."""
        for proxy in self.proxies:
            proxy.lose_commit_of(marker)

    @property
    def lost(self) -> int:
        """How many answers were kept back."""
        return sum(proxy.lost for proxy in self.proxies)


class ClusterProxy:
    """A proxy in front of each node of a broker's address; `url` is that address through them."""

    def __init__(self, url: str) -> None:
        self.nodes = [TcpProxy(one) for one in url.split(";")]
        self.url = ";".join(proxy.url for proxy in self.nodes)

    def __enter__(self) -> "ClusterProxy":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for proxy in self.nodes:
            proxy.__exit__(kind, error, tb)

    def cut(self) -> None:
        """Ends all connections to any node; new ones are accepted."""
        for proxy in self.nodes:
            proxy.cut()

    def delay(self, seconds: float) -> None:
        """Delays each piece in each direction, of connections to any node; 0 is no delay."""
        for proxy in self.nodes:
            proxy.delay(seconds)


def _end(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
