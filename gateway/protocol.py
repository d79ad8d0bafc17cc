"""Reads HTTP requests from one connection within limits of size and time; refusals are problem documents.

A request that is too slow, too large or ambiguous is refused before it takes a worker or much memory.
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
from gateway.wellformed import protocol_error, protocol_problem
from services.kit.concurrency import time_limit
from services.kit.problems import Problem
from services.kit.settings import read_settings

log = structlog.get_logger()

IDLE_SECONDS = 60
"""How long a connection may be idle between two requests."""
SLOWEST_BYTES = 50_000
"""A body may take one second longer for each this many bytes of its length."""
LINGER_SECONDS = 10
"""How long the rest of a refused body is read and discarded, so that the client receives the answer."""

REFUSAL_SECONDS = 2
"""The same after a request that could not be read."""

_FIRST_LINE = re.compile(rb"[^\x00-\x20\x7f]+ [^\x00-\x20\x7f]+ [^\x00-\x20\x7f]+\r\n")
_HEADER_LINE = re.compile(rb"(?![ \t])[^\r\n]*\r\n")
"""A line ends in CR LF and contains neither of them alone; it does not continue the line before."""


class _TooSlow(TimeoutError):
    """The client did not send in time."""


class _BrokenLine(ValueError):
    """A line that a proxy may end at another place than we do, or that never ended."""


class _HeaderLines:
    """Reads the header lines of a request; raises _BrokenLine for an ambiguous one."""

    def __init__(self, rfile: Any) -> None:
        self._rfile = rfile

    def readline(self, size: int = -1) -> bytes:
        line: bytes = self._rfile.readline(size)
        if not _HEADER_LINE.fullmatch(line):
            raise _BrokenLine
        return line


class StrictProtocol(HttpProtocol):
    """eventlet's HTTP protocol, made strict: ambiguous requests are refused, every refusal is a problem document."""

    def parse_request(self) -> bool:
        """Returns whether there is a valid request; an invalid one has been answered."""
        if not _FIRST_LINE.fullmatch(self.raw_requestline):
            return self._refuse(protocol_problem(400))
        self.rfile: Any = _HeaderLines(self.rfile)  # eventlet restores the one for bodies
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
        target = self.requestline.split()[1]  # as received: Python's parser corrects some
        problem = protocol_error(self.command, target, self.request_version, self.headers)
        return self._refuse(problem) if problem else True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers an error of Python's parser with our problem document; its own page names versions."""
        self._refuse(protocol_problem(code))

    def get_environ(self) -> dict[str, Any]:
        """Returns the WSGI environment, with a body that must arrive in time."""
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
        """Reads and discards what the client still sends; otherwise its system would drop our answer."""
        with suppress(OSError), time_limit(REFUSAL_SECONDS, _TooSlow()):
            self.wfile.flush()
            self.connection.shutdown(SHUT_WR)
            while self.connection.recv(1 << 16):
                pass


class _TimedBody(Input):
    """A body with a deadline: reading raises Problem 408 when it arrives too slowly."""

    def __init__(self, body: Input) -> None:
        super().__init__(body.rfile, body.content_length, body.get_socket(), body.wfile, body.wfile_line)
        seconds = read_settings(GatewaySettings).body_seconds + (self.content_length or 0) / SLOWEST_BYTES
        self._until = time.monotonic() + seconds

    def discard(self, buffer_size: int = 1 << 16) -> None:
        """Discards the rest of the body; raises OSError, which ends the connection, if it does not end in time."""
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
