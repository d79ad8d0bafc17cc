"""A second gateway process for a running stack, as on another machine."""

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from deploy.local.client import wait_until
from deploy.local.environment import ROOT
from deploy.local.private_files import open_private
from deploy.local.processes import read_plan
from deploy.local.stack import Stack
from tests.listening import listening_url

_numbers = itertools.count(1)


@contextmanager
def second_gateway(stack: Stack) -> Iterator[str]:
    """Runs another gateway process with the stack's settings on free ports; yields its URL."""
    first = next(process for process in read_plan(stack.folder).processes if process.program == "gateway")
    environment = {**first.environment, "GATEWAY_PORT": "0", "HEALTH_PORT": "0"}
    log_file = stack.folder / "logs" / f"gateway-second-{next(_numbers)}.log"
    with open_private(log_file, "wb") as log:
        running = subprocess.Popen(first.command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        ready_url = f"{listening_url(log_file, 'health', lambda: running.poll() is None)}/readyz"
        wait_until(lambda: _answers(ready_url), "the second gateway is ready", seconds=90)
        yield listening_url(log_file, "http", lambda: running.poll() is None)
    finally:
        running.terminate()
        running.wait(60)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=30).ok
    except requests.ConnectionError:
        return False
