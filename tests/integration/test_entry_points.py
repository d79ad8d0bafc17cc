"""Every program that can be started by `python -m`: without its settings it names them, and shows no traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.permissions import SERVICES
from tests.integration.test_production import request_keys_but

ROOT = Path(__file__).parents[2]
_FOLDERS = ("services", "gateway", "deploy")
_STARTS_HERE = re.compile(r'^if __name__ == "__main__":', re.MULTILINE)

READ_NO_SETTINGS = {
    "deploy.secret_files",
    "deploy.image.build",
    "deploy.image.packages",
    "deploy.handbook.book",
    "deploy.handbook.screenshots",
    "deploy.local.audit_dependencies",
    "deploy.local.demo",
    "deploy.local.fork_server",
    "services.kit.rpc.caller_keys",
    "services.membership.imports.sheet_reader",
    "services.kit.sheets.workbook_reader",
}
"""Programs that work without any, on the working copy or on their input."""

_ADMINISTRATOR = ["--union=u", "--code=c", "--account=a", "--name=n", "--phone=13900000000"]
ARGUMENTS = {
    "deploy.broker": [["definitions"], ["declare"]],
    "deploy.whole_broker": [["definitions.json"]],
    "deploy.dead_letters": [["list"], ["show", "queue", "id"]],
    "services.batching.bank.bank_operations": [["show", "--batch-no", "x"]],
    "services.kit.data.migrate": [["membership"]],
    "services.kit.data.reencrypt": [["membership"]],
    "services.kit.data.repair": [["membership"]],
    "services.kit.operations.runner": [["gateway.service"], *([f"services.{one}.service"] for one in SERVICES)],
    "services.membership.accounts.first_administrator": [_ADMINISTRATOR],
}
"""Arguments with which a program gets as far as its settings; the others are started without."""


def programs() -> list[str]:
    """The modules of all files that do something when they are started."""
    files = (path for folder in _FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    found = (path for path in files if "node_modules" not in path.parts and _STARTS_HERE.search(path.read_text()))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__") for path in found]


def starts() -> list[tuple[str, list[str]]]:
    """Each program with each of its arguments."""
    return [(one, words) for one in programs() if one not in READ_NO_SETTINGS for words in ARGUMENTS.get(one, [[]])]


def end_of(module: str, arguments: list[str], **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENVIRONMENT": "test", **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_programs_are_found() -> None:
    found = set(programs())
    assert {"deploy.broker", "services.kit.operations.runner", "deploy.local", "services.kit.data.migrate"} <= found
    assert found >= READ_NO_SETTINGS | ARGUMENTS.keys()


@pytest.mark.parametrize("module", ["gateway.service", *(f"services.{one}.service" for one in SERVICES)])
def test_a_service_without_its_settings_says_so_without_a_traceback(module: str) -> None:
    says_so("services.kit.operations.runner", [module])


@pytest.mark.long("each program, as a process of its own")
@pytest.mark.parametrize(("module", "arguments"), starts(), ids=str)
def test_a_program_without_its_settings_says_so_without_a_traceback(module: str, arguments: list[str]) -> None:
    says_so(module, arguments)


def says_so(module: str, arguments: list[str]) -> None:
    """A program without its settings ends with a line that says so."""
    # Of the environment's system only the first address is given: the others are missing, whatever runs here.
    given = (
        {"DATABASE_URL_MEMBERSHIP": "postgresql:///none"} if module in ("deploy.invariants", "deploy.repair") else {}
    )
    ended = end_of(module, arguments, **given)
    written = ended.stdout + ended.stderr
    assert "Traceback" not in written
    assert ended.returncode in (1, 2), written
    assert written.strip()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "ALLOWED_HOSTS is not set"),
        (
            {"ALLOWED_HOSTS": "cards.example", "REQUEST_PUBLIC_KEYS": request_keys_but()},
            "CALLER_SIGNING_KEYS is not set",
        ),
    ],
)
def test_a_gateway_in_production_names_what_only_production_needs(settings: dict[str, str], said: str) -> None:
    needed = {
        "ENVIRONMENT": "production",
        "AMQP_URI": "amqp://gateway:password@127.0.0.1:9//",
        "SESSION_SECRET": "YSBzZWNyZXQgb2YgaXRzIG93biwgZm9yIGEgdGVzdCE=",
    }
    ended = end_of("services.kit.operations.runner", ["gateway.service"], **needed, **settings)
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    assert ended.returncode in (1, 2)
    assert len(lines) == 1
    assert said in lines[0]
