"""One more gateway process at a running stack, as a second machine would run it."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from deploy.local.environment import ROOT
from deploy.local.ports import LOOPBACK, hold_port
from deploy.local.processes import read_plan
from deploy.local.stack import Stack

_SECONDS_TO_BE_READY = 60


@contextmanager
def second_gateway(stack: Stack) -> Iterator[str]:
    """The URL of another gateway process with the settings of the stack's own."""
    first = next(process for process in read_plan(stack.folder).processes if process.program == "gateway")
    port, health_port = hold_port(), hold_port()
    environment = {**first.environment, "GATEWAY_PORT": str(port), "HEALTH_PORT": str(health_port)}
    with (stack.folder / "logs" / "gateway-second.log").open("wb") as log:
        running = subprocess.Popen(first.command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_ready(f"http://{LOOPBACK}:{health_port}/readyz")
        yield f"http://{LOOPBACK}:{port}"
    finally:
        running.terminate()
        running.wait(40)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + _SECONDS_TO_BE_READY
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=2).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"The second gateway is not ready within {_SECONDS_TO_BE_READY} s.")
