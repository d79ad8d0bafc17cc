"""Free loopback ports that stay free: chosen outside the range that the kernel gives to outgoing connections."""

import os
import random
import socket
import time

LOOPBACK = "127.0.0.1"
_CHOICES = range(15_000, 31_000)
_SHARES = 4
_given: set[int] = set()


def is_free(port: int) -> bool:
    """Whether nothing listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None, patience: float = 0.0) -> int:
    """A loopback port that nothing listens on: the preferred one if it is or becomes free within `patience` seconds.

    A port is given once: whoever asked before may not listen on it yet. Processes of neighbouring ids choose from
    different ports. Raises RuntimeError when none is found.
    """
    if preferred is not None and _becomes_free(preferred, patience):
        return preferred
    own = _CHOICES[os.getpid() % _SHARES :: _SHARES]
    for port in random.sample(own, len(own)):
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise RuntimeError("no free loopback port was found")


def _becomes_free(port: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_free(port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)
    return True
