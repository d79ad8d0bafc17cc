"""The moment by which deadlines are counted: the computer's clock, which a test system may put forward."""

from datetime import UTC, datetime, timedelta

from services.kit.settings import SettingsError, is_production, read_settings, settings_class


@settings_class
class ClockSettings:
    """How far deadlines are ahead of the computer's clock."""

    clock_ahead_seconds: int = 0
    """How far deadlines and reminders are ahead of the computer's clock; for tests, refused in production."""

    def __post_init__(self) -> None:
        if self.clock_ahead_seconds and is_production():
            raise SettingsError("Settings in the environment: CLOCK_AHEAD_SECONDS is for tests only.")


def now() -> datetime:
    """The moment by which deadlines are counted. Raises SettingsError."""
    return datetime.now(UTC) + timedelta(seconds=read_settings(ClockSettings).clock_ahead_seconds)
