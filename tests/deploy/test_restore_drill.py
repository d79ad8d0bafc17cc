"""The drill: a database is lost under a running system, restored alone to an earlier moment, and reconciled.

It prints how long each step took; `make drill` runs it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from deploy.invariants import System, check
from deploy.local import backups, nodes, stack, web
from deploy.local.captcha_solver import use_secret_of
from deploy.local.client import ApiClient, ApiProblem, wait_until
from deploy.local.environment import ROOT, lost_audit_entries, note_lost_audit_entries, write_state
from deploy.local.first_password import use_provider
from deploy.local.ports import hold_port
from deploy.local.processes import read_plan
from deploy.local.stack import Stack
from deploy.permissions import SERVICES
from tests.debian_packages import need_packages
from tests.desks import DESK_PASSWORD, Desk, a_desk, people

pytestmark = [
    pytest.mark.deploy("loses and restores databases of a stack of its own, by pgBackRest"),
    pytest.mark.timeout(3600),
    pytest.mark.alone("measures how long a restore takes"),
]

_FOLDER = ROOT / ".local" / "drill"
_SETTLE, _PATIENCE = 180.0, 600.0
_REPAIRS = 5
_LEFT_OF = {
    # SMS that were sent after the moment, and their counts, are known to nobody else.
    "notification": ("contact_texted:*", "clerk_told:*"),
    "batching": (),
    "membership": (),
    "validation": (),
    "revocation": (),
}


@dataclass
class Drill:
    """A running stack with a backup."""

    running: Stack

    @property
    def system(self) -> System:
        """The system, with what is known to be lost of its audit log."""
        return System.of_stack(self.running)

    def settle(self, *allowed: str) -> list[str]:
        """Waits until everything has been handled; returns the violations that are left."""
        return [str(one) for one in check(self.system, settle_seconds=_SETTLE, allowed=allowed)]

    def ordered(self) -> list[str]:
        """The document numbers of all whom the bank has, once for each order that it does not know as recalled."""
        bank = self.running.simulator_urls["bank"]
        numbers = []
        for batch in requests.get(f"{bank}/batches", timeout=30).json()["items"]:
            whole = requests.get(f"{bank}/batches/{batch['batch_no']}", timeout=30).json()
            numbers += [
                one["document_number"]
                for one in whole["applicants"]
                if one["application_id"] not in whole["recalled"] and one["outcome"] != "refused"
            ]
        return sorted(numbers)

    def lose(self, service: str) -> None:
        """Drops a database under its running service."""
        nodes.start_postgres(_FOLDER).drop_database(service)

    def restore(self, service: str, moment: datetime) -> backups.Restored:
        """Restores one database while its service is stopped."""
        environment = self.running.environment(service)
        with stack.without(_FOLDER, service):
            return backups.restore(_FOLDER, service, moment, environment, print)

    def reasons(self, service: str) -> list[str]:
        """Why a service is not ready, as its /readyz says."""
        (url,) = [one.ready_url for one in read_plan(_FOLDER).processes if one.program == service]
        try:
            return list(requests.get(url, timeout=30).json().get("reasons", []))
        except requests.RequestException:
            return []

    def repair(self, *arguments: str) -> str:
        """Runs `python -m deploy.repair` with the addresses and keys of all services in its environment."""
        keys = {**self.running.environment("batching"), **self.running.environment("membership")}
        named = {name: value for name, value in keys.items() if name not in ("DATABASE_URL", "AMQP_URI")}
        named["AUDIT_LOST"] = lost_audit_entries(_FOLDER)
        for service in SERVICES:
            named[f"DATABASE_URL_{service.upper()}"] = self.system.database_urls[service]
            named[f"AMQP_URI_{service.upper()}"] = self.system.amqp_uris[service]
            named[f"DATABASE_OWNER_URL_{service.upper()}"] = backups.owner_url(_FOLDER, service)
        command = [sys.executable, "-W", "ignore", "-m", "deploy.repair", "--settle", "4", *arguments]
        done = subprocess.run(
            command, env={"PATH": os.environ["PATH"], **named}, cwd=ROOT, capture_output=True, text=True, check=False
        )
        print(done.stdout, done.stderr)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def repair_what_moved(self, told: str) -> None:
        """Repairs again while the bank's decisions come in between, as the repair asks for."""
        for _ in range(_REPAIRS):
            if "it has just changed" not in told:
                return
            told = self.repair("--yes", "--by", "ops")


