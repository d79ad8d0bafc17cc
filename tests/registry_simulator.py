"""The simulated retirement registry for tests, and the control that makes it misbehave."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from deploy.simulators.registry import registry_server


class RegistrySimulator:
    """A running simulator as its operator sees it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def behave(self, mode: str, **how: int) -> None:
        """Sets mode, `latency_ms`, `for_calls` and `at_once`; lets calls go on that were held by `at_once`."""
        requests.put(f"{self.url}/control", json={"mode": mode, **how}, timeout=5).raise_for_status()

    def tell(self, persons: dict[str, dict[str, Any]]) -> None:
        """Lets it know of persons by document number."""
        requests.put(f"{self.url}/control/persons", json=persons, timeout=5).raise_for_status()

    def calls(self) -> int:
        """How often it was asked, in whatever mode."""
        log: dict[str, Any] = requests.get(f"{self.url}/control/log", timeout=5).json()
        return sum(log["calls"].values())


@contextmanager
def running_registry() -> Iterator[RegistrySimulator]:
    """A registry of the test's own on a free port."""
    server = registry_server(0)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    simulator = RegistrySimulator(f"http://127.0.0.1:{server.port}")
    try:
        yield simulator
    finally:
        simulator.behave("normal")  # who still waits for an answer gets one
        server.shutdown()
        server.server_close()
