"""The clock of deadlines: the computer's, which only a test system may put forward."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.kit import clock
from services.kit.clock import ClockSettings
from services.kit.settings import SettingsError, read_settings


@pytest.fixture(autouse=True)
def _settings_anew() -> Iterator[None]:
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


def test_deadlines_go_by_the_computers_clock() -> None:
    before = datetime.now(UTC)
    assert before <= clock.now() <= datetime.now(UTC)


def test_a_test_system_may_be_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOCK_AHEAD_SECONDS", "86400")
    before = datetime.now(UTC)
    assert before <= clock.now() - timedelta(days=1) <= datetime.now(UTC)


def test_production_refuses_a_clock_that_is_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("CLOCK_AHEAD_SECONDS", "1")
    with pytest.raises(SettingsError, match="CLOCK_AHEAD_SECONDS"):
        read_settings(ClockSettings)