@pytest.fixture(scope="module")
def drill() -> Iterator[Drill]:
    need_packages("pgbackrest")
    web.build()  # without pages the gateway is not ready
    stack.reset(_FOLDER)
    # The preferred port may be that of another stack on this machine.
    write_state(_FOLDER, {"ports": {"gateway": hold_port()}})
    try:
        running = stack.start(_FOLDER)
        # Whom the bank refuses at last was ordered before and is not afterwards.
        requests.put(
            f"{running.simulator_urls['bank']}/control", json={"refuse_every": 0}, timeout=60
        ).raise_for_status()
        use_secret_of(_FOLDER)
        use_provider(running.simulator_urls["sms"])
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("deploy.local.client.requests.Session", PatientSession)
            patched.setattr(ApiClient, "sign_in", patient_sign_in)
            yield Drill(running)
    finally:
        stack.reset(_FOLDER)


@pytest.fixture(scope="module")
def desk(drill: Drill) -> Desk:
    """The clerk of a union that is older than all moments of the drill, with members in a batch."""
    one = a_desk(drill.running.gateway_url)
    one.import_members(people(3))
    one.submit_all()
    assert drill.settle() == []
    made = backups.backup(_FOLDER)
    print(f"{made.kind} backup of {made.added_bytes / 1e6:.1f} MB in {made.seconds:.1f} s")
    return one


@pytest.mark.parametrize("service", list(_LEFT_OF))
def test_a_lost_database_is_restored_alone_and_nobody_is_ordered_twice_or_lost(
    drill: Drill, desk: Desk, service: str
) -> None:
    moment = a_moment()
    newcomers = people(3)
    desk.import_members(newcomers)
    desk.submit_all()
    assert drill.settle(*_LEFT_OF["notification"]) == []
    ordered = drill.ordered()
    unarchived = nodes.start_postgres(_FOLDER).unarchived_seconds()

    drill.lose(service)
    started_at = time.monotonic()
    restored = drill.restore(service, moment)
    wait_until(lambda: any("until it is reconciled" in one for one in drill.reasons(service)), "it says so", _SETTLE)
    told = drill.repair("--yes", "--by", "ops")
    drill.running.wait_until_ready()
    seconds = time.monotonic() - started_at

    assert f"{service} takes changes again" in told
    drill.repair_what_moved(told)
    for entries in lost_entries(told):
        assert [one for one in check(drill.system) if one.invariant == "act_log_holds"]
        note_lost_audit_entries(_FOLDER, entries)
    assert drill.settle(*_LEFT_OF["notification"]) == []
    assert drill.ordered() == ordered
    if service == "membership":
        assert lost_entries(told)
        desk.clerk.sign_in(desk.account_name, DESK_PASSWORD)
    members = {one["member_no"]: one for one in desk.clerk.all_pages("members")}
    assert len(members) == len(desk.clerk.all_pages("members"))
    assert all(one["card_state"] != "pending" for one in members.values())
    desk.import_members(people(1))
    desk.submit_all()
    assert drill.settle(*_LEFT_OF["notification"]) == []
    assert len(set(drill.ordered())) == len(drill.ordered())
    print(
        f"{service}: RTO {seconds:.1f} s, of which {restored.seconds:.1f} s restore; RPO 0 s for a lost database, "
        f"{unarchived:.1f} s at that moment for a lost server"
    )


_sign_in = ApiClient.sign_in


def patient_sign_in(client: ApiClient, account_name: str, password: str) -> ApiClient:
    """Signs in once the system is no longer too busy for it; a captcha is used up by a try in vain."""

    def signed_in() -> ApiClient | None:
        with suppress(ApiProblem):
            return _sign_in(client, account_name, password)
        return None

    return wait_until(signed_in, "the system answers", _PATIENCE)


class PatientSession(requests.Session):
    """A client's connection that repeats what a busy system answers by 503; commands have the same key again."""

    def __init__(self) -> None:
        super().__init__()
        busy = Retry(total=20, status_forcelist=[503], allowed_methods=None, backoff_factor=0.5, raise_on_status=False)
        self.mount("http://", HTTPAdapter(max_retries=busy))


def a_moment() -> datetime:
    """A moment between what was done and what comes."""
    time.sleep(1.5)
    moment = datetime.now(UTC)
    time.sleep(1.5)
    return moment


def lost_entries(told: str) -> list[str]:
    """The ranges of audit entries that a reconciliation names as lost."""
    return [line.rpartition("AUDIT_LOST=")[2] for line in told.splitlines() if "AUDIT_LOST=" in line]
