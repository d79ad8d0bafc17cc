"""Every key that two programs share is replaced while people work: known, then used, then the old one forgotten."""

import json
from collections.abc import Iterator, Mapping

import pytest

from deploy.invariants import System, check
from deploy.local.demo import run_story
from deploy.local.environment import SERVICES, random_key
from deploy.local.nodes import Nodes
from deploy.local.stack import Stack, change_settings
from services.kit.key_sets import new_encryption_keys, new_signing_keys, public_part
from services.kit.rpc import request_encryption
from services.kit.rpc.caller_signature import public_keys
from tests.e2e.continuous_load import QUERIES, load_on, seeds
from tests.e2e.two_process_stack import start_two_process_stack

pytestmark = [
    pytest.mark.long("restarts every program three times; a stack of its own with two processes of each service"),
    pytest.mark.timeout(1800),
]

Changes = Mapping[str, Mapping[str, str]]
"""New settings by program."""


@pytest.fixture(scope="module")
def running(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system whose simulated outside parties remember what they know over a restart."""
    folder = tmp_path_factory.mktemp("ledgers")
    ledgers = {"BANK_LEDGER": str(folder / "bank.json"), "INSURER_LEDGER": str(folder / "insurer.json")}
    with start_two_process_stack(nodes, "secrets", settings=ledgers) as stack:
        yield stack


def test_each_shared_key_is_replaced_while_people_work(running: Stack) -> None:
    """The only gateway is restarted between two loads; tests/e2e/test_operated.py restarts one of two under load."""
    for stage in _stages(running):
        with load_on(running, runs_stories=False) as work:
            for program in (*SERVICES, "bank", "insurer"):
                change_settings(running.folder, stage[program], [program])
            assert run_story(running, next(seeds)) == 0
        assert work.failed == []
        assert work.answered > len(QUERIES)
        change_settings(running.folder, stage["gateway"], ["gateway"])
        running.wait_until_ready()
    assert run_story(running, next(seeds)) == 0
    assert check(System.of_stack(running), settle_seconds=60) == []


def _stages(stack: Stack) -> tuple[Changes, Changes, Changes]:
    """What each program is told at each stage; in between, every program understands every other."""
    stages = [
        _keys_of_requests(stack),
        _keys_of_the_audit_log(stack),
        _keys_of_outside_party(stack, "batching", "bank", "BANK", "UNION"),
        _keys_of_outside_party(stack, "membership", "insurer", "INSURER", "ENROLMENT"),
    ]
    programs = (*SERVICES, "bank", "insurer", "gateway")
    known, used, forgotten = (
        {
            one: {name: value for stage in stages for name, value in stage[place].get(one, {}).items()}
            for one in programs
        }
        for place in range(3)
    )
    return known, used, forgotten


def _keys_of_requests(stack: Stack) -> tuple[Changes, Changes, Changes]:
    """The gateway signs by another key, and encrypts for other keys of each service."""
    gateway = stack.environment("gateway")
    signing = f"new1:{random_key()}"
    both = f"{gateway['CALLER_SIGNING_KEYS']},{signing}"
    private = {one: stack.environment(one)["REQUEST_PRIVATE_KEYS"] for one in SERVICES}
    new = {one: f"new1:{random_key()}" for one in SERVICES}
    public = ",".join(request_encryption.public_keys(one, key) for one, key in new.items())
    return (
        {
            one: {"CALLER_PUBLIC_KEYS": public_keys(both), "REQUEST_PRIVATE_KEYS": f"{private[one]},{new[one]}"}
            for one in SERVICES
        },
        {"gateway": {"CALLER_SIGNING_KEYS": signing, "REQUEST_PUBLIC_KEYS": public}},
        {one: {"CALLER_PUBLIC_KEYS": public_keys(signing), "REQUEST_PRIVATE_KEYS": new[one]} for one in SERVICES},
    )


def _keys_of_the_audit_log(stack: Stack) -> tuple[Changes, Changes, Changes]:
    """Membership signs the log's head, and chains its entries, by other keys; the old ones stay for what they made."""
    membership = stack.environment("membership")
    signing = new_signing_keys("new-audit")
    public = _together(membership["AUDIT_PUBLIC_KEYS"], public_part(signing))
    old, new = membership["AUDIT_KEYS"], f"new1:{random_key()}"
    known: dict[str, dict[str, str]] = {one: {"AUDIT_PUBLIC_KEYS": public} for one in SERVICES}
    known["membership"]["AUDIT_KEYS"] = f"{old},{new}"
    return known, {"membership": {"AUDIT_SIGNING_KEYS": signing, "AUDIT_KEYS": f"{new},{old}"}}, {}


def _keys_of_outside_party(
    stack: Stack, service: str, party: str, theirs: str, ours: str
) -> tuple[Changes, Changes, Changes]:
    """Both sides sign by another key, and decrypt with others."""
    of_service, of_party = stack.environment(service), stack.environment(party)
    old, new = of_service[f"{theirs}_HMAC_KEY"], random_key()
    their_keys, our_keys = new_encryption_keys(f"new-{party}"), new_encryption_keys(f"new-{service}")
    hmac, second = f"{theirs}_HMAC_KEY", f"{theirs}_HMAC_SECOND_KEY"
    return (
        {
            service: {
                second: new,
                f"{ours}_PRIVATE_KEYS": _together(of_service[f"{ours}_PRIVATE_KEYS"], our_keys),
            },
            party: {
                second: new,
                f"{theirs}_PRIVATE_KEYS": _together(of_party[f"{theirs}_PRIVATE_KEYS"], their_keys),
            },
        },
        {
            service: {hmac: new, second: old, f"{theirs}_PUBLIC_KEYS": public_part(their_keys)},
            party: {hmac: new, second: old, f"{ours}_PUBLIC_KEYS": public_part(our_keys)},
        },
        {
            service: {second: "", f"{ours}_PRIVATE_KEYS": our_keys},
            party: {second: "", f"{theirs}_PRIVATE_KEYS": their_keys},
        },
    )


def _together(*key_sets: str) -> str:
    """One JWK Set of all keys."""
    return json.dumps({"keys": [key for one in key_sets for key in json.loads(one)["keys"]]})
