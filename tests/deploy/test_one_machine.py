"""The guide for one Debian machine, followed on one: from nothing to a running city by systemd, and what follows."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.bootstrap import ROOT
from deploy.permissions import SERVICES
from tests.deploy.systemd_machine import PROJECT, CommandFailed, Machine, booted, drop_root, make_root
from tests.mothers import a_union_code

pytestmark = [
    pytest.mark.deploy("a Debian machine with systemd, in namespaces of its own"),
    pytest.mark.timeout(1800),
]

SUITE = os.environ.get("DEBIAN_SUITE", "bookworm")
UNITS = [*(f"cards-{service}@1" for service in SERVICES), "cards-gateway@1", "cards-gateway@2"]
MOST_EXPOSURE = 1.5
"""Of 10, as `systemd-analyze security` counts: network and the system calls of a service are left."""
_FIRST_PASSWORD = re.compile(r"[A-Za-z0-9-]{8,}")
_OPERATE = f"{PROJECT}/deploy/systemd"
_PORTS = {"BANK": 8201, "REGISTRY": 8202, "SMS": 8203}
"""Of the simulators; story_on_machine.py knows them too."""
_FOR_PROGRAMS = ("PROOF_OF_WORK_BITS=16", "AUDIT_HEAD_MINUTES=0", "SMS_QUIET_HOURS=0-0")
"""For a story that a program tells at any hour: it signs in all the time, waits for signed heads and text messages."""


def guide() -> dict[str, list[str]]:
    """The commands of each numbered step of the guide, with the test's name and folder of the release."""
    text = (ROOT / "docs" / "operations" / "one-machine.md").read_text()
    (numbered,) = re.findall(r"## From nothing to a running city\n(.*?)\n## ", text, re.DOTALL)
    steps = re.split(r"\n(?=\d+\. )", numbered)[1:]
    values = {
        "cards.example": "localhost",
        "/opt/cards-0.3.0": PROJECT,
        "<its code>": a_union_code(900_001),
        "--account <name>": "--account first",
        "--name <name>": "--name 首任",
        "<mobile telephone>": "13800138000",
    }

    def filled(command: str) -> str:
        for placeholder, value in values.items():
            command = command.replace(placeholder, value)
        return command.strip()

    found = {}
    for step in steps:
        (number,) = re.findall(r"^(\d+)\.", step)
        blocks = re.findall(r"```\n(.*?)```", step, re.DOTALL)
        inline = re.findall(r"`((?:sh|cards) [^`]+)`", re.sub(r"```.*?```", "", step, flags=re.DOTALL))
        found[number] = [filled(command) for command in [*blocks, *inline]]
    return found


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine on which the guide was followed, but for certificate and bank; its data go with it."""
    steps = guide()
    keys = f"cd {PROJECT}; .venv/bin/python -m services.kit.key_sets make encryption bank-1 > /root/bank.json"
    public = (
        f"cd {PROJECT}; .venv/bin/python -m services.kit.key_sets public < /root/bank.json > /root/bank-public.json"
    )
    packages = [command.replace("apt-get install", "apt-get -qq --yes install > /dev/null") for command in steps["1"]]
    root = make_root(SUITE, *packages, *steps["2"])
    try:
        with booted(root) as running:
            for command in steps["3"]:
                print(running(f"cd {PROJECT}; {command}"))
            running(keys)
            running(public)
            for command in steps["6"]:
                running(command.replace("<file>", "/root/bank-public.json"))
            for number in ("7", "8"):
                for command in steps[number]:
                    print(running(command))
            yield running
    finally:
        drop_root(root)


def test_the_guide_leads_from_nothing_to_a_city_whose_invariants_hold(machine: Machine) -> None:
    (first_administrator,) = guide()["9"]
    assert _FIRST_PASSWORD.search(machine(first_administrator))
    for command in guide()["10"]:
        machine(command)
    assert machine("systemctl list-units --failed --plain --no-legend 'cards-*'") == ""
    console = machine(
        "curl --silent --show-error --fail --cacert /etc/cards/secrets/nginx/certificate.pem https://localhost/login"
    )
    assert "<!doctype html>" in console.lower()
    api = "curl --silent --show-error --cacert /etc/cards/secrets/nginx/certificate.pem https://localhost"
    assert '"ready"' in machine(f"{api}/readyz")
    assert '"not_signed_in"' in machine(f"{api}/api/v1/me")


def test_each_program_has_a_user_of_its_own_and_sees_its_own_secrets(machine: Machine) -> None:
    users = {unit: machine(f"ps -o user:40= -p $(systemctl show -P MainPID {unit})").strip() for unit in UNITS}
    assert users["cards-gateway@1"] == users["cards-gateway@2"]
    assert len(set(users.values())) == len(UNITS) - 1
    assert "root" not in users.values()
    inside = "nsenter --mount --target $(systemctl show -P MainPID cards-gateway@1)"
    assert machine(f"{inside} ls /run/secrets").split() == machine("ls /etc/cards/secrets/gateway").split()
    for unit in UNITS:
        exposure = machine(f"systemd-analyze security --no-pager {unit} | grep 'Overall exposure'")
        assert float(exposure.split(": ")[1].split()[0]) <= MOST_EXPOSURE, exposure


def test_a_process_that_is_killed_is_started_again(machine: Machine) -> None:
    before = machine("systemctl show -P MainPID cards-batching@1").strip()
    machine(f"kill -KILL {before}")
    machine.wait_until(f'test "$(systemctl show -P MainPID cards-batching@1)" -ne {before}')
    machine.wait_until(f"{PROJECT}/deploy/image/healthy.py /readyz 8131")


def test_more_processes_are_started_and_restarted_one_after_another(machine: Machine) -> None:
    machine("systemctl enable --now cards-batching@2")
    said = machine(f"{_OPERATE}/restart.sh batching")
    assert said.split("\n")[:2] == ["cards-batching@1.service is ready", "cards-batching@2.service is ready"]


def test_a_restart_that_does_not_succeed_ends_with_the_reason(machine: Machine) -> None:
    machine("mv /etc/cards/secrets/validation/DATABASE_URL /root/kept")
    try:
        with pytest.raises(CommandFailed, match=r"cards-validation@1\.service is not ready"):
            machine(f"SECONDS_TO_BE_READY=5 {_OPERATE}/restart.sh validation gateway")
    finally:
        machine("mv /root/kept /etc/cards/secrets/validation/DATABASE_URL")
    machine(f"{_OPERATE}/restart.sh validation")


def test_checks_of_every_day_pass_and_are_timed(machine: Machine) -> None:
    for name in ("audit-verify", "invariants"):
        machine(f"systemctl start cards-{name}.service")
        assert machine(f"systemctl show -P Result cards-{name}.service").strip() == "success"
        assert machine(f"systemctl is-active cards-{name}.timer").strip() == "active"


def test_installing_again_keeps_settings_secrets_and_configurations(machine: Machine) -> None:
    machine("echo 'LOG_LEVEL=INFO' >> /etc/cards/cards.env; echo '# ours' >> /etc/cards/nginx/gateways.conf")
    files = "find /etc/cards /etc/systemd/system/cards* -type f ! -name '.*' -exec sha256sum {} + | sort"
    before = machine(files)
    (install, *_) = guide()["3"]
    machine(f"cd {PROJECT}; {install.splitlines()[0]}")
    for command in guide()["7"]:
        machine(command)
    changed = set(before.splitlines()) ^ set(machine(files).splitlines())
    assert {line.split("/")[-1] for line in changed} <= {"BANK_PUBLIC_KEYS"}
    machine("systemctl reload nginx")


def test_all_stop_and_start_together(machine: Machine) -> None:
    machine("systemctl stop cards.target")
    assert machine("systemctl list-units --plain --no-legend --state=active 'cards-*@*'") == ""
    machine("systemctl start cards.target")
    for port in (8111, 8121, 8131, 8141, 8151, 8161, 8162):
        machine.wait_until(f"{PROJECT}/deploy/image/healthy.py /readyz {port}")


def test_the_manual_s_story_is_told_through_nginx(machine: Machine) -> None:
    """In the demo's environment: simulators answer for bank, registry and SMS provider."""
    machine("sed -i s/ENVIRONMENT=production/ENVIRONMENT=demo/ /etc/cards/cards.env")
    for setting in (*(f"{name}_URL=http://127.0.0.1:{_PORTS[name]}" for name in ("REGISTRY", "SMS")), *_FOR_PROGRAMS):
        machine(f"echo {setting} >> /etc/cards/cards.env")
    machine("cp /root/bank.json /etc/cards/secrets/bank/BANK_PRIVATE_KEYS")
    for service in ("membership", "batching", "notification"):
        machine(f"cards {service} python -m services.{service}.seed")
    for name, port in _PORTS.items():
        command = f"cards bank python -m deploy.simulators.{name.lower()}"
        machine(f"systemd-run --unit=simulated-{name.lower()} env {name}_PORT={port} {command}")
    machine(f"{_OPERATE}/restart.sh")
    story = Path(__file__).with_name("story_on_machine.py").read_text()
    told = machine(f"cd /opt/cards && .venv/bin/python - <<'END'\n{story}\nEND")
    assert "the story is told" in told
    machine("cards operator python -m deploy.invariants --settle 60")
