"""What the tests of deployment share: an engine for containers, and the image."""

from collections.abc import Iterator

import pytest

from tests.deploy.docker_host import Docker, running_docker
from tests.deploy.product_image import Image, build_image


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """An engine for containers, whose containers, networks and images go with it."""
    with running_docker() as engine:
        yield engine


@pytest.fixture(scope="session")
def image(docker: Docker) -> Image:
    """The image, built as `make image` builds it."""
    return build_image(docker)
