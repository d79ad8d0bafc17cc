"""One connection's HTTP: requests within bounds of size and time, refusals as problem documents.

A client that sends too slowly, too much or ambiguously is refused before a worker or memory is spent on it.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_WR
from typing import Any

import structlog
from eventlet.wsgi import HeaderLineTooLong, HeadersTooLarge, HttpProtocol, Input

from gateway.answers import problem_answer
from gateway.headers import secure
from gateway.settings import GatewaySettings
from gateway.wellformed import flaw_of, protocol_problem
from services.kit.concurrency import time_limit
from services.kit.problems import Problem
from services.kit.settings import read_settings

log = structlog.get_logger()

IDLE_SECONDS = 60
"""How long a connection may rest between two requests."""
SLOWEST_BYTES = 50_000
"""For so many bytes of its length a body may take a second longer."""
LINGER_SECONDS = 10
"""How long the rest of a refused body is read and forgotten, so that its sender gets to see the answer."""

REFUSAL_SECONDS = 2
"""The same after a request that could not be read."""

_FIRST_LINE = re.compile(rb"[^\x00-\x20\x7f]+ [^\x00-\x20\x7f]+ [^\x00-\x20\x7f]+\r\n")
_HEADER_LINE = re.compile(rb"(?![ \t])[^\r\n]*\r\n")
"""A line ends in CR LF and holds neither of them alone; none continues the line before."""


class _TooSlow(TimeoutError):
    """The client did not send in time."""


class _BrokenLine(ValueError):
    """A line that a proxy may end elsewhere than we do, or that never ended."""


class _HeaderLines:
    """Reads the lines of a request's headers; raises _BrokenLine for one that could be read in two ways."""

    def __init__(self, rfile: Any) -> None:
        self._rfile = rfile

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._rfile.readline(size)
        if not _HEADER_LINE.fullmatch(line):
            raise _BrokenLine
        return line


class CarefulProtocol(HttpProtocol):
    """eventlet's protocol; what it would pass on, guess or answer in pages of its own is refused in our words."""

    def parse_request(self) -> bool:
        """Whether there is a request that has no flaw; what is none has been answered."""
        if not _FIRST_LINE.fullmatch(self.raw_requestline):
            return self._refuse(protocol_problem(400))
        self.rfile: Any = _HeaderLines(self.rfile)  # eventlet puts the one for bodies back
        try:
            with time_limit(read_settings(GatewaySettings).header_seconds, _TooSlow()):
                if not super().parse_request():
                    return False
        except TimeoutError:
            return self._refuse(protocol_problem(408))
        except _BrokenLine:
            return self._refuse(protocol_problem(400))
        except (HeaderLineTooLong, HeadersTooLarge):
            return self._refuse(protocol_problem(431))
        target = self.requestline.split()[1]  # as it came: Python's parser mends some
        flaw = flaw_of(self.command, target, self.request_version, self.headers)
        return self._refuse(flaw) if flaw else True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What Python's parser found wrong, told without its own page, which names versions."""
        self._refuse(protocol_problem(code))

    def get_environ(self) -> dict[str, Any]:
        """The WSGI environment, with a body that keeps to time."""
        environ: dict[str, Any] = super().get_environ()
        environ["wsgi.input"] = environ["eventlet.input"] = _TimedBody(environ["eventlet.input"])
        return environ

    def _read_request_line(self) -> bytes:
        try:
            with time_limit(IDLE_SECONDS, _TooSlow()):
                return super()._read_request_line() or b""
        except TimeoutError:
            return b""

    def _refuse(self, problem: Problem) -> bool:
        log.info("request_refused", problem=problem.code, status=problem.status, peer=self.client_address[0])
        response = problem_answer(problem, "")
        secure(response, by_https=read_settings(GatewaySettings).needs_https)
        response.headers["Connection"] = "close"
        head = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        self.wfile.write(f"HTTP/1.1 {response.status}\r\n{head}\r\n".encode() + response.get_data())
        self.close_connection = True
        self._linger()
        return False

    def _linger(self) -> None:
        """Takes in and forgets what is still on its way, or the client's system would throw our answer away."""
        with suppress(OSError), time_limit(REFUSAL_SECONDS, _TooSlow()):
            self.wfile.flush()
            self.connection.shutdown(SHUT_WR)
            while self.connection.recv(1 << 16):
                pass


class _TimedBody(Input):
    """A body that must come at a bearable pace; whoever reads it meets the problem 408 where it does not."""

    def __init__(self, body: Input) -> None:
        super().__init__(body.rfile, body.content_length, body.get_socket(), body.wfile, body.wfile_line)
        seconds = read_settings(GatewaySettings).body_seconds + (self.content_length or 0) / SLOWEST_BYTES
        self._until = time.monotonic() + seconds

    def discard(self, buffer_size: int = 1 << 16) -> None:
        """Reads on for a while; raises OSError, which ends the connection, where the body does not end meanwhile."""
        with time_limit(LINGER_SECONDS, _TooSlow()):
            while super()._do_read(self.rfile.read1, buffer_size):
                pass
        if self.position < self.content_length:
            raise ConnectionAbortedError

    def _do_read(self, reader: Callable[[int], bytes], length: int | None = None) -> bytes:
        try:
            with time_limit(max(self._until - time.monotonic(), 0.001), _TooSlow()):
                read: bytes = super()._do_read(reader, length)
                return read
        except TimeoutError as error:
            raise protocol_problem(408) from error
