"""The gateway asks services only for what they answer."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from deploy.local.environment import SERVICES
from gateway import api

ASKED = sorted(
    {
        (service, name)
        for file in Path(api.__file__).parent.glob("*.py")
        for service, name in re.findall(r'"(\w+)\.(\w+)"', file.read_text("utf-8"))
        if service in SERVICES
    }
)


@pytest.mark.parametrize(("service", "name"), ASKED, ids=lambda part: part)
def test_each_method_that_a_route_asks_for_is_answered_by_its_service(service: str, name: str) -> None:
    module = import_module(f"services.{service}.service")
    answering = [kind for kind in vars(module).values() if getattr(kind, "name", None) == service]

    assert [hasattr(kind, name) for kind in answering] == [True]
