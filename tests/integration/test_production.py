"""In production no process starts with the demo's secrets, and no demonstration tool starts at all."""

import os
import runpy
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from deploy.local.environment import keep_secrets, random_key
from deploy.local.fork_server import RUNNER, ForkServer
from deploy.permissions import SERVICES
from services.kit.key_sets import new_encryption_keys, new_signing_keys, public_part
from services.kit.rpc import request_encryption
from services.kit.rpc.caller_signature import public_keys
from services.membership.seed import seed
from tests.databases import DatabaseFactory
from tests.integration.conftest import TEST_SECRETS

_SECONDS = 60
_KEYS = "own:YSBrZXkgb2YgcmVxdWVzdHMsIDMyIGJ5dGVzIGxvbmc="


def request_keys_but(*left_out: str) -> str:
    """The gateway's public keys of all services but these."""
    return ",".join(request_encryption.public_keys(one, _KEYS) for one in SERVICES if one not in left_out)


ADDRESSES = {"AMQP_URI": "amqp://someone:password@127.0.0.1:9//", "DATABASE_URL": "postgresql://127.0.0.1:9/none"}


def end_of(fork_server: ForkServer, log: Path, module: str, **settings: str) -> tuple[int, str]:
    """How a service ends that is started with these settings and ENVIRONMENT unset, and what it writes."""
    environment = {"PATH": os.environ["PATH"], **ADDRESSES, **TEST_SECRETS, **settings}
    status = fork_server.start(RUNNER, [module], environment, log).wait(_SECONDS)
    return status, log.read_text()


@pytest.mark.parametrize(
    ("module", "variable"),
    [
        ("services.revocation.service", "BLIND_INDEX_KEY"),
        ("services.batching.service", "BANK_HMAC_KEY"),
        ("gateway.service", "SESSION_SECRET"),
    ],
)
def test_a_secret_of_the_demo_keeps_a_process_from_starting(
    fork_server: ForkServer, tmp_path: Path, module: str, variable: str
) -> None:
    secret = keep_secrets(tmp_path)[variable]
    status, written = end_of(fork_server, tmp_path / "log", module, **{variable: secret})
    assert status == 2
    assert f"{variable} is a secret of the demo" in written
    assert secret not in written


def test_one_secret_for_two_purposes_keeps_the_gateway_from_starting(fork_server: ForkServer, tmp_path: Path) -> None:
    secret = TEST_SECRETS["BLIND_INDEX_KEY"]
    status, written = end_of(fork_server, tmp_path / "log", "gateway.service", SESSION_SECRET=secret)
    assert status == 2
    assert "is the same secret as" in written


def test_a_database_with_accounts_of_the_demo_keeps_membership_from_starting(
    fork_server: ForkServer, tmp_path: Path, database: DatabaseFactory
) -> None:
    url = database("membership")
    with Session(create_engine(url.replace("postgresql://", "postgresql+psycopg://"))) as session, session.begin():
        seed(session)
    signing = new_signing_keys("own")
    settings = {
        "DATABASE_URL": url,
        "AMQP_URI": "amqp://membership:password@127.0.0.1:9//",
        "PERSONAL_DATA_KEYS": "k1:YSBrZXkgb2YgaXRzIG93biBmb3IgcHJvZHVjdGlvbiE=",
        "AUDIT_SIGNING_KEYS": signing,
        "AUDIT_PUBLIC_KEYS": public_part(signing),
        "CALLER_PUBLIC_KEYS": public_keys(f"own:{random_key()}"),
        "REQUEST_PRIVATE_KEYS": _KEYS,
    }
    status, written = end_of(fork_server, tmp_path / "log", "services.membership.service", **settings)
    assert status == 1, written
    assert "The database holds accounts of the demo: changning, city, gubei" in written
    assert "name an empty one in DATABASE_URL, migrate it, and make its first administrator" in written


@pytest.mark.parametrize(
    ("module", "user", "reason"),
    [
        ("services.revocation.service", "someone", "AMQP_URI names a user that is not revocation's own"),
        ("services.revocation.service", "cards_revocation", "CALLER_PUBLIC_KEYS is not set"),
        ("gateway.service", "gateway", "CALLER_SIGNING_KEYS is not set"),
    ],
)
def test_no_process_starts_in_production_that_cannot_verify_publishers_and_callers(
    fork_server: ForkServer, tmp_path: Path, module: str, user: str, reason: str
) -> None:
    settings = {
        "AMQP_URI": f"amqp://{user}:password@127.0.0.1:9//",
        "ALLOWED_HOSTS": "cards.example",
        "BLIND_INDEX_KEY": "YW5vdGhlciBrZXkgb2YgMzIgYnl0ZXMgb25seSEhISE=",
        "AUDIT_PUBLIC_KEYS": public_part(new_signing_keys("own")),
        "REQUEST_PRIVATE_KEYS": _KEYS,
        "REQUEST_PUBLIC_KEYS": request_keys_but(),
    }
    status, written = end_of(fork_server, tmp_path / "log", module, **settings)
    assert status != 0
    assert reason in written


