"""Loopback ports for programs that need a configured port: each is held by a socket as soon as it is chosen.

They are chosen outside the range that the kernel gives to outgoing connections.
"""

import random
import socket
import time

LOOPBACK = "127.0.0.1"
_CHOICES = range(15_000, 31_000)
_held: dict[int, socket.socket] = {}
"""The sockets that hold ports until this process ends. A socket that is bound but does not listen keeps others from
choosing its port, and lets the intended program listen on it, since both set SO_REUSEADDR."""
_reserved: dict[int, socket.socket] = {}
"""The names that reserve preferred ports until this process ends."""


def is_free(port: int) -> bool:
    """Whether nothing listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def hold_port(own: int | None = None, wait_seconds: float = 0.0, *, preferred: int | None = None) -> int:
    """Return a loopback port that no other process is assigned by chance while this process lives.

    It is the program's `own` one if nothing listens there or it becomes free within `wait_seconds`, even if held, so
    that a restarted program keeps its port; or else the `preferred` one, unless another program is assigned it. Raises
    RuntimeError if no port is found.
    """
    if own is not None and _becomes_free(own, wait_seconds):
        _hold(own)
        return own
    if preferred is not None and _reserve(preferred) and is_free(preferred):
        _hold(preferred)
        return preferred
    for port in random.sample(_CHOICES, len(_CHOICES)):
        if _hold(port):
            return port
    raise RuntimeError("no free loopback port was found")


def _hold(port: int) -> bool:
    """Whether the port is held by a new socket of this process now."""
    holder = socket.socket()
    try:
        # Without SO_REUSEADDR, so that a port that another process holds is refused.
        holder.bind((LOOPBACK, port))
    except OSError:
        holder.close()
        return False
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held[port] = holder
    return True


def _reserve(port: int) -> bool:
    """Whether no other process is assigned the port, and none will be while this one lives.

    By a name, since a port whose last connections have just ended cannot be held, though a program can listen on it.
    """
    if port in _reserved:
        return True
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0union-cards port {port}")
    except OSError:
        name.close()
        return False
    _reserved[port] = name
    return True


def _becomes_free(port: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_free(port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True
