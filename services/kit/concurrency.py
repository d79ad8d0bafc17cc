"""Concurrency by eventlet's green threads; the only module of the kit that imports eventlet.

A green thread that waits by these functions lets the others of the process run. A process that runs services calls
`use_green_threads` before it imports anything else; tools and tests do not, and block as plain Python does.
"""

import contextlib
import os
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ParamSpec, TypeVar

import eventlet
import eventlet.debug
from eventlet import hubs, tpool, wsgi
from eventlet.event import Event as Signal
from eventlet.queue import Empty, LightQueue
from eventlet.semaphore import Semaphore

__all__ = ["Empty", "LightQueue", "Semaphore", "Signal"]

_RINGS_AT_ONCE = 4096
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Doorbell:
    """Waits until a socket can be read or another thread rings; it rings on if nobody waits yet."""

    def __init__(self) -> None:
        self._ring, self._bell = socket.socketpair()
        self._ring.setblocking(False)
        self._bell.setblocking(False)

    def wait(self, connection: socket.socket | int | None, seconds: float) -> bool:
        """Waits at most so long; whether the socket or file descriptor, if any, can be read."""
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        waited_for = [self._bell] if connection is None else [self._bell, connection]
        readable, _, _ = select.select(waited_for, [], [], seconds)
        if self._bell in readable:
            self._bell.recv(_RINGS_AT_ONCE)
        return connection in readable

    def ring(self) -> None:
        """Ends a wait, now or next time."""
        with contextlib.suppress(OSError):  # full of rings that nobody has waited for, or closed
            self._ring.send(b"\0")

    def close(self) -> None:
        """Frees its descriptors; ringing does nothing from then on."""
        self._ring.close()
        self._bell.close()


def use_green_threads() -> None:
    """Makes sockets, locks and sleeps of the standard library yield to the other green threads."""
    eventlet.monkey_patch()
    os.register_at_fork(after_in_child=_leave_event_loop)


def spawn(function: Callable[..., Any], *arguments: Any) -> None:
    """Runs a function in a green thread of its own."""
    eventlet.spawn(function, *arguments)


def spawn_from_signal(function: Callable[..., Any], *arguments: Any) -> None:
    """As `spawn`, from a signal handler of the operating system, which may not block."""
    eventlet.spawn_after(0, function, *arguments)


def time_limit(seconds: float, error: Exception) -> AbstractContextManager[Any]:
    """Raises the error in the body of a `with` that takes longer than `seconds`.

    Eventlet's own Timeout is no Exception and would kill a worker.
    """
    limit: AbstractContextManager[Any] = eventlet.Timeout(seconds, error)
    return limit


def leave_after(seconds: float) -> AbstractContextManager[Any]:
    """Leaves the body of a `with` without an error when it takes longer than `seconds`."""
    limit: AbstractContextManager[Any] = eventlet.Timeout(seconds, False)
    return limit


def in_thread(
    function: Callable[Parameters, Result], *arguments: Parameters.args, **options: Parameters.kwargs
) -> Result:
    """The function's result, computed in a thread of the operating system while the green threads run on."""
    result: Result = tpool.execute(function, *arguments, **options)
    return result


@contextmanager
def without_tracebacks() -> Iterator[None]:
    """Keeps eventlet from printing errors that end green threads in the body; who waits for such a thread gets them."""
    eventlet.debug.hub_exceptions(False)
    try:
        yield
    finally:
        eventlet.debug.hub_exceptions(True)


def serve_http(address: tuple[str, int], app: Callable[..., Any]) -> int:
    """Serves a WSGI application in a green thread, without a log of requests; returns the port."""
    socket = eventlet.listen(address)
    eventlet.spawn(wsgi.server, socket, app, log_output=False)
    port: int = socket.getsockname()[1]
    return port


def _leave_event_loop() -> None:
    """Gives a forked process an event loop of its own; in that of its parent it would be woken for all other forks."""
    parents = hubs.get_hub()
    if hasattr(parents, "poll"):
        parents.poll.close()
    hubs.use_hub()
