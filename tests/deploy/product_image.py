"""The image of the product, built for the tests, and ways to look into it."""

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

from deploy.image.build import PARTS
from tests.deploy.docker_host import Docker

TAG = "union-cards:test"


@dataclass(frozen=True)
class Image:
    """The built image."""

    docker: Docker
    tag: str
    seconds: float

    def inspect(self) -> dict[str, Any]:
        """Returns what the engine knows of it."""
        found: dict[str, Any] = json.loads(self.docker("image", "inspect", self.tag))[0]
        return found

    def shell(self, script: str, *, read_only: bool = True) -> str:
        """Runs a script in a container of it, as its user, by default on a root that cannot be written.

        Returns what it prints.
        """
        limits = ["--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]
        limits += ["--read-only"] if read_only else []
        return self.docker("run", "--rm", *limits, self.tag, "sh", "-c", script)

    def parts(self) -> set[str]:
        """Returns the names and versions of the parts that the image's own list names, as package URLs."""
        document = json.loads(self.shell(f"cat {PARTS}"))
        return {part["purl"] for part in document["components"]}


def build_image(docker: Docker, tag: str = TAG, *more: str) -> Image:
    """Builds the image without a network, from the base and the packages that this machine has fetched."""
    docker.import_base()
    started = time.monotonic()
    command = [sys.executable, "-m", "deploy.image.build", "--tag", tag, "--", "--network=none", *more]
    docker.run(command, seconds=900)
    return Image(docker, tag, time.monotonic() - started)
