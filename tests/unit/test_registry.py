"""The registry's client with a registry that fails in every way."""

from collections.abc import Callable, Iterator
from datetime import date

import pytest

from services.validation.registry import LARGEST_CALL, Registry, RegistryQuery, RegistrySettings
from services.validation.rules import RegistryAnswer
from tests.registry_simulator import RegistrySimulator, running_registry

NEVER = 3600
"""Seconds that no test waits."""
UNKNOWN = RegistryAnswer("unknown", None, "养老保险登记")


@pytest.fixture
def simulator() -> Iterator[RegistrySimulator]:
    with running_registry() as running:
        yield running


@pytest.fixture
def registry_of(simulator: RegistrySimulator) -> Iterator[Callable[..., Registry]]:
    decrypted: list[Registry] = []

    def open_registry(**settings: float) -> Registry:
        times = {"registry_read_seconds": 60, "registry_deadline_seconds": 60} | settings
        decrypted.append(Registry(RegistrySettings(simulator.url, **times)))  # type: ignore[arg-type]
        return decrypted[-1]

    yield open_registry
    for registry in decrypted:
        registry.close()


def queries(count: int) -> list[RegistryQuery]:
    return [RegistryQuery(f"ref-{n}", f"会员{n}", f"number-{n}") for n in range(count)]


def test_everybody_is_answered_in_calls_of_a_hundred(
    simulator: RegistrySimulator, registry_of: Callable[..., Registry]
) -> None:
    simulator.add_persons({"number-7": {"status": "retired", "since": "2024-03-01"}})
    asked = queries(2 * LARGEST_CALL + 1)

    answers = registry_of().query(asked)

    assert answers.keys() == {query.ref for query in asked}
    assert answers[asked[7].ref] == RegistryAnswer("retired", date(2024, 3, 1), "养老保险登记")
    assert answers[asked[8].ref] == UNKNOWN
    assert simulator.calls() == 3


@pytest.mark.parametrize("mode", ["down", "error"])
def test_a_registry_that_is_away_answers_nobody(
    mode: str, simulator: RegistrySimulator, registry_of: Callable[..., Registry]
) -> None:
    simulator.behave(mode)
    assert registry_of().query(queries(3)) == {}


def test_rubbish_of_every_kind_counts_as_no_answer(
    simulator: RegistrySimulator, registry_of: Callable[..., Registry]
) -> None:
    simulator.behave("rubbish")
    registry = registry_of(registry_failures=100)
    assert [registry.query(queries(3)) for _ in range(10)] == [{}] * 10


def test_whoever_an_answer_leaves_out_has_no_answer(
    simulator: RegistrySimulator, registry_of: Callable[..., Registry]
) -> None:
    simulator.behave("partial")
    asked = queries(6)
    assert registry_of().query(asked).keys() == {asked[n].ref for n in (1, 2, 4, 5)}


def test_the_other_calls_count_when_one_fails(
    simulator: RegistrySimulator, registry_of: Callable[..., Registry]
) -> None:
    simulator.behave("error", for_calls=1)
    assert len(registry_of(registry_calls_at_once=1).query(queries(3 * LARGEST_CALL))) == 2 * LARGEST_CALL


def test_a_call_that_breaks_off_is_made_once_more(
    simulator: RegistrySimulator, registry_of: Callable[..., Registry]
) -> None:
    simulator.behave("down", for_calls=1)
    assert len(registry_of().query(queries(3))) == 3


def test_a_slow_registry_takes_no_longer_than_the_deadline(
    simulator: RegistrySimulator, registry_of: Callable[..., Registry]
) -> None:
    simulator.behave("normal", at_once=1000)
    registry = registry_of(registry_read_seconds=NEVER, registry_deadline_seconds=0.2)
    assert registry.query(queries(10 * LARGEST_CALL)) == {}


def test_a_registry_that_is_away_is_spared(simulator: RegistrySimulator, registry_of: Callable[..., Registry]) -> None:
    simulator.behave("error")
    registry = registry_of(registry_failures=2, registry_rest_seconds=NEVER)
    assert [registry.query(queries(1)) for _ in range(5)] == [{}] * 5
    assert simulator.calls() == 2

    simulator.behave("normal")
    assert registry.query(queries(1)) == {}


def test_a_registry_that_was_away_is_asked_again_after_a_rest(
    simulator: RegistrySimulator, registry_of: Callable[..., Registry]
) -> None:
    simulator.behave("error")
    registry = registry_of(registry_failures=2, registry_rest_seconds=0)
    assert [registry.query(queries(1)) for _ in range(2)] == [{}] * 2

    simulator.behave("normal")
    assert len(registry.query(queries(1))) == 1


def test_calls_are_made_side_by_side(simulator: RegistrySimulator, registry_of: Callable[..., Registry]) -> None:
    simulator.behave("normal", at_once=5)
    assert len(registry_of().query(queries(5 * LARGEST_CALL))) == 5 * LARGEST_CALL


def test_asking_about_nobody_asks_nothing(simulator: RegistrySimulator, registry_of: Callable[..., Registry]) -> None:
    assert registry_of().query([]) == {}
    assert simulator.calls() == 0