@pytest.mark.parametrize(
    ("module", "keys", "reason"),
    [
        (
            "services.revocation.service",
            {"CALLER_PUBLIC_KEYS": public_keys(_KEYS)},
            "REQUEST_PRIVATE_KEYS is not set",
        ),
        (
            "gateway.service",
            {"CALLER_SIGNING_KEYS": _KEYS, "REQUEST_PUBLIC_KEYS": request_keys_but("validation")},
            "REQUEST_PUBLIC_KEYS holds no key of validation",
        ),
    ],
)
def test_no_process_starts_in_production_whose_requests_would_be_clear(
    fork_server: ForkServer, tmp_path: Path, module: str, keys: dict[str, str], reason: str
) -> None:
    settings = {
        "AMQP_URI": f"amqp://{module.split('.')[-2]}:password@127.0.0.1:9//",
        "ALLOWED_HOSTS": "cards.example",
        "BLIND_INDEX_KEY": "YW5vdGhlciBrZXkgb2YgMzIgYnl0ZXMgb25seSEhISE=",
        "AUDIT_PUBLIC_KEYS": public_part(new_signing_keys("own")),
        **keys,
    }
    status, written = end_of(fork_server, tmp_path / "log", module, **settings)
    assert status == 2
    assert written.splitlines() == [written.strip()]
    assert reason in written


KEYS_OF_A_SERVICE = {
    "PERSONAL_DATA_KEYS": "k1:YSBrZXkgb2YgaXRzIG93biBmb3IgcHJvZHVjdGlvbiE=",
    "BLIND_INDEX_KEY": "YW5vdGhlciBrZXkgb2YgMzIgYnl0ZXMgb25seSEhISE=",
    "AUDIT_KEYS": "own:YSBsb2cgb2YgaXRzIG93biwgMzIgYnl0ZXMgbG9uZyE=",
    "CALLER_PUBLIC_KEYS": public_keys(f"own:{random_key()}"),
    "REQUEST_PRIVATE_KEYS": _KEYS,
}


def keys_of_signatures() -> dict[str, str]:
    """The keys that sign the audit log, and those of messages to and from the bank."""
    signing, of_bank, of_union = (make("own") for make in (new_signing_keys, new_encryption_keys, new_encryption_keys))
    return {
        "AUDIT_SIGNING_KEYS": signing,
        "AUDIT_PUBLIC_KEYS": public_part(signing),
        "BANK_PUBLIC_KEYS": public_part(of_bank),
        "UNION_PRIVATE_KEYS": of_union,
    }


@pytest.mark.parametrize("unreadable", [False, True], ids=["missing", "unreadable"])
@pytest.mark.parametrize(
    ("service", "variable"),
    [
        *(("membership", one) for one in ("AUDIT_KEYS", "AUDIT_SIGNING_KEYS", "PERSONAL_DATA_KEYS")),
        *(("batching", one) for one in ("AUDIT_PUBLIC_KEYS", "BANK_PUBLIC_KEYS", "UNION_PRIVATE_KEYS")),
        *(("revocation", one) for one in ("CALLER_PUBLIC_KEYS", "REQUEST_PRIVATE_KEYS")),
    ],
)
def test_a_key_that_is_missing_or_unreadable_is_named_in_one_line_before_anything_starts(
    fork_server: ForkServer, tmp_path: Path, service: str, variable: str, unreadable: bool
) -> None:
    settings = {**KEYS_OF_A_SERVICE, **keys_of_signatures(), "AMQP_URI": f"amqp://{service}:password@127.0.0.1:9//"}
    settings[variable] = "%%" if unreadable else ""
    status, written = end_of(fork_server, tmp_path / "log", f"services.{service}.service", **settings)
    assert status == 2
    assert written.splitlines() == [written.strip()]
    assert variable in written or (variable == "PERSONAL_DATA_KEYS" and "The keys of personal data" in written)


def test_of_several_keys_that_are_missing_one_line_names_the_first(fork_server: ForkServer, tmp_path: Path) -> None:
    missing = dict.fromkeys(("CALLER_PUBLIC_KEYS", "REQUEST_PRIVATE_KEYS", "AUDIT_SIGNING_KEYS"), "")
    settings = {**KEYS_OF_A_SERVICE, **missing, "AMQP_URI": "amqp://membership:password@127.0.0.1:9//"}
    status, written = end_of(fork_server, tmp_path / "log", "services.membership.service", **settings)
    assert status == 2
    assert written == "Settings in the environment: AUDIT_SIGNING_KEYS is not set.\n"


@pytest.mark.parametrize(
    "module",
    [
        *(f"services.{service}.seed" for service in ("membership", "batching", "notification")),
        *(f"deploy.simulators.{simulator}" for simulator in ("bank", "registry", "sms")),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_for_demonstrations_refuses_to_run(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**ADDRESSES, **TEST_SECRETS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ENVIRONMENT")
    monkeypatch.setattr(sys, "argv", [module])
    with pytest.raises(SystemExit, match="not with ENVIRONMENT=production"):
        runpy.run_module(module, run_name="__main__")
