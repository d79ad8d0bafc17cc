"""One running system for all workers of a test run: the first that needs it starts it, the last one stops it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.addresses import forget_addresses, make_addresses
from deploy.local.captcha_solver import use_secret_of
from deploy.local.first_password import use_provider
from deploy.local.nodes import Nodes
from deploy.local.private_files import make_private
from deploy.local.processes import supervisor_pid
from deploy.local.stack import Stack, find, start_fresh, status, stop
from tests.unlimited import UNLIMITED

_SETTINGS = {"BANK_MODE": "manual", "LOG_LEVEL": "DEBUG", "WATCH_SECONDS": "2", **UNLIMITED}


@contextmanager
def shared_stack(nodes: Nodes, folder: Path) -> Iterator[Stack]:
    """Yields the system of this test run in this folder, with fresh seeded databases; its captchas can be solved.

    The bank decides only when a test orders it to. Rate limits are off, since all tests come from one address; other
    tests cover them.
    """
    name = f"stack_{os.environ.get('PYTEST_XDIST_TESTRUNUID', str(os.getpid()))[:12]}"
    make_private(folder.parent)
    with (
        (folder.parent / f"{folder.name}.users").open("w") as users,
        (folder.parent / f"{folder.name}.starting").open("w") as starting,
    ):
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        if not _runs(folder, name):
            _start(nodes, folder, name)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            use_secret_of(folder)
            running = find(folder)
            use_provider(running.simulator_urls["sms"])
            yield running
        finally:
            if _is_last(users.fileno()):
                stop(folder)
                forget_addresses(nodes, name)


def _start(nodes: Nodes, folder: Path, name: str) -> None:
    """Starts the stack; removes all of it if that fails."""
    try:
        start_fresh(folder, make_addresses(nodes, name), settings=_SETTINGS)
        assert [process.name for process in status(folder) if process.record.restarts] == []
    except BaseException:
        stop(folder)
        forget_addresses(nodes, name)
        raise


def _runs(folder: Path, name: str) -> bool:
    """Whether another worker of this run has started it."""
    return supervisor_pid(folder) is not None and f"/{name}" in find(folder).addresses.amqp_uris["gateway"]


def _is_last(users: int) -> bool:
    """Whether no other worker uses it; releases the lock if one does."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
