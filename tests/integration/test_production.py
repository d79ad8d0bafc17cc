"""In production nothing starts with the demo's secrets, and nothing that is for demonstrations starts at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.environment import keep_secrets
from tests.conftest import ROOT
from tests.integration.conftest import TEST_SECRETS

RUNNER = "services.common.runner"


def run(*module: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Starts a program with these settings, and ENVIRONMENT unset unless it is among them."""
    addresses = {"AMQP_URI": "amqp://someone:password@127.0.0.1:9//", "DATABASE_URL": "postgresql://127.0.0.1:9/none"}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *module],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **addresses, **TEST_SECRETS, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "variable"),
    [
        ("services.revocation.service", "BLIND_INDEX_KEY"),
        ("services.batching.service", "BANK_HMAC_KEY"),
        ("gateway.service", "SESSION_SECRET"),
    ],
)
def test_a_secret_of_the_demo_keeps_a_process_from_starting(tmp_path: Path, module: str, variable: str) -> None:
    secret = keep_secrets(tmp_path)[variable]
    ended = run(RUNNER, module, **{variable: secret})
    assert ended.returncode == 2
    assert f"{variable} is a secret of the demo" in ended.stderr
    assert secret not in ended.stdout + ended.stderr


def test_one_secret_for_two_purposes_keeps_the_gateway_from_starting() -> None:
    ended = run(RUNNER, "gateway.service", SESSION_SECRET=TEST_SECRETS["BLIND_INDEX_KEY"])
    assert ended.returncode == 2
    assert "is the same secret as" in ended.stderr


@pytest.mark.parametrize(
    "module",
    [
        *(f"services.{service}.seed" for service in ("membership", "batching", "notification")),
        *(f"deploy.simulators.{simulator}" for simulator in ("bank", "registry", "sms")),
    ],
)
def test_what_is_for_demonstrations_refuses_to_run(module: str) -> None:
    ended = run(module)
    assert ended.returncode == 1
    assert "not with ENVIRONMENT=production" in ended.stderr
