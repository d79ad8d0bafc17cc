"""Settings come typed from the environment, and what is wrong with them is said at once."""

from dataclasses import dataclass

import pytest

from services.common.settings import SettingsError, read_settings


@dataclass(frozen=True)
class Example:
    """One field of each kind."""

    example_address: str
    example_count: int
    example_delays: tuple[float, ...] = (1, 2)
    example_strict: bool = False


@pytest.fixture(autouse=True)
def _forget_settings() -> None:
    read_settings.cache_clear()


def test_fields_are_read_from_the_variables_of_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_ADDRESS", "here")
    monkeypatch.setenv("EXAMPLE_COUNT", "3")
    monkeypatch.setenv("EXAMPLE_DELAYS", "0.1,5")
    monkeypatch.setenv("EXAMPLE_STRICT", "yes")
    assert read_settings(Example) == Example("here", 3, (0.1, 5.0), True)


def test_what_is_not_set_keeps_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_ADDRESS", "here")
    monkeypatch.setenv("EXAMPLE_COUNT", "3")
    monkeypatch.setenv("EXAMPLE_DELAYS", "")
    assert read_settings(Example).example_delays == (1, 2)


def test_all_that_is_missing_or_wrong_is_named_in_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_COUNT", "three")
    monkeypatch.setenv("EXAMPLE_STRICT", "perhaps")
    with pytest.raises(SettingsError, match=r"EXAMPLE_ADDRESS is not set.*EXAMPLE_COUNT.*EXAMPLE_STRICT"):
        read_settings(Example)
