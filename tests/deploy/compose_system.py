"""A whole system in containers: compose.yaml and demo.yaml with images that take the places of the official ones."""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.bootstrap import ROOT
from deploy.local.environment import SIMULATORS, Addresses
from deploy.local.ports import hold_port
from deploy.local.private_files import make_private, write_private
from deploy.local.stack import Stack
from deploy.permissions import SERVICES
from deploy.secret_files import read_values
from tests.deploy.docker_host import Docker
from tests.deploy.product_image import Image

PROJECT = "cards-test"
PROGRAMS = (*SERVICES, "gateway")
SIMULATOR_PORT = 8082
_FILES = ROOT / "deploy" / "compose"
_SCALE = "--scale=batching=3"
_OFFICIAL = ("rabbitmq", "postgres", "nginx")


@dataclass(frozen=True)
class ComposedSystem:
    """The containers of one project, and the folder of their secrets."""

    docker: Docker
    folder: Path
    port: int
    settings: Mapping[str, str]

    @property
    def secrets(self) -> Path:
        """The folder that compose mounts its secrets from."""
        return self.folder / "secrets"

    @property
    def url(self) -> str:
        """Where nginx answers on this machine."""
        return f"https://localhost:{self.port}"

    def compose(self, *arguments: str) -> str:
        """Runs docker-compose on the project; returns what it prints."""
        files = [f"--file={_FILES / name}" for name in ("compose.yaml", "demo.yaml")]
        docker = Docker({**self.docker.environment, **self.settings})
        return docker.run(["/usr/bin/docker-compose", f"--project-name={PROJECT}", *files, *arguments])

    def up(self) -> float:
        """Starts everything that does not run, and waits until all is healthy; returns the seconds that it took."""
        started = time.monotonic()
        self.compose("up", "--detach", _SCALE)
        wait_until(lambda: not self.not_healthy(), lambda: f"unhealthy: {self.not_healthy()}", 600)
        return time.monotonic() - started

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Returns what the engine knows of a service's running containers."""
        return [one for one in self.running() if one["Config"]["Labels"]["com.docker.compose.service"] == service]

    def running(self) -> list[dict[str, Any]]:
        """Returns what the engine knows of all running containers of the project."""
        ids = self.docker("ps", "--quiet", f"--filter=label=com.docker.compose.project={PROJECT}").split()
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *ids))
        return found

    def not_healthy(self) -> list[str]:
        """Returns the names of running containers that are not healthy."""
        states = {one["Name"]: one["State"].get("Health", {}).get("Status") for one in self.running()}
        return [name for name, state in states.items() if state != "healthy"]

    def kill_process(self, container: Mapping[str, Any]) -> None:
        """Kills a container's first process, as a crash would; `docker kill` would keep it from being restarted."""
        os.kill(container["State"]["Pid"], signal.SIGKILL)

    def kill_and_wait(self, container: Mapping[str, Any]) -> float:
        """Kills a container's process, and waits until it was restarted and is healthy; returns the seconds."""
        started = time.monotonic()
        self.kill_process(container)
        name, restarts = container["Name"].removeprefix("/"), container["RestartCount"]

        def is_back() -> bool:
            (now,) = json.loads(self.docker("inspect", name))
            return now["RestartCount"] > restarts and now["State"].get("Health", {}).get("Status") == "healthy"

        wait_until(is_back, lambda: f"{name} was not restarted", 300)
        return time.monotonic() - started

    def networks(self, service: str) -> list[str]:
        """Returns the networks of a service, as compose.yaml names them."""
        (container, *_) = self.containers(service)
        return [name.removeprefix(f"{PROJECT}_") for name in container["NetworkSettings"]["Networks"]]

    def is_closed(self, network: str) -> bool:
        """Whether the engine lets nothing in and out of a network."""
        (found,) = json.loads(self.docker("network", "inspect", f"{PROJECT}_{network}"))
        return bool(found["Internal"])

    def address(self, service: str) -> str:
        """Returns a container's address on the network of services."""
        (container, *_) = self.containers(service)
        address: str = container["NetworkSettings"]["Networks"][f"{PROJECT}_back"]["IPAddress"]
        return address

    def as_stack(self) -> Stack:
        """Returns the system as those know it who tell the story of the demo."""
        values = read_values(self.secrets)
        make_private(self.folder)
        write_private(self.folder / "secrets.env", f"SESSION_SECRET={values['SESSION_SECRET']}\n")
        uri = (self.secrets / "operator" / "AMQP_URI_BATCHING").read_text().strip()
        simulators = {name: f"http://{self.address(name)}:{SIMULATOR_PORT}" for name in SIMULATORS}
        addresses = Addresses({"batching": uri.replace("@rabbitmq:", f"@{self.address('rabbitmq')}:")}, {})
        return Stack(self.folder, self.url, addresses, simulators)


def new_system(docker: Docker, image: Image, folder: Path) -> ComposedSystem:
    """Makes the secrets, by the command that the guide names, and the images that are missing."""
    port = hold_port()
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    command = ["python", "-m", "deploy.secret_files", "/secrets", "--host=localhost", "--demo"]
    docker("run", "--rm", "--network=none", f"--user={os.getuid()}:{os.getgid()}", f"--volume={secrets}:/secrets",
           image.tag, *command)  # fmt: skip
    stand_ins = {f"{name.upper()}_IMAGE": docker.stand_in(name) for name in _OFFICIAL}
    settings = {
        "CARDS_IMAGE": image.tag,
        "CARDS_SECRETS": str(secrets),
        "CARDS_PUBLISH": f"127.0.0.1:{port}",
        "CARDS_HOST": f"localhost:{port}",
        "CARDS_URL": f"https://localhost:{port}",
        **stand_ins,
    }
    return ComposedSystem(docker, folder, port, settings)


def wait_until(is_so: Callable[[], bool], what: Callable[[], str], seconds: float) -> None:
    """Waits for a condition; raises TimeoutError that says what is missing."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(what())
        time.sleep(0.3)
