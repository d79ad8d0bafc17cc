"""Each command publishes an audit event once, in the transaction of its change; refused ones do so too."""

from typing import Any
from uuid import uuid4

import pytest

from tests.documents import unwrapped
from tests.integration.messaging.probe.contracts import ACT_RECORDED
from tests.integration.messaging.world import World, eventually

CLERK = {
    "account_name": "jianlang",
    "display_name": "王芳",
    "roles": ["clerk"],
    "union_id": "019301a0-7b00-7000-8000-0000000000b1",
    "origin": "10.8.3.21",
}


class Clerk:
    """Calls the probe as a clerk of this test only, and receives the clerk's audit events."""

    def __init__(self, world: World) -> None:
        self._outside = world.outside
        self._heard = world.outside.subscribe(ACT_RECORDED)
        self.caller = {**CLERK, "account_id": str(uuid4())}

    def call(self, name: str, data: dict[str, Any], **request: Any) -> dict[str, Any]:
        """What the probe answers."""
        return self._outside.call(name, data, **{"caller": self.caller, **request})

    def acts_until_now(self, key: str) -> list[dict[str, Any]]:
        """The audit events so far, in order: all that come before one more."""
        self.call("knock", {"key": key}, request_id="last")
        acts: list[dict[str, Any]] = []
        while not acts or acts[-1]["request_id"] != "last":
            act = unwrapped(ACT_RECORDED, eventually(lambda: self._outside.get(self._heard)).body).data
            if str(act["account_id"]) == self.caller["account_id"]:
                acts.append(act)
        return acts[:-1]


@pytest.fixture
def clerk(world: World) -> Clerk:
    return Clerk(world)


def test_the_audit_event_of_a_command_says_who_when_and_where_from(clerk: Clerk, key: str) -> None:
    clerk.call("knock", {"key": key}, request_id="r1", correlation_id="c1")
    [act] = clerk.acts_until_now(key)
    assert (act["action"], act["outcome"]) == ("probe.knock", "done")
    assert {name: str(act[name]) for name in ("account_id", "account_name", "origin", "union_id")} == {
        name: clerk.caller[name] for name in ("account_id", "account_name", "origin", "union_id")
    }
    assert (act["request_id"], act["correlation_id"], act["personal"]["display_name"]) == ("r1", "c1", "王芳")


def test_a_repeated_command_publishes_one_audit_event(clerk: Clerk, key: str) -> None:
    for _ in range(3):
        clerk.call("knock", {"key": key}, request_id="r1")
    assert [act["request_id"] for act in clerk.acts_until_now(key)] == ["r1"]


def test_a_refused_command_publishes_its_audit_event_though_its_transaction_is_rolled_back(
    world: World, clerk: Clerk, key: str
) -> None:
    assert "problem" in clerk.call("knock", {"key": key, "behaviour": "conflict"})
    assert "problem" in clerk.call("knock", {"key": key}, caller={**clerk.caller, "roles": ["reviewer"]})
    acts = clerk.acts_until_now(f"{key} last")
    assert [(act["outcome"], act["problem_code"]) for act in acts] == [("refused", "taken"), ("refused", "forbidden")]
    assert world.effects(key) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("count", {"key": "a"}, id="a question"),
        pytest.param("knock", {"keys": "a"}, id="a form with wrong fields"),
        pytest.param("knock", {"key": "a", "behaviour": "bug"}, id="our own trouble"),
    ],
)
def test_queries_and_failed_requests_publish_no_audit_event(
    clerk: Clerk, key: str, name: str, data: dict[str, Any]
) -> None:
    clerk.call(name, data)
    assert clerk.acts_until_now(key) == []
