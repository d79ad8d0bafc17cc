"""A system with two processes of each service, for the tests of one module that inject faults."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest

from deploy.local.addresses import temporary_addresses
from deploy.local.captcha_solver import use_secret_of
from deploy.local.environment import SERVICES
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, running_stack
from tests.databases import ROOT
from tests.unlimited import UNLIMITED

_TWO_EACH = dict.fromkeys(SERVICES, 2)


@contextmanager
def start_two_process_stack(
    nodes: Nodes,
    kind: str,
    scale: Mapping[str, int] = _TWO_EACH,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Stack]:
    """Runs it under a separate name on the shared nodes; meanwhile its captchas can be solved."""
    settings = {"BANK_MODE": "manual", **UNLIMITED, **settings}
    with (
        pytest.MonkeyPatch.context() as environment,
        temporary_addresses(nodes, vhost_of(kind)) as addresses,
        running_stack(ROOT / ".local" / f"test-{kind}", addresses, scale, settings) as running,
    ):
        # The other tests' stack has another secret, which is restored at the end.
        environment.setenv("SESSION_SECRET", "")
        use_secret_of(running.folder)
        environment.setenv("SMS_SIMULATOR_URL", running.simulator_urls["sms"])
        yield running


def vhost_of(kind: str) -> str:
    """Returns the name of such a system on the nodes."""
    return f"{kind}_{os.getpid()}"
