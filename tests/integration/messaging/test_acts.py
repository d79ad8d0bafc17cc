"""Each command is told as an act: once, in the transaction of its change; refusals are told too."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from services.common.messaging.envelope import unwrap
from tests.integration.messaging.probe.contracts import ACT_RECORDED
from tests.integration.messaging.world import World, eventually

HEARD = "test.acts"
CLERK = {
    "account_id": "019301a0-7b00-7000-8000-0000000000a1",
    "account_name": "jianlang",
    "display_name": "王芳",
    "roles": ["clerk"],
    "union_id": "019301a0-7b00-7000-8000-0000000000b1",
    "origin": "10.8.3.21",
}

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(world: World) -> Ask:
    """Asks a probe as the clerk, while its acts are heard."""
    world.start(PERSONAL_DATA_KEYS=os.environ["PERSONAL_DATA_KEYS"])
    world.outside.channel.queue_declare(HEARD, durable=True, auto_delete=False)
    world.outside.channel.queue_bind(HEARD, "events", ACT_RECORDED.type)

    def ask(name: str, data: dict[str, Any], **request: Any) -> dict[str, Any]:
        return world.outside.ask(name, data, **{"caller": CLERK, **request})

    return ask


def heard_until(world: World, ask: Ask, key: str) -> list[dict[str, Any]]:
    """The acts that were told before this last one, in order."""
    ask("knock", {"key": key}, request_id=f"last {key}")
    acts: list[dict[str, Any]] = []
    while not acts or acts[-1]["request_id"] != f"last {key}":
        message = eventually(lambda: world.outside.get(HEARD))
        acts.append(unwrap(ACT_RECORDED, message.body).data)
    return acts[:-1]


def test_a_command_is_told_with_who_when_and_where_from(world: World, ask: Ask) -> None:
    ask("knock", {"key": "a"}, request_id="r1", correlation_id="c1")
    [act] = heard_until(world, ask, "b")
    assert (act["action"], act["outcome"]) == ("probe.knock", "done")
    assert {name: str(act[name]) for name in ("account_id", "account_name", "origin", "union_id")} == {
        name: CLERK[name] for name in ("account_id", "account_name", "origin", "union_id")
    }
    assert (act["request_id"], act["correlation_id"], act["personal"]["display_name"]) == ("r1", "c1", "王芳")


def test_a_repeated_command_is_told_once(world: World, ask: Ask) -> None:
    for _ in range(3):
        ask("knock", {"key": "a"}, request_id="r1")
    assert [act["request_id"] for act in heard_until(world, ask, "b")] == ["r1"]


def test_a_refused_command_is_told_with_the_reason_though_its_transaction_is_rolled_back(
    world: World, ask: Ask
) -> None:
    assert "problem" in ask("knock", {"key": "a", "behaviour": "conflict"})
    assert "problem" in ask("knock", {"key": "a"}, caller={**CLERK, "roles": ["reviewer"]})
    acts = heard_until(world, ask, "b")
    assert [(act["outcome"], act["problem_code"]) for act in acts] == [("refused", "taken"), ("refused", "forbidden")]
    assert world.effects("a") == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("count", {"key": "a"}, id="a question"),
        pytest.param("knock", {"keys": "a"}, id="a form with wrong fields"),
        pytest.param("knock", {"key": "a", "behaviour": "bug"}, id="our own trouble"),
    ],
)
def test_what_is_no_act_is_not_told(world: World, ask: Ask, name: str, data: dict[str, Any]) -> None:
    ask(name, data)
    assert heard_until(world, ask, "b") == []
