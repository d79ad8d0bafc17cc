"""Finds the port of a process that was started with port 0, in its log."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from deploy.local.ports import LOOPBACK

_SECONDS_TO_LISTEN = 90


def listening_url(log_file: Path, what: str, is_running: Callable[[], bool] = lambda: True) -> str:
    """Returns the URL of a process's `health` or `http` endpoint, once its log names the port.

    Raises TimeoutError with the process's output, also if it ended before it listened.
    """
    deadline = time.monotonic() + _SECONDS_TO_LISTEN
    while time.monotonic() < deadline:
        was_running = is_running()
        port = _port_in(log_file, what)
        if port is not None:
            return f"http://{LOOPBACK}:{port}"
        if not was_running:
            break
        time.sleep(0.02)
    written = log_file.read_text() if log_file.exists() else ""
    raise TimeoutError(f"the process does not listen for {what}:\n{written}")


def _port_in(log_file: Path, what: str) -> int | None:
    lines = log_file.read_text().splitlines() if log_file.exists() else []
    for line in lines:
        if '"listening"' in line:
            record = json.loads(line)
            if record["what"] == what:
                return int(record["port"])
    return None
