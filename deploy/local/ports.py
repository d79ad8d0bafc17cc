"""Free loopback ports that stay free: chosen outside the range that the kernel gives to outgoing connections."""

import random
import socket
import time

LOOPBACK = "127.0.0.1"
_CHOICES = range(15_000, 31_000)
_ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether nothing listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None) -> int:
    """A loopback port that nothing listens on: the preferred one where it is free.

    Raises RuntimeError when none is found.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    for port in random.sample(_CHOICES, _ATTEMPTS):
        if is_free(port):
            return port
    raise RuntimeError("no free loopback port was found")


def wait_until_open(port: int, seconds: float) -> bool:
    """Wait until something accepts connections on the loopback port; False when nobody does in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False
