"""The simulated retirement registry for tests, and the control that makes it fail."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from deploy.simulators.registry import registry_server


class RegistrySimulator:
    """A running simulator."""

    def __init__(self, url: str) -> None:
        self.url = url

    def behave(self, mode: str, **how: int) -> None:
        """Sets mode, `latency_ms`, `for_calls` and `at_once`; releases calls that `at_once` held."""
        requests.put(f"{self.url}/control", json={"mode": mode, **how}, timeout=5).raise_for_status()

    def add_persons(self, persons: dict[str, dict[str, Any]]) -> None:
        """Adds persons by document number."""
        requests.put(f"{self.url}/control/persons", json=persons, timeout=5).raise_for_status()

    def calls(self) -> int:
        """Returns the number of calls in all modes."""
        log: dict[str, Any] = requests.get(f"{self.url}/control/log", timeout=5).json()
        return sum(log["calls"].values())


@contextmanager
def running_registry() -> Iterator[RegistrySimulator]:
    """Runs a separate registry on a free port."""
    server = registry_server(0)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    simulator = RegistrySimulator(f"http://127.0.0.1:{server.port}")
    try:
        yield simulator
    finally:
        simulator.behave("normal")  # answers calls that still wait
        server.shutdown()
        server.server_close()
