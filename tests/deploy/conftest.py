"""What the tests of deployment share: an engine for containers, and the image."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.docker_host import Docker, running_docker
from tests.deploy.product_image import Image, build_image

_OF_DOCKER = ("test_compose", "test_image")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps the tests of a file in one worker, and in the same one those that use the engine for containers."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            group = "docker" if item.path.stem in _OF_DOCKER else item.path.stem
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """An engine for containers, whose containers, networks and images go with it."""
    with running_docker() as engine:
        yield engine


@pytest.fixture(scope="session")
def image(docker: Docker) -> Image:
    """The image, built as `make image` builds it."""
    return build_image(docker)
